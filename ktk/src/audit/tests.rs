//! A sound history, and what is found when somebody has been at it.

use std::sync::Arc;

use kantoku_api::contract::Finding;
use kantoku_domain::{
    Binding, Datum, Namespace, Partition, RetryPolicy, Source, Timeouts, Timestamp, Type, policy,
    resource,
    restart::OutputPolicy,
    specification,
    task::{Child, Command, Failure, Output, Ready, Received, Restart, Spawned, Success},
};
use kantoku_streams::{Blobs, Chain, Draft, Ledger, Line, Memory, Seal};
use serde_json::{Value, json};

use super::*;

fn id(key: &str) -> Id {
    Id::default().derive(key, Partition::of(1))
}

fn envelope_of(aggregate_id: Id, key: &str) -> Envelope {
    Envelope {
        aggregate_id,
        command_id: id(key),
        at: Timestamp::from_micros(1_000_000),
        actor: "anna".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id("context"),
    }
}

/// Tasks and what else there is, as a real ledger records them.
struct Story {
    ledger: Ledger,
    events: Vec<Recorded>,
    commands: usize,
}

impl Story {
    fn new() -> Self {
        let blobs = Arc::new(Blobs::in_memory(Blobs::BYTES_MAX));
        Self {
            ledger: Ledger::new(Arc::new(Memory::default()), blobs),
            events: Vec::new(),
            commands: 0,
        }
    }

    async fn tell<A: Aggregate>(&mut self, aggregate: &str, command: A::Command) {
        self.commands += 1;
        let envelope = envelope_of(id(aggregate), &format!("command {}", self.commands));
        let namespace = Namespace::default();
        let done = self.ledger.execute::<A>(&namespace, &command, &envelope).await.unwrap();
        let event = done.event.unwrap_or_else(|| panic!("nothing happens to {aggregate}"));
        self.events.push(Arc::unwrap_or_clone(event));
    }

    async fn task(&mut self, task: &str, command: Command) {
        self.tell::<Task>(task, command).await;
    }

    async fn spawn(&mut self, task: &str, reads: &[&str], attempts: u32) {
        let input = |read: &&str| {
            let (source, type_) =
                (Source::Resource(id(read).derive("out", Partition::of(1))), Type::Number);
            ((*read).to_owned(), Binding { source, type_, map: None, names: vec![] })
        };
        let retry = json!({ "attempts": attempts, "backoff": "0s" });
        let spawned = Spawned {
            step: None,
            specification: template().specification,
            inputs: reads.iter().map(input).collect(),
            outputs: [("out".to_owned(), output(task))].into(),
            depends_on: None,
            when: None,
            context_id: id("context"),
            parent_id: None,
            restart_root: None,
            restart_parent: None,
            queue: "default".into(),
            shard_key: None,
            priority: 0,
            labels: [].into(),
            retry: serde_json::from_value::<RetryPolicy>(retry).unwrap(),
            timeouts: Timeouts::default(),
        };
        self.task(task, Command::Spawn(Box::new(spawned))).await;
    }

    /// Announced and claimed.
    async fn claim(&mut self, task: &str, attempt: u32) {
        let namespace = Namespace::default();
        let loaded = self.ledger.load::<Task>(&namespace, id(task)).await.unwrap();
        let (guard, round) = (loaded.stream_seq, loaded.state.round);
        let ready = Ready { task_id: id(task), attempt, guard, round, inputs: [].into() };
        self.commands += 1;
        let envelope = envelope_of(id(task), &format!("command {}", self.commands));
        let draft = Draft::ready(&namespace, "default", 0, loaded.version, ready, &envelope);
        let announced = self.ledger.append(draft).await.unwrap();
        let ready_seq = announced.stream_seq;
        self.events.push(Arc::unwrap_or_clone(announced));
        let (node, boot_id) = ("node".to_owned(), id("boot"));
        self.task(task, Command::Receive(Received { attempt, node, boot_id, ready_seq, round }))
            .await;
    }

    async fn finish(&mut self, task: &str, attempt: u32) {
        let outputs = [("out".to_owned(), Datum::Value(json!(1)))].into();
        let success = Box::new(Success { outputs, ..Success::default() });
        self.task(task, Command::Finish { attempt, success }).await;
    }

    async fn fail(&mut self, task: &str, attempt: u32) {
        let error = Failure::new("exit", "exit code 1", true);
        self.task(task, Command::Fail { attempt, error }).await;
    }
}

fn output(task: &str) -> Output {
    Output { id: id(task).derive("out", Partition::of(1)), type_: Type::Number }
}

