//! What the ledger remembers saves round trips, and never makes it say what is no longer so.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use futures::future::BoxFuture;
use kantoku_domain::{
    NamedType, Reason, Task, Timestamp, Type,
    task::{self, Received, Spawned, Status, Success},
    typename,
};

use super::*;
use crate::{Bus, Guard, Memory, Settings, testing::Server};

/// Counts what it is asked, and can be exchanged for another under the ledgers on it.
#[derive(Default)]
struct Counting {
    inner: Mutex<Arc<Memory>>,
    reads: AtomicUsize,
    appends: AtomicUsize,
    epoch: AtomicU64,
}

impl Counting {
    fn inner(&self) -> Arc<Memory> {
        Arc::clone(&self.inner.lock().unwrap())
    }

    /// Another stream, without anything.
    fn exchange(&self) {
        *self.inner.lock().unwrap() = Arc::default();
    }

    /// Reads and appends since the last call.
    fn asked(&self) -> (usize, usize) {
        (self.reads.swap(0, Ordering::Relaxed), self.appends.swap(0, Ordering::Relaxed))
    }
}

impl Store for Counting {
    fn append(&self, message: Message, guard: Guard) -> BoxFuture<'_, Result<u64, AppendError>> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { self.inner().append(message, guard).await })
    }

    fn read<'a>(
        &'a self,
        subject: &'a str,
        after_seq: u64,
    ) -> BoxFuture<'a, Result<Vec<Raw>, Fault>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { self.inner().read(subject, after_seq).await })
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }
}

fn id(number: u64) -> Id {
    format!("0193b0de-0000-7000-8000-{number:010x}2a").parse().unwrap()
}

fn envelope(aggregate: u64, command: u64) -> Envelope {
    Envelope {
        aggregate_id: id(aggregate),
        command_id: id(command),
        at: Timestamp::from_micros(1),
        actor: "test".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id(0),
    }
}

/// Two ledgers that know nothing of each other, on one store.
fn two() -> (Arc<Counting>, Ledger, Ledger) {
    let store = Arc::new(Counting::default());
    let blobs = Arc::new(Blobs::in_memory(Blobs::BYTES_MAX));
    let ledger = || Ledger::new(Arc::<Counting>::clone(&store), Arc::clone(&blobs));
    let (one, other) = (ledger(), ledger());
    (store, one, other)
}

async fn apply(ledger: &Ledger, command: u64, description: &str) -> Outcome {
    let apply = typename::Command::Apply {
        name: "page".parse().unwrap(),
        description: description.into(),
        definition: Type::String,
    };
    let namespace = Namespace::default();
    ledger.execute::<NamedType>(&namespace, &apply, &envelope(1, command)).await.unwrap()
}

async fn recent(ledger: &Ledger) -> Loaded<NamedType> {
    ledger.load_recent(&Namespace::default(), id(1)).await.unwrap()
}

async fn order(
    ledger: &Ledger,
    task: u64,
    command: task::Command,
) -> Result<Outcome, ExecuteError> {
    // As an executor derives it: the same command has the same id.
    let number = match command {
        task::Command::Spawn(_) => 1,
        task::Command::Receive(_) => 2,
        task::Command::Finish { .. } => 3,
        _ => 4,
    };
    let envelope = envelope(task, 100 * task + number);
    ledger.execute::<Task>(&Namespace::default(), &command, &envelope).await
}

fn spawn() -> task::Command {
    let spawned: Spawned = serde_json::from_value(serde_json::json!({
        "specification": { "name": "a", "version": 1, "digest": "sha256:0" },
        "inputs": {}, "outputs": {}, "context_id": id(0), "queue": "default",
        "labels": {}, "retry": {}, "timeouts": {},
    }))
    .unwrap();
    task::Command::Spawn(Box::new(spawned))
}

fn receive() -> task::Command {
    let (node, boot_id) = ("node".into(), id(9));
    task::Command::Receive(Received { attempt: 1, node, boot_id, ready_seq: 2, round: 0 })
}

fn finish() -> task::Command {
    task::Command::Finish { attempt: 1, success: Box::new(Success::default()) }
}

