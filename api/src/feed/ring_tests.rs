use std::time::Duration;

use futures::FutureExt as _;
use kantoku_domain::Recorded;
use serde_json::json;

use super::*;

fn id(number: u64) -> Id {
    format!("0193b0de-0000-7000-8000-{number:010x}2a").parse().expect("an id")
}

/// The event at this position: about resource 1 to 9 and context 10 to 90, by the last digit.
pub(crate) fn event(stream_seq: u64) -> Arc<Recorded> {
    let (resource, context) = (id(stream_seq % 10), id(stream_seq % 10 * 10));
    let event = json!({
        "stream_seq": stream_seq, "subject": "", "namespace": "default", "aggregate": "resource",
        "id": resource, "version": 1, "type": "ResourceReleased", "data": {},
        "metadata": {
            "event_id": id(100), "command_id": id(101), "correlation_id": context, "actor": "a",
            "service_id": "s", "schema": 1, "at": "2026-11-24T04:19:50Z", "previous_seq": 0,
        },
    });
    Arc::new(serde_json::from_value(event).expect("an event"))
}

fn events(range: std::ops::RangeInclusive<u64>) -> Vec<Arc<Recorded>> {
    range.map(event).collect()
}

fn ring(items_max: usize) -> Ring<Recorded> {
    Ring::new("test", items_max, usize::MAX, 0)
}

/// What the watcher has at hand; `None` when it would wait.
fn now(watcher: &mut Watcher<Recorded>) -> Option<Result<Vec<u64>, Lagged>> {
    let taken = watcher.next().now_or_never()?;
    Some(taken.map(|items| items.iter().map(|item| item.stream_seq).collect()))
}

#[test]
fn a_watcher_is_given_what_concerns_it_once_and_in_order() {
    let ring = ring(100);
    let mut all = ring.watch(Interest::All, 0);
    let mut resource = ring.watch(Interest::Of(id(3)), 0);
    let mut context = ring.watch(Interest::Of(id(40)), 0);
    assert_eq!(now(&mut all), None);
    ring.push(events(1..=5), 5);
    ring.push(events(6..=14), 20);
    assert_eq!(ring.head(), 20);
    assert_eq!(now(&mut all), Some(Ok((1..=14).collect())));
    assert_eq!(now(&mut resource), Some(Ok(vec![3, 13])));
    assert_eq!(now(&mut context), Some(Ok(vec![4, 14])));
    for watcher in [&mut all, &mut resource, &mut context] {
        assert_eq!(now(watcher), None);
    }
}

#[test]
fn a_watcher_begins_in_the_past_as_far_as_that_is_kept() {
    let ring = ring(10);
    ring.push(events(1..=15), 15);
    assert_eq!(now(&mut ring.watch(Interest::All, 5)), Some(Ok((6..=15).collect())));
    assert_eq!(now(&mut ring.watch(Interest::All, 13)), Some(Ok(vec![14, 15])));
    assert_eq!(now(&mut ring.watch(Interest::All, 15)), None);
    let mut late = ring.watch(Interest::All, 4);
    assert_eq!(now(&mut late), Some(Err(Lagged)));
    assert_eq!(now(&mut late), None);
    ring.push(events(16..=16), 16);
    assert_eq!(now(&mut late), Some(Ok(vec![16])));
}

#[test]
fn a_slow_watcher_is_told_and_an_idle_one_never_lags() {
    let ring = ring(10);
    let mut slow = ring.watch(Interest::All, 0);
    let mut idle = ring.watch(Interest::Of(id(7)), 0);
    ring.push(events(1..=6), 6);
    for _ in 0..50 {
        ring.push(events(8..=16), 16);
    }
    assert_eq!(now(&mut slow), Some(Err(Lagged)));
    assert_eq!(now(&mut idle), None);
    ring.push(events(17..=18), 18);
    assert_eq!(now(&mut idle), Some(Ok(vec![17])));
    assert_eq!(now(&mut slow), Some(Ok(vec![17, 18])));
}

#[test]
fn large_items_leave_earlier_but_the_last_one_stays() {
    let bytes = bytes_of(&*event(1));
    let ring = Ring::new("test", 100, 3 * bytes, 0);
    ring.push(events(1..=9), 9);
    assert_eq!(now(&mut ring.watch(Interest::All, 6)), Some(Ok(vec![7, 8, 9])));
    assert_eq!(now(&mut ring.watch(Interest::All, 5)), Some(Err(Lagged)));
    let ring = Ring::new("test", 100, 1, 0);
    ring.push(events(1..=2), 2);
    assert_eq!(now(&mut ring.watch(Interest::All, 1)), Some(Ok(vec![2])));
}

#[test]
fn much_is_given_in_parts() {
    let ring = ring(1_000);
    let mut watcher = ring.watch(Interest::All, 0);
    ring.push(events(1..=600), 600);
    let mut seen = Vec::new();
    while let Some(taken) = now(&mut watcher) {
        let taken = taken.expect("kept");
        assert!(taken.len() <= TAKE_MAX);
        seen.extend(taken);
    }
    assert_eq!(seen, (1..=600).collect::<Vec<_>>());
}

#[test]
fn after_a_restart_everybody_reads_anew() {
    let ring = ring(100);
    ring.push(events(1..=5), 5);
    let mut watcher = ring.watch(Interest::Of(id(1)), 5);
    ring.restart(40);
    assert_eq!(now(&mut watcher), Some(Err(Lagged)));
    assert_eq!(now(&mut ring.watch(Interest::All, 39)), Some(Err(Lagged)));
    assert_eq!(now(&mut ring.watch(Interest::All, 40)), None);
    ring.push(events(41..=41), 41);
    assert_eq!(now(&mut watcher), Some(Ok(vec![41])));
}

#[tokio::test]
async fn a_waiting_watcher_is_woken_and_a_dropped_one_is_forgotten() {
    let ring = ring(100);
    let mut watcher = ring.watch(Interest::Of(id(2)), 0);
    let woken = tokio::spawn(async move { watcher.next().await });
    tokio::task::yield_now().await;
    ring.push(events(1..=2), 2);
    let taken = tokio::time::timeout(Duration::from_secs(10), woken).await.expect("woken");
    assert_eq!(taken.expect("no panic").expect("kept").len(), 1);
    let inner = ring.lock();
    assert!(inner.watchers.is_empty() && inner.interests.is_empty());
}