fn definition() -> specification::Definition {
    let definition = json!({ "outputs": { "out": "number" }, "executable": { "type": "noop" } });
    serde_json::from_value(definition).unwrap()
}

fn template() -> kantoku_domain::task::Template {
    let applied = specification::Applied {
        name: "a".parse().unwrap(),
        version: 1,
        digest: String::new(),
        source: None,
        definition: definition(),
    };
    applied.template([].into())
}

/// One of everything: retries, children, delegation, a restart, a pause, a resource, definitions.
async fn story() -> Vec<Recorded> {
    let mut story = Story::new();
    let (name, definition) = ("a".parse().unwrap(), Box::new(definition()));
    let command = specification::Command::Apply { name, source: None, definition };
    story.tell::<Specification>("specification", command).await;
    let (name, definition) = ("p".parse().unwrap(), Box::new(policy::Definition::default()));
    story.tell::<Policy>("policy", policy::Command::Apply { name, definition }).await;
    story.tell::<Policy>("policy", policy::Command::Delete).await;
    story.tell::<Resource>("r", resource::Command::Allocate(Type::Number)).await;
    story.tell::<Resource>("r", resource::Command::Initialize(Datum::Value(json!(7)))).await;

    // `plain` needs two attempts, and what reads it one.
    story.spawn("plain", &[], 2).await;
    story.claim("plain", 1).await;
    story.fail("plain", 1).await;
    story.claim("plain", 2).await;
    story.finish("plain", 2).await;
    story.spawn("reader", &["plain"], 1).await;
    story.task("reader", Command::Pause { reason: "later".into() }).await;
    story.task("reader", Command::Resume).await;
    story.claim("reader", 1).await;
    story.finish("reader", 1).await;

    // `parent` leaves its output to a child.
    story.spawn("parent", &[], 1).await;
    story.claim("parent", 1).await;
    let child = Child { key: "child".into(), template: template() };
    let delegate = [("out".to_owned(), ("child".to_owned(), "out".to_owned()))].into();
    let success = Box::new(Success { children: vec![child], delegate, ..Success::default() });
    story.task("parent", Command::Finish { attempt: 1, success }).await;
    let Event::TaskFinished(finished) = &story.events.last().unwrap().event else { panic!() };
    let planned = finished.children[0].clone();
    spawn_named(&mut story, planned.id, planned.task, "child").await;

    // `broken` fails and is restarted with its output.
    story.spawn("broken", &[], 1).await;
    story.claim("broken", 1).await;
    story.fail("broken", 1).await;
    let restart =
        Restart { outputs: OutputPolicy::Reuse, reason: "again".into(), ..Restart::default() };
    story.task("broken", Command::Restart(Box::new(restart))).await;
    let Event::TaskRestarted(restarted) = &story.events.last().unwrap().event else { panic!() };
    let planned = restarted.successor.clone();
    spawn_named(&mut story, planned.id, planned.task, "successor").await;
    story.events
}

/// Spawns and finishes a task that an event has named.
async fn spawn_named(story: &mut Story, task_id: Id, spawned: Spawned, key: &str) {
    let namespace = Namespace::default();
    let mut take = async |command: Command, key: String| {
        let envelope = envelope_of(task_id, &key);
        let done = story.ledger.execute::<Task>(&namespace, &command, &envelope).await.unwrap();
        story.events.push(Arc::unwrap_or_clone(done.event.unwrap()));
        story.events.last().unwrap().stream_seq
    };
    let guard = take(Command::Spawn(Box::new(spawned)), format!("{key} spawn")).await;
    let ready = Ready { task_id, attempt: 1, guard, round: 0, inputs: [].into() };
    let envelope = envelope_of(task_id, &format!("{key} ready"));
    let draft = Draft::ready(&namespace, "default", 0, 1, ready, &envelope);
    let announced = story.ledger.append(draft).await.unwrap();
    let ready_seq = announced.stream_seq;
    story.events.push(Arc::unwrap_or_clone(announced));
    let (node, boot_id) = ("node".to_owned(), id("boot"));
    let claim = Received { attempt: 1, node, boot_id, ready_seq, round: 0 };
    let mut take = async |command: Command, key: String| {
        let envelope = envelope_of(task_id, &key);
        let done = story.ledger.execute::<Task>(&namespace, &command, &envelope).await.unwrap();
        story.events.push(Arc::unwrap_or_clone(done.event.unwrap()));
    };
    take(Command::Receive(claim), format!("{key} claim")).await;
    let outputs = [("out".to_owned(), Datum::Value(json!(1)))].into();
    let success = Box::new(Success { outputs, ..Success::default() });
    take(Command::Finish { attempt: 1, success }, format!("{key} finish")).await;
}