fn rejected(answer: Result<Outcome, ExecuteError>) -> Reason {
    match answer {
        Err(ExecuteError::Rejected(rejection)) => rejection.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_this_process_appended_is_appended_to_without_reading() {
    let (store, ledger, _) = two();
    order(&ledger, 1, spawn()).await.unwrap();
    assert_eq!(store.asked(), (1, 1));
    order(&ledger, 1, receive()).await.unwrap();
    let finished = order(&ledger, 1, finish()).await.unwrap();
    assert_eq!(store.asked(), (0, 2), "a round trip per event");

    let loaded = ledger.load_recent::<Task>(&Namespace::default(), id(1)).await.unwrap();
    assert_eq!((loaded.state.status, loaded.version), (Status::Finished, 3));
    assert_eq!(ledger.known_event(finished.stream_seq), finished.event);
    assert_eq!(ledger.known_event(finished.stream_seq + 1), None);
    assert_eq!(store.asked(), (0, 0));
}

#[tokio::test]
async fn a_rejection_is_never_given_on_what_is_remembered() {
    let (_, one, stale) = two();
    order(&one, 1, spawn()).await.unwrap();
    let loaded = stale.load::<Task>(&Namespace::default(), id(1)).await.unwrap();
    assert_eq!(loaded.version, 1);
    order(&one, 1, receive()).await.unwrap();
    // To the stale ledger nobody has claimed the attempt, which would be a rejection.
    order(&stale, 1, finish()).await.unwrap();
    // To the other nobody has finished it: its event meets a guard.
    let cancel = task::Command::Cancel(task::Cancel::because("no need"));
    assert_eq!(rejected(order(&one, 1, cancel).await), Reason::Terminal);
}

#[tokio::test]
async fn that_there_is_nothing_to_do_is_never_said_on_what_is_remembered() {
    let (_, one, stale) = two();
    apply(&one, 7, "one").await;
    assert_eq!(recent(&stale).await.version, 1);
    apply(&one, 8, "two").await;
    assert_eq!(recent(&stale).await.version, 1, "it is stale");
    let again = apply(&stale, 9, "one").await;
    assert_eq!(again.event.unwrap().version, 3);
}

#[tokio::test]
async fn a_stale_ledger_gets_the_event_of_a_repeated_command() {
    let (store, one, stale) = two();
    apply(&one, 7, "one").await;
    recent(&stale).await;
    let second = apply(&one, 8, "two").await;
    store.asked();
    assert_eq!(apply(&stale, 8, "two").await, second);
    assert_eq!(recent(&stale).await.version, 2, "and has caught up");
}

#[tokio::test]
async fn on_another_stream_nothing_that_is_remembered_counts() {
    for description in ["one", "two"] {
        let (store, ledger, _) = two();
        apply(&ledger, 6, "zero").await;
        apply(&ledger, 7, "one").await;
        store.exchange();
        // Decided on what is remembered, "one" would be nothing to do, and "two" the third version.
        let outcome = apply(&ledger, 8, description).await;
        assert_eq!(outcome.event.unwrap().version, 1);
        assert_eq!(recent(&ledger).await.version, 1);
    }
    let (store, ledger, _) = two();
    apply(&ledger, 7, "one").await;
    store.exchange();
    let loaded = ledger.load::<NamedType>(&Namespace::default(), id(1)).await.unwrap();
    assert_eq!(loaded, Loaded::default());
    assert_eq!(recent(&ledger).await, Loaded::default());
}

#[tokio::test]
async fn a_new_epoch_forgets() {
    let (store, ledger, _) = two();
    let outcome = apply(&ledger, 7, "one").await;
    recent(&ledger).await;
    store.epoch.fetch_add(1, Ordering::Relaxed);
    store.asked();
    assert_eq!(ledger.known_event(outcome.stream_seq), None);
    assert_eq!((recent(&ledger).await.version, store.asked()), (1, (1, 0)));
}

#[tokio::test]
async fn large_events_are_not_remembered() {
    let (store, ledger, _) = two();
    let outcome = apply(&ledger, 7, &"x".repeat(100_000)).await;
    store.asked();
    assert_eq!((recent(&ledger).await.version, store.asked()), (1, (1, 0)));
    assert_eq!((recent(&ledger).await.version, store.asked()), (1, (1, 0)));
    assert_eq!(ledger.known_event(outcome.stream_seq), None);
    // A history that becomes large is forgotten as a whole.
    apply(&ledger, 8, "small").await;
    assert_eq!((recent(&ledger).await.version, store.asked()), (2, (2, 1)));
}

#[tokio::test]
async fn many_aggregates_at_once_are_all_decided_rightly() {
    let (_, one, other) = two();
    let race = |ledger: Ledger| async move {
        let mut won = 0;
        for task in 1..50 {
            order(&ledger, task, spawn()).await.unwrap();
            won += usize::from(order(&ledger, task, receive()).await.unwrap().event.is_some());
            order(&ledger, task, finish()).await.unwrap();
            tokio::task::yield_now().await;
        }
        won
    };
    let (a, b) = tokio::join!(race(one.clone()), race(other));
    assert_eq!((a, b), (49, 49), "the same commands: both get the same events");
    for task in 1..50 {
        let history = one.history(&Namespace::default(), Kind::Task, id(task), 0).await.unwrap();
        let versions: Vec<u64> = history.iter().map(|event| event.version).collect();
        assert_eq!(versions, [1, 2, 3]);
    }
}

#[tokio::test]
async fn on_a_real_server_a_purge_and_a_crash_are_noticed() {
    let Some(server) = Server::start().await else { return };
    let deadline = Duration::from_secs(20);
    let bus = Bus::open(server.url(), "test", deadline, &Settings::default()).await.unwrap();
    let ledger = bus.ledger();
    let first = apply(ledger, 7, "one").await;
    assert_eq!(bus.event_at(first.stream_seq).await.ok(), first.event);

    let subject = &first.event.as_ref().unwrap().subject;
    let (_, context) = server.connect().await;
    let stream = context.get_stream(subject::EVENTS).await.unwrap();
    assert_eq!((bus.head().await.unwrap(), bus.last_position().await.unwrap()), (1, 1));
    stream.purge().filter(subject).await.unwrap();
    assert_eq!((bus.head().await.unwrap(), bus.last_position().await.unwrap()), (1, 0));
    let again = apply(ledger, 8, "one").await.event.unwrap();
    assert_eq!((again.version, again.stream_seq), (1, 2));

    let _server = server.kill().await.start_again().await;
    let start = Instant::now();
    while ledger.known_event(again.stream_seq).is_some() {
        assert!(start.elapsed() < deadline, "the crash went unnoticed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bus.event_at(again.stream_seq).await.unwrap(), again);
    assert_eq!(ledger.known_event(again.stream_seq), Some(again));
}
