//! What a durable consumer promises, on a real server.

use async_nats::HeaderMap;
use kantoku_domain::{Kind, Namespace};

use super::*;
use crate::{
    Blobs, JetStream, dead, subject,
    testing::{Server, apply_type, id},
};

const DEADLINE: Duration = Duration::from_secs(20);

struct Stand {
    context: Context,
    ledger: Ledger,
    server: Server,
}

async fn stand(events: u64) -> Option<Stand> {
    let server = Server::start().await?;
    let (client, context) = server.ready().await;
    let store = JetStream::open(client, &context).await.unwrap();
    let blobs = Blobs::in_memory(Blobs::BYTES_MAX);
    let ledger = Ledger::new(Arc::new(store), Arc::new(blobs));
    for version in 1..=events {
        apply_type(&ledger, version).await.unwrap();
    }
    Some(Stand { context, ledger, server })
}

fn consumer(stand: &Stand, from_seq: u64) -> Consumer {
    let config =
        ConsumerConfig { name: "test".into(), filters: Vec::new(), from_seq, batch_max: 10 };
    Consumer::new(stand.context.clone(), stand.ledger.clone(), config)
}

/// The next `count` deliveries.
async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let stop = CancellationToken::new();
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = tokio::time::timeout(DEADLINE, consumer.next_batch(&stop)).await.unwrap();
        taken.extend(batch.unwrap().unwrap());
    }
    assert_eq!(taken.len(), count);
    taken
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.recorded().stream_seq).collect()
}

#[tokio::test]
async fn what_is_dropped_comes_again_and_what_is_acknowledged_does_not() {
    let Some(stand) = stand(3).await else { return };
    let mut consumer = consumer(&stand, 1);
    let mut deliveries = take(&mut consumer, 3).await;
    assert_eq!(positions(&deliveries), [1, 2, 3]);
    deliveries.remove(1).ack().await.unwrap();
    drop(deliveries);
    let mut again = positions(&take(&mut consumer, 2).await);
    again.sort_unstable();
    assert_eq!(again, [1, 3]);
}

#[tokio::test]
async fn a_durable_that_was_deleted_is_made_again_at_the_lowest_open_position() {
    let Some(stand) = stand(3).await else { return };
    let mut consumer = consumer(&stand, 1);
    let mut deliveries = take(&mut consumer, 3).await;
    deliveries.remove(0).ack().await.unwrap();
    stand.context.delete_consumer_from_stream("test", subject::EVENTS).await.unwrap();
    assert_eq!(positions(&take(&mut consumer, 2).await), [2, 3]);
}

#[tokio::test]
async fn at_start_it_is_reset_to_where_its_handlers_are() {
    let Some(stand) = stand(4).await else { return };
    for delivery in take(&mut consumer(&stand, 1), 4).await {
        delivery.ack().await.unwrap();
    }
    assert_eq!(positions(&take(&mut consumer(&stand, 3), 2).await), [3, 4]);
}

#[tokio::test]
async fn what_is_no_event_goes_to_the_dead_letters_with_the_reason() {
    let Some(stand) = stand(1).await else { return };
    let subject = subject::event(&Namespace::default(), Kind::Type, id(2));
    let mut headers = HeaderMap::new();
    headers.insert(subject::TYPE_HEADER, "TypeApplied");
    let garbage = "{".into();
    stand
        .context
        .publish_with_headers(subject.clone(), headers, garbage)
        .await
        .unwrap()
        .await
        .unwrap();
    apply_type(&stand.ledger, 2).await.unwrap();

    let mut consumer = consumer(&stand, 1);
    let mut deliveries = take(&mut consumer, 2).await;
    assert_eq!(positions(&deliveries), [1, 3]);
    deliveries.remove(0).bury("a handler\ncannot").await.unwrap();

    let dead = stand.context.get_stream(subject::DEAD).await.unwrap();
    let letter = dead.get_raw_message(1).await.unwrap();
    assert_eq!(letter.subject.as_str(), "dead.test");
    assert_eq!(letter.payload, "{");
    assert_eq!(letter.headers.get(dead::SUBJECT_HEADER).unwrap().as_str(), subject);
    assert_eq!(letter.headers.get(dead::STREAM_SEQ_HEADER).unwrap().as_str(), "2");
    let reason = letter.headers.get(dead::REASON_HEADER).unwrap().as_str();
    assert!(reason.contains("cannot be read as an event"), "{reason}");
    let buried = dead.get_raw_message(2).await.unwrap();
    assert_eq!(buried.headers.get(dead::REASON_HEADER).unwrap().as_str(), "a handler cannot");
}

