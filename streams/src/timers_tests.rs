//! What timers promise, on a real server.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Due, DueConsumer, testing::Server};

const DEADLINE: Duration = Duration::from_secs(20);

fn id(number: u64) -> Id {
    format!("0193b0de-0000-7000-8000-{number:012x}").parse().unwrap()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

fn soon(millis: u64) -> Timestamp {
    now().plus(Duration::from_millis(millis))
}

/// The next `count` that are due, acknowledged: timer and payload.
async fn take(consumer: &mut DueConsumer, count: usize) -> Vec<(Id, String)> {
    let stop = CancellationToken::new();
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = tokio::time::timeout(DEADLINE, consumer.next_batch(&stop)).await.unwrap();
        for due in batch.unwrap() {
            taken.push((due.id, due.payload().unwrap()));
            due.ack().await.unwrap();
        }
    }
    taken
}

#[tokio::test]
async fn a_timer_fires_once_not_early_and_for_its_kind_alone() {
    let Some(server) = Server::start().await else { return };
    let (_, context) = server.ready().await;
    let timers = Timers::open(&context).await.unwrap();
    let at = soon(300);
    timers.set(id(1), "other", now(), &"other").await.unwrap();
    timers.set(id(2), "timeout", at, &"two").await.unwrap();
    let mut due = DueConsumer::new(context.clone(), "timeout", "test");
    assert_eq!(take(&mut due, 1).await, [(id(2), "two".to_owned())]);
    assert!(now() >= at, "it fired early");
    let mut stream = context.get_stream(subject::TIMERS).await.unwrap();
    let deadline = Instant::now() + DEADLINE;
    // The timers are gone; what was due stays until its time to live is over.
    while stream.info().await.unwrap().state.messages > 2 {
        assert!(Instant::now() < deadline, "a timer that has fired is still set");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_timer_that_is_set_again_or_taken_back_does_not_fire_as_before() {
    let Some(server) = Server::start().await else { return };
    let (_, context) = server.ready().await;
    let timers = Timers::open(&context).await.unwrap();
    timers.set(id(1), "timeout", soon(100), &"early").await.unwrap();
    timers.set(id(2), "timeout", soon(100), &"cancelled").await.unwrap();
    timers.set(id(1), "timeout", soon(700), &"late").await.unwrap();
    timers.cancel(id(2)).await.unwrap();
    timers.cancel(id(3)).await.unwrap();
    timers.set(id(4), "timeout", soon(1_500), &"last").await.unwrap();
    let mut due = DueConsumer::new(context, "timeout", "test");
    let fired = take(&mut due, 2).await;
    assert_eq!(fired, [(id(1), "late".to_owned()), (id(4), "last".to_owned())]);
}

#[tokio::test]
async fn a_timer_survives_a_server_that_is_killed() {
    let Some(server) = Server::start().await else { return };
    let (_, context) = server.ready().await;
    let timers = Timers::open(&context).await.unwrap();
    timers.set(id(1), "timeout", soon(500), &"meanwhile").await.unwrap();
    timers.set(id(2), "timeout", soon(3_000), &"later").await.unwrap();
    let killed = server.kill().await;
    let _server = killed.start_again().await;
    let mut due = DueConsumer::new(context, "timeout", "test");
    let fired = take(&mut due, 2).await;
    assert_eq!(fired, [(id(1), "meanwhile".to_owned()), (id(2), "later".to_owned())]);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let Some(server) = Server::start().await else { return };
    let (_, context) = server.ready().await;
    let timers = Timers::open(&context).await.unwrap();
    timers.set(id(1), "timeout", now(), &"one").await.unwrap();
    let stop = CancellationToken::new();
    let mut due = DueConsumer::new(context, "timeout", "test");
    let dropped: Vec<Due> =
        tokio::time::timeout(DEADLINE, due.next_batch(&stop)).await.unwrap().unwrap();
    assert_eq!(dropped.len(), 1);
    drop(dropped);
    assert_eq!(take(&mut due, 1).await, [(id(1), "one".to_owned())]);
    stop.cancel();
    assert!(due.next_batch(&stop).await.is_none());
}

#[tokio::test]
async fn what_is_due_comes_though_the_durable_was_deleted() {
    let Some(server) = Server::start().await else { return };
    let (_, context) = server.ready().await;
    let timers = Timers::open(&context).await.unwrap();
    let mut due = DueConsumer::new(context.clone(), "timeout", "test");
    timers.set(id(1), "timeout", now(), &"one").await.unwrap();
    assert_eq!(take(&mut due, 1).await, [(id(1), "one".to_owned())]);
    context.delete_consumer_from_stream("test", subject::TIMERS).await.unwrap();
    timers.set(id(2), "timeout", soon(100), &"two").await.unwrap();
    // What was seen to comes once more, and what was not does at all.
    let mut again = take(&mut due, 2).await;
    again.sort();
    assert_eq!(again, [(id(1), "one".to_owned()), (id(2), "two".to_owned())]);
}
