//! What the ledger promises when answers are lost.

use std::{collections::VecDeque, sync::Mutex};

use futures::{FutureExt as _, future::BoxFuture};
use kantoku_domain::{Event, NamedType, Timestamp, Type, task, typename::Command};

use super::*;
use crate::{Guard, JetStream, Memory, testing::Server};

/// What happens to an append.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Answered,
    LostBefore,
    LostAfter,
    /// It is known not to be stored.
    Refused,
}

/// A store that loses what the script says, then nothing.
#[derive(Default)]
struct Flaky {
    inner: Memory,
    script: Mutex<VecDeque<Fate>>,
}

impl Flaky {
    fn losing(fates: &[Fate]) -> Arc<Self> {
        let script = Mutex::new(fates.iter().copied().collect());
        Arc::new(Self { inner: Memory::default(), script })
    }
}

impl Store for Flaky {
    fn append(&self, message: Message, guard: Guard) -> BoxFuture<'_, Result<u64, AppendError>> {
        let fate = self.script.lock().unwrap().pop_front().unwrap_or(Fate::Answered);
        async move {
            let subject = message.subject.clone();
            let lost = AppendError::Unknown { subject, cause: "lost".into() };
            match fate {
                Fate::Answered => self.inner.append(message, guard).await,
                Fate::LostBefore => Err(lost),
                Fate::Refused => Err(Fault::unreachable("append", "away").into()),
                Fate::LostAfter => self.inner.append(message, guard).await.and(Err(lost)),
            }
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        subject: &'a str,
        after_seq: u64,
    ) -> BoxFuture<'a, Result<Vec<Raw>, Fault>> {
        self.inner.read(subject, after_seq)
    }
}

fn id(byte: u8) -> Id {
    format!("0193b0de-0000-7000-8000-0000000000{byte:02x}").parse().unwrap()
}

fn envelope(command: u8) -> Envelope {
    Envelope {
        aggregate_id: id(1),
        command_id: id(command),
        at: Timestamp::from_micros(1),
        actor: "test".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id(1),
    }
}

fn apply(description: &str) -> Command {
    Command::Apply {
        name: "page".parse().unwrap(),
        description: description.into(),
        definition: Type::String,
    }
}

fn ledger(store: Arc<dyn Store>) -> Ledger {
    Ledger::new(store, Arc::new(Blobs::in_memory(Blobs::BYTES_MAX)))
}

async fn run(ledger: &Ledger, command: u8, description: &str) -> Result<Outcome, ExecuteError> {
    let namespace = Namespace::default();
    ledger.execute::<NamedType>(&namespace, &apply(description), &envelope(command)).await
}

