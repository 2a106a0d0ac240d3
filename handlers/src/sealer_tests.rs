//! Sealers on a real nats-server.

use kantoku_domain::Timestamp;
use kantoku_streams::Begun;
use tokio::{task::JoinHandle, time::timeout};

use super::*;
use crate::testing::{DEADLINE, Scene, Server};

/// A sealer that runs, with a connection of its own.
struct Running {
    stop: CancellationToken,
    health: Health,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(server: &Server) -> Self {
        let (bus, stop, health) = (server.bus().await, CancellationToken::new(), Health::default());
        let (until, told) = (stop.clone(), health.clone());
        let task = tokio::spawn(async move { seal(&bus, &told, &until).await });
        Self { stop, health, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("it ends").expect("no panic");
    }
}

/// Waits for what comes.
async fn until<T>(mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("within the deadline")
}

/// The seal of all that there is.
async fn sealed(bus: &Bus) -> StoredSeal {
    until(async || {
        let head = bus.head().await.expect("the stream answers");
        let last = bus.seals().latest().await.expect("the seals answer");
        last.filter(|last| last.seal.stream_seq == head)
    })
    .await
}

/// Every seal is of what the chain was at its position, and each of more than the one before it.
async fn assert_one_chain(bus: &Bus) -> usize {
    let mut seals = bus.seals().page(0).await.expect("the seals answer").into_iter();
    let (mut events, mut chain, mut checked) = (0, Chain::START, 0);
    let mut next = seals.next();
    let mut replay = bus.replay(1).await.expect("the stream answers");
    while let Some(page) = replay.next_documents().await.expect("a page") {
        for document in page {
            let document = document.expect("an event");
            events += 1;
            chain = chain.next(document.line.as_str());
            if let Some(StoredSeal { seal, .. }) = &next
                && seal.stream_seq == document.stream_seq
            {
                let found = (seal.event_id, seal.events, seal.chain);
                assert_eq!(found, (document.event_id, events, chain));
                (next, checked) = (seals.next(), checked + 1);
            }
        }
    }
    assert_eq!(next, None, "a seal of what the stream does not hold");
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_goes_on_where_another_was_killed() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let scene = Scene::of(bus.ledger().clone()).await;
    let first = Running::start(&server).await;
    let before = sealed(&bus).await;
    assert_eq!((before.seal.events, first.health.missing().len()), (before.seal.stream_seq, 0));
    first.task.abort();

    scene.fail_some().await;
    let second = Running::start(&server).await;
    let after = sealed(&bus).await;
    assert!(after.seal.events > before.seal.events, "{after:?}");
    second.stop().await;
    assert!(assert_one_chain(&bus).await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sealers_make_one_chain() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    let mut sealers = Vec::new();
    for _ in 0..3 {
        sealers.push(Running::start(&server).await);
    }
    let scene = Scene::of(bus.ledger().clone()).await;
    sealed(&bus).await;
    scene.fail_some().await;
    sealed(&bus).await;
    for sealer in sealers {
        sealer.stop().await;
    }
    assert!(assert_one_chain(&bus).await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_the_one_that_was_sealed_halts_it_until_somebody_has_looked() {
    let Some(server) = Server::start().await else { return };
    let bus = server.bus().await;
    Scene::of(bus.ledger().clone()).await;
    let (created, at) = (bus.created().await.expect("the stream answers"), now());
    let first = Seal::first(created, at);
    let another = Seal { stream_seq: 1, events: 1, ..first.clone() };
    let longer = Seal { stream_seq: 1_000, events: 1_000, ..first.clone() };
    let older = Seal { stream_created: Timestamp::from_micros(1), ..first.clone() };
    let mut position = 0;
    for (seal, what) in
        [(another, "position 1 of"), (longer, "ends at position"), (older, "was created at")]
    {
        position = bus.seals().append(&seal, position).await.expect("stored");
        let sealer = Running::start(&server).await;
        let said = until(async || sealer.health.missing().remove(PART)).await;
        assert!(said.contains(what) && said.contains("ktk events reseal"), "{said}");
        let last = bus.seals().latest().await.expect("the seals answer").expect("a seal");
        assert_eq!(last.position, position, "nothing is sealed meanwhile");

        let begun = Some(Begun { by: "anna".into(), reason: "restored".into() });
        let anew = Seal { begun, ..first.clone() };
        bus.seals().append(&anew, position).await.expect("stored");
        let last = sealed(&bus).await;
        until(async || sealer.health.missing().is_empty().then_some(())).await;
        assert_eq!(last.seal.events, last.seal.stream_seq);
        sealer.stop().await;
        position = bus.seals().latest().await.expect("the seals answer").expect("a seal").position;
    }
}