fn found(events: &[Recorded]) -> Vec<Finding> {
    let (mut audit, mut findings) = (Audit::new(Extent::Whole), Findings::default());
    for recorded in events {
        audit.take(recorded, &mut findings);
    }
    findings.kept().to_vec()
}

#[tokio::test]
async fn what_a_ledger_has_recorded_is_sound() {
    let events = story().await;
    assert!(events.len() > 25, "{}", events.len());
    assert_eq!(found(&events), []);
}

/// The place of the `nth` event of a type.
fn at(events: &[Recorded], name: &str, nth: usize) -> usize {
    let mut places = (0..events.len()).filter(|place| events[*place].event.name() == name);
    places.nth(nth).unwrap_or_else(|| panic!("no {name} {nth}"))
}

/// Changes what an event says.
fn edit(recorded: &mut Recorded, change: impl FnOnce(&mut Value)) {
    let mut document = serde_json::to_value(&*recorded).unwrap();
    change(&mut document);
    *recorded = serde_json::from_value(document).unwrap();
}

/// An event after the last one of the same aggregate, with a guard that holds.
fn append_after(events: &mut Vec<Recorded>, place: usize, event: Event) {
    let last = events
        .iter()
        .rev()
        .find(|it| it.id == events[place].id && !matches!(it.event, Event::TaskReady(_)));
    let last = last.unwrap().clone();
    let envelope = envelope_of(last.id, &format!("doctored {}", events.len()));
    let stream_seq = events.last().unwrap().stream_seq + 1;
    let metadata = envelope.metadata(last.stream_seq);
    events.push(Recorded { stream_seq, version: last.version + 1, event, metadata, ..last });
}

type Tampering = fn(&mut Vec<Recorded>);

const TAMPERINGS: [(&str, &str, Tampering); 16] = [
    ("an event is left out", "guard", |events| drop(events.remove(at(events, "TaskReceived", 0)))),
    ("two events change places", "order", |events| events.swap(3, 4)),
    ("a version is skipped", "version", |events| {
        let place = at(events, "TaskFinished", 0);
        events[place].version += 1;
    }),
    ("an event follows another position", "guard", |events| {
        let place = at(events, "TaskFinished", 0);
        events[place].metadata.previous_seq -= 1;
    }),
    ("an event has an id of its own", "event-id", |events| {
        let place = at(events, "TaskFinished", 0);
        events[place].metadata.event_id = id("mine");
    }),
    ("an event lies on another subject", "subject", |events| {
        let place = at(events, "TaskSpawned", 0);
        events[place].subject = events[place].subject.replace("task", "context");
    }),
    ("an announcement is of an older state", "guard", |events| {
        let place = at(events, "TaskReady", 1);
        edit(&mut events[place], |it| it["data"]["guard"] = json!(1));
    }),
    ("an attempt is claimed that nobody announced", "transition", |events| {
        let place = at(events, "TaskReady", 0);
        events.remove(place);
    }),
    ("an attempt is left out", "transition", |events| {
        let place = at(events, "TaskReceived", 1);
        edit(&mut events[place], |it| it["data"]["attempt"] = json!(3));
    }),
    ("an attempt that was lost ends the task", "transition", |events| {
        let place = at(events, "TaskFinished", 0);
        edit(&mut events[place], |it| it["data"]["attempt"] = json!(1));
    }),
    ("a task ends twice", "transition", |events| {
        let place = at(events, "TaskFinished", 0);
        let event = events[place].event.clone();
        append_after(events, place, event);
    }),
    ("an output is resolved twice", "resolved-twice", |events| {
        let place = at(events, "TaskFinished", 0);
        let event = events[place].event.clone();
        append_after(events, place, event);
    }),
    ("a resource is resolved twice", "resolved-twice", |events| {
        let place = at(events, "ResourceInitialized", 0);
        let event = serde_json::from_value(
            json!({ "type": "ResourceInitialized", "data": { "value": { "value": 8 } } }),
        );
        append_after(events, place, event.unwrap());
    }),
    ("an output is promised by two tasks", "custody", |events| {
        let other = output("plain").id;
        let place = at(events, "TaskSpawned", 1);
        edit(&mut events[place], |it| it["data"]["outputs"]["out"]["id"] = json!(other));
    }),
    ("a task is cancelled after its end", "transition", |events| {
        let place = at(events, "TaskFinished", 0);
        let event = json!({ "type": "TaskCancelled", "data": { "reason": "late" } });
        append_after(events, place, serde_json::from_value(event).unwrap());
    }),
    ("a definition skips a version", "transition", |events| {
        let place = at(events, "SpecificationApplied", 0);
        edit(&mut events[place], |it| it["data"]["version"] = json!(2));
    }),
];