async fn history(ledger: &Ledger) -> Vec<Recorded> {
    ledger.history(&Namespace::default(), Kind::Type, id(1), 0).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_stores_one_event() {
    use Fate::{Answered, LostAfter, LostBefore};
    for script in [
        &[LostAfter][..],
        &[LostBefore],
        &[LostBefore, LostAfter],
        &[LostBefore, LostBefore, Answered],
    ] {
        let ledger = ledger(Flaky::losing(script));
        let outcome = run(&ledger, 7, "one").await.unwrap();
        assert_eq!(outcome.stream_seq, 1, "{script:?}");
        let history = history(&ledger).await;
        assert_eq!(history.len(), 1, "{script:?}");
        assert_eq!(outcome.event.as_deref(), history.first(), "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_is_unknown_and_the_command_can_be_sent_again() {
    let ledger = ledger(Flaky::losing(&[Fate::LostBefore; TRIES]));
    let error = run(&ledger, 7, "one").await.unwrap_err();
    assert!(matches!(error, ExecuteError::Fault(Fault::Unknown { .. })), "{error}");
    assert_eq!(run(&ledger, 7, "one").await.unwrap().stream_seq, 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_repeated_gets_its_first_event() {
    let ledger = ledger(Arc::new(Memory::default()));
    let first = run(&ledger, 7, "one").await.unwrap();
    run(&ledger, 8, "two").await.unwrap();
    assert_eq!(run(&ledger, 7, "one").await.unwrap(), first);
    let nothing = run(&ledger, 9, "two").await.unwrap();
    assert_eq!(nothing, Outcome { event: None, stream_seq: 2 });
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_race_it_is_decided_again() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let (one, other) = (ledger(Arc::clone(&store)), ledger(store));
    let (a, b) = tokio::join!(run(&one, 7, "one"), run(&other, 8, "two"));
    a.unwrap();
    b.unwrap();
    let versions: Vec<u64> = history(&one).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_guard_is_a_conflict_and_nothing_is_stored() {
    let ledger = ledger(Arc::new(Memory::default()));
    let event = run(&ledger, 7, "one").await.unwrap().event.unwrap().event.clone();
    let draft = Draft::next(&Namespace::default(), id(1), 0, 0, event, &envelope(8));
    let error = ledger.append(draft).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { .. }), "{error}");
    assert_eq!(history(&ledger).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn own_events_are_announced_once_acknowledged() {
    let ledger = ledger(Flaky::losing(&[Fate::LostAfter]));
    let mut own = ledger.own_events();
    let outcome = run(&ledger, 7, "one").await.unwrap();
    assert_eq!(Some(own.try_recv().unwrap()), outcome.event);
    assert!(own.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_may_be_stored_is_never_reported_as_refused() {
    use Fate::{Answered, LostAfter, LostBefore, Refused};
    let refused = run(&ledger(Flaky::losing(&[Refused])), 7, "one").await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Fault(Fault::Unreachable { .. })), "{refused}");

    for script in [&[LostBefore, Refused, Answered][..], &[LostAfter, Refused, Refused]] {
        let ledger = ledger(Flaky::losing(script));
        assert_eq!(run(&ledger, 7, "one").await.unwrap().stream_seq, 1, "{script:?}");
        assert_eq!(history(&ledger).await.len(), 1, "{script:?}");
    }
    // A late copy of the first try may still be stored.
    let mut script = vec![LostBefore];
    script.extend([Refused; TRIES]);
    let unknown = run(&ledger(Flaky::losing(&script)), 7, "one").await.unwrap_err();
    assert!(matches!(unknown, ExecuteError::Fault(Fault::Unknown { .. })), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_another_subject_guards_is_looked_for_as_well() {
    use Fate::{Answered, LostAfter, LostBefore};
    for script in [&[LostAfter][..], &[LostBefore, LostAfter], &[LostBefore, Answered]] {
        let ledger = ledger(Flaky::losing(script));
        let announced = ledger.append(ready(0)).await.unwrap();
        let stored = ledger.store.read(&announced.subject, 0).await.unwrap();
        assert_eq!(stored.len(), 1, "{script:?}");
        assert_eq!(ledger.decode(stored[0].clone()).await.unwrap(), *announced, "{script:?}");
    }
    // The task went on meanwhile: no late copy can be stored.
    let store = Flaky::losing(&[LostBefore]);
    let ledger = ledger(Arc::clone(&store) as Arc<dyn Store>);
    let task = subject::event(&Namespace::default(), Kind::Task, id(1));
    let message = Message { subject: task.clone(), event_type: "TaskPaused", payload: "{}".into() };
    store.inner.append(message, Guard { subject: task, last_seq: 0 }).await.unwrap();
    let error = ledger.append(ready(0)).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { .. }), "{error}");
}

/// A ready event at `guard` of task 1.
fn ready(guard: u64) -> Draft {
    let ready = task::Ready { task_id: id(1), attempt: 1, guard, round: 0, inputs: [].into() };
    Draft::ready(&Namespace::default(), "gpu", 0, 1, ready, &envelope(9))
}

async fn full_circle(ledger: &Ledger) {
    let large = "x".repeat(100_000);
    let outcome = run(ledger, 7, &large).await.unwrap();
    let history = history(ledger).await;
    assert_eq!(outcome.event.as_deref(), history.first());
    let loaded = ledger.load::<NamedType>(&Namespace::default(), id(1)).await.unwrap();
    assert_eq!((loaded.version, loaded.stream_seq), (1, outcome.stream_seq));
    assert_eq!(loaded.state.latest.unwrap().description, large);

    let announced = ledger.append(ready(0)).await.unwrap();
    assert_eq!((announced.id, announced.aggregate), (id(1), Kind::Task));
    assert!(matches!(announced.event, Event::TaskReady(_)));
    let raw = ledger.store.read(&announced.subject, 0).await.unwrap().remove(0);
    assert_eq!(ledger.decode(raw).await.unwrap(), *announced);
    let stale = ledger.append(ready(3)).await.unwrap_err();
    assert!(matches!(stale, AppendError::Conflict { .. }), "{stale}");
}

#[tokio::test]
async fn large_and_ready_events_come_back_as_they_were_stored() {
    full_circle(&ledger(Arc::new(Memory::default()))).await;

    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    let objects = context.get_object_store(subject::BLOBS).await.unwrap();
    let store = JetStream::open(client, &context).await.unwrap();
    let blobs = Blobs::over(objects, Blobs::BYTES_MAX);
    full_circle(&Ledger::new(Arc::new(store), Arc::new(blobs))).await;
}

#[tokio::test]
async fn what_is_no_event_is_malformed() {
    let ledger = ledger(Arc::new(Memory::default()));
    let subject = subject::event(&Namespace::default(), Kind::Type, id(1));
    let raw = |event_type: Option<&str>, payload: &'static str| Raw {
        stream_seq: 4,
        subject: subject.clone(),
        event_type: event_type.map(str::to_owned),
        payload: payload.into(),
    };
    for raw in [raw(Some("TypeApplied"), "{"), raw(None, "{\"version\":1}")] {
        let error = ledger.decode(raw).await.unwrap_err();
        assert!(matches!(&error, Fault::Malformed(what) if what.stream_seq == 4), "{error}");
    }
}