#[tokio::test]
async fn what_was_lost_on_its_way_does_not_come_behind_what_follows_it() {
    const EVENTS: u64 = 300;
    let Some(mut stand) = stand(EVENTS).await else { return };
    let mut consumer = consumer(&stand, 1);
    let stop = CancellationToken::new();
    let mut newest = 0;
    while newest < EVENTS {
        let batch = tokio::time::timeout(DEADLINE, consumer.next_batch(&stop)).await.unwrap();
        for delivery in batch.unwrap().unwrap() {
            let position = delivery.recorded().stream_seq;
            assert!(position <= newest + 1, "{position} after {newest}");
            newest = newest.max(position);
            // What was delivered and what the server knows of it are parted by the crash.
            if position % 70 == 0 {
                stand.server = stand.server.kill().await.start_again().await;
            }
            delivery.ack().await.ok();
        }
    }
}

#[tokio::test]
async fn nothing_goes_to_the_run_before_this_one() {
    let Some(stand) = stand(4).await else { return };
    // It hangs, with deliveries in hand and more asked for.
    let mut old = consumer(&stand, 1);
    let in_hand = take(&mut old, 4).await;
    let mut new = consumer(&stand, 1);
    let first = take(&mut new, 4).await;
    assert_eq!(positions(&first), [1, 2, 3, 4]);
    for delivery in in_hand {
        delivery.ack().await.unwrap();
    }
    for version in 5..=40 {
        apply_type(&stand.ledger, version).await.unwrap();
    }
    let taken = positions(&take(&mut new, 36).await);
    assert_eq!(taken, (5..=40).collect::<Vec<u64>>());
}

/// Takes and acknowledges events up to `last`.
async fn digest(consumer: &mut Consumer, last: u64) {
    let stop = CancellationToken::new();
    let mut position = 0;
    while position < last {
        let batch = tokio::time::timeout(DEADLINE, consumer.next_batch(&stop)).await.unwrap();
        for delivery in batch.unwrap().unwrap() {
            position = position.max(delivery.recorded().stream_seq);
            delivery.ack().await.ok();
        }
    }
}

#[tokio::test]
async fn an_older_store_in_the_place_of_the_one_that_was_read_is_noticed() {
    for events_since in [0, 5] {
        let Some(mut stand) = stand(3).await else { return };
        let killed = stand.server.kill().await;
        let kept = killed.keep();
        stand.server = killed.start_again().await;
        for version in 4..=6 {
            apply_type(&stand.ledger, version).await.unwrap();
        }
        let mut consumer = consumer(&stand, 1);
        digest(&mut consumer, 6).await;

        let killed = stand.server.kill().await;
        killed.put_back(&kept);
        stand.server = killed.start_again().await;
        for version in 0..events_since {
            apply_type(&stand.ledger, 10 + version).await.unwrap();
        }
        let stop = CancellationToken::new();
        let next = tokio::time::timeout(DEADLINE, consumer.next_batch(&stop)).await.unwrap();
        let went_back = next.err().unwrap();
        assert_eq!(went_back.stream_seq, 6);
        let how = if events_since == 0 { "it ends at 3" } else { "was there, and now" };
        assert!(went_back.what.contains(how), "{went_back}");
    }
}

#[tokio::test]
async fn a_server_that_comes_back_as_it_was_is_no_matter() {
    let Some(mut stand) = stand(3).await else { return };
    let mut consumer = consumer(&stand, 1);
    digest(&mut consumer, 3).await;
    stand.server = stand.server.kill().await.start_again().await;
    apply_type(&stand.ledger, 4).await.unwrap();
    digest(&mut consumer, 4).await;
}

#[tokio::test]
async fn it_ends_when_told_to() {
    let Some(stand) = stand(0).await else { return };
    let stop = CancellationToken::new();
    let mut consumer = consumer(&stand, 1);
    let (batch, ()) = tokio::join!(consumer.next_batch(&stop), async { stop.cancel() });
    assert!(batch.unwrap().is_none());
}