#[tokio::test]
async fn every_tampering_is_found_and_named() {
    let sound = story().await;
    for (what, rule, tamper) in TAMPERINGS {
        let mut events = sound.clone();
        tamper(&mut events);
        let findings = found(&events);
        assert!(findings.iter().any(|it| it.rule == rule), "{what}: {findings:#?}");
        assert!(findings.iter().all(|it| !it.advice.is_empty()), "{what}: {findings:#?}");
    }
}

fn line(recorded: &Recorded) -> Line {
    Line::parse(serde_json::to_string(recorded).unwrap()).unwrap()
}

/// Judges lines, with a seal after every tenth.
fn chained(sound: &[Recorded], lines: &[Line]) -> Verdict {
    let (mut chain, mut seals) = (Chain::START, Vec::new());
    for (n, recorded) in sound.iter().enumerate() {
        chain = chain.next(line(recorded).as_str());
        if n % 10 == 9 {
            let at = Timestamp::from_micros(1);
            let (stream_seq, events) = (recorded.stream_seq, n as u64 + 1);
            seals.push(Seal { stream_seq, events, chain, ..Seal::first(at, at) });
        }
    }
    let mut chained = Chained::new(Extent::Whole, 1, Chain::START);
    let mut seals = seals.into_iter().peekable();
    for line in lines {
        chained.take(line, "a line");
        while let Some(seal) = seals.next_if(|seal| seal.stream_seq <= chained.last_seq()) {
            chained.seal(&seal);
        }
    }
    let last_seq = sound.last().unwrap().stream_seq;
    chained.trailer(sound.len() as u64, last_seq, chain);
    chained.end(false)
}

#[tokio::test]
async fn the_chain_shows_what_the_rules_cannot_and_seals_show_where() {
    let sound = story().await;
    let lines: Vec<Line> = sound.iter().map(line).collect();
    let verdict = chained(&sound, &lines);
    assert_eq!((verdict.found, verdict.events), (0, sound.len() as u64), "{verdict:?}");
    assert_eq!(
        (verdict.seals, verdict.sealed_seq),
        (sound.len() as u64 / 10, Some(verdict.seals * 10))
    );

    // Nobody's rules forbid another actor.
    let mut altered = lines.clone();
    altered[14] = Line::parse(lines[14].as_str().replace("anna", "otto")).unwrap();
    let verdict = chained(&sound, &altered);
    let rules: Vec<_> =
        verdict.findings.iter().map(|it| (it.rule.as_str(), it.stream_seq)).collect();
    let last_seq = sound.last().unwrap().stream_seq;
    assert_eq!(rules, [("seal", Some(20)), ("chain", Some(last_seq))]);
    assert!(verdict.findings[0].message.contains("positions 11 to 20"), "{verdict:?}");

    // An announcement is missed by no rule when nobody claims it.
    let mut unreadable = lines.clone();
    unreadable[2] = Line::parse("{\"stream_seq\":3}".into()).unwrap();
    let verdict = chained(&sound, &unreadable);
    assert!(verdict.findings.iter().any(|it| it.rule == "unreadable"), "{verdict:?}");
}

#[tokio::test]
async fn positions_without_an_event_are_told_where_nothing_proves_that_they_had_none() {
    let sound = story().await;
    let mut moved = sound.clone();
    // The last aggregate's events are moved behind a gap.
    let last = moved.last_mut().unwrap();
    last.stream_seq += 3;
    let mut chained = Chained::new(Extent::Whole, 1, Chain::START);
    for recorded in &moved {
        chained.take(&line(recorded), "a line");
    }
    chained.left_out(last_position(&sound));
    let verdict = chained.end(false);
    assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    assert_eq!(verdict.findings[0].rule, "gap");

    let mut chained = Chained::new(Extent::Whole, 1, Chain::START);
    for recorded in &moved {
        chained.take(&line(recorded), "a line");
    }
    (0..3).for_each(|n| chained.left_out(last_position(&sound) + n));
    let verdict = chained.end(false);
    assert_eq!(verdict.found, 0, "{verdict:?}");
}

fn last_position(events: &[Recorded]) -> u64 {
    events.last().unwrap().stream_seq
}
