//! What a queue promises, on a real server.

use async_nats::jetstream;

use super::*;
use crate::{
    Blobs, JetStream, subject,
    testing::{Server, apply_type},
};

/// A request that a durable took with it when it went is made again after 35 s; an event that was lost
/// with a connection comes again once [`ACK_WAIT`] is over.
const DEADLINE: Duration = Duration::from_secs(60);
const ACK_WAIT: Duration = Duration::from_secs(20);

async fn ledger(client: &Client, context: &Context) -> Ledger {
    let store = JetStream::open(client.clone(), context).await.unwrap();
    Ledger::new(Arc::new(store), Arc::new(Blobs::in_memory(Blobs::BYTES_MAX)))
}

async fn append(ledger: &Ledger, versions: std::ops::RangeInclusive<u64>) {
    for version in versions {
        apply_type(ledger, version).await.unwrap();
    }
}

/// A service that shares the queue, on a connection of its own.
async fn service(server: &Server, room: usize) -> (Queue, watch::Sender<usize>) {
    let (client, _) = server.connect().await;
    let context = jetstream::new(client.clone());
    let ledger = ledger(&client, &context).await;
    let config = QueueConfig {
        name: "shared".into(),
        filters: Vec::new(),
        in_flight_max: 100,
        ack_wait: ACK_WAIT,
    };
    let (sender, receiver) = watch::channel(room);
    (Queue::new(client, context, ledger, config, receiver), sender)
}

/// Takes `count` events into the room that there is.
async fn take(queue: &mut Queue, room: &watch::Sender<usize>, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(DEADLINE, queue.next()).await;
        taken.push(next.expect("delivered in time").expect("open"));
        room.send_modify(|room| *room -= 1);
    }
    taken
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.recorded().stream_seq).collect()
}

#[tokio::test]
async fn nobody_holds_what_it_has_no_room_for() {
    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    append(&ledger(&client, &context).await, 1..=5).await;

    let (mut one, room_of_one) = service(&server, 2).await;
    let of_one = take(&mut one, &room_of_one, 2).await;
    let (mut other, room) = service(&server, 1).await;
    let mut of_other = take(&mut other, &room, 1).await;
    room.send_replace(2);
    of_other.extend(take(&mut other, &room, 2).await);
    assert_eq!((positions(&of_one), positions(&of_other)), (vec![1, 2], vec![3, 4, 5]));

    // What is given back comes to whoever has room.
    drop(of_one);
    room.send_replace(2);
    let mut again = positions(&take(&mut other, &room, 2).await);
    again.sort_unstable();
    assert_eq!(again, [1, 2]);
}

#[tokio::test]
async fn what_came_and_was_not_taken_is_handed_back_at_the_end() {
    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    append(&ledger(&client, &context).await, 1..=3).await;

    let (mut one, room) = service(&server, 3).await;
    let first = take(&mut one, &room, 1).await;
    let mut durable: PullConsumer =
        context.get_consumer_from_stream("shared", subject::EVENTS).await.unwrap();
    while durable.info().await.unwrap().num_ack_pending < 3 {
        tokio::task::yield_now().await;
    }
    drop(room);
    assert!(one.next().await.is_none(), "closed");
    let (mut other, room) = service(&server, 2).await;
    let mut rest = positions(&take(&mut other, &room, 2).await);
    rest.sort_unstable();
    assert_eq!((positions(&first), rest), (vec![1], vec![2, 3]));
}

#[tokio::test]
async fn it_survives_the_loss_of_its_durable_and_of_the_server() {
    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    append(&ledger(&client, &context).await, 1..=1).await;
    let (mut queue, room) = service(&server, 1).await;
    for delivery in take(&mut queue, &room, 1).await {
        delivery.ack().await.unwrap();
    }
    room.send_replace(1);
    context.delete_consumer_from_stream("shared", subject::EVENTS).await.unwrap();
    // Where others were is not known: it starts again at the first position.
    assert_eq!(positions(&take(&mut queue, &room, 1).await), [1]);

    room.send_replace(3);
    let server = server.kill().await.start_again().await;
    let (client, context) = server.connect().await;
    append(&ledger(&client, &context).await, 2..=3).await;
    let mut taken = take(&mut queue, &room, 2).await;
    // The first comes again if its return was lost with the server.
    if positions(&taken).contains(&1) {
        taken.extend(take(&mut queue, &room, 1).await);
    }
    let taken = positions(&taken);
    assert!(taken.contains(&2) && taken.contains(&3), "{taken:?}");
}

#[tokio::test]
async fn an_older_store_in_the_place_of_the_one_that_was_read_is_another_generation() {
    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    let ledger = ledger(&client, &context).await;
    append(&ledger, 1..=2).await;
    let killed = server.kill().await;
    let kept = killed.keep();
    let server = killed.start_again().await;
    append(&ledger, 3..=4).await;
    let (mut queue, room) = service(&server, 100).await;
    for delivery in take(&mut queue, &room, 4).await {
        delivery.ack().await.unwrap();
    }
    assert_eq!(queue.generation(), 0);
    let killed = server.kill().await;
    killed.put_back(&kept);
    let server = killed.start_again().await;
    let other = self::ledger(&server.connect().await.0, &server.connect().await.1).await;
    append(&other, 13..=14).await;
    // Its durable is gone with what it had read.
    let taken = take(&mut queue, &room, 4).await;
    assert_eq!((positions(&taken), queue.generation()), (vec![1, 2, 3, 4], 1));
}
