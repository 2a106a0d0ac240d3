//! What follows from events for tasks: who is spawned, comes back, stops, or runs again.

use std::collections::BTreeMap;

use kantoku_domain::{Envelope, Kind, Partition};
use serde_json::{Value, json};

use super::*;

fn id(key: &str) -> Id {
    Id::default().derive(key, Partition::of(1))
}

/// An unfolder, and the stream that it reads.
#[derive(Default)]
struct Stream {
    unfolder: Unfolder,
    log: Vec<Recorded>,
    names: BTreeMap<Id, String>,
}

impl Stream {
    /// The next event; it is not delivered yet.
    fn append(&mut self, name: &str, type_: &str, data: &Value) -> Recorded {
        let event: Event =
            serde_json::from_value(json!({ "type": type_, "data": data })).expect("an event");
        let stream_seq = self.log.len() as u64 + 1;
        let envelope = Envelope {
            aggregate_id: id(name),
            command_id: id(&format!("command {stream_seq}")),
            at: Timestamp::default(),
            actor: "test".into(),
            service_id: "test".into(),
            causation_id: None,
            correlation_id: id("cx"),
        };
        let recorded = Recorded {
            stream_seq,
            subject: String::new(),
            namespace: Namespace::default(),
            aggregate: if name == "cx" { Kind::Context } else { Kind::Task },
            id: id(name),
            version: 0,
            event,
            metadata: envelope.metadata(0),
        };
        self.names.insert(id(name), name.to_owned());
        self.log.push(recorded.clone());
        recorded
    }

    fn happens(&mut self, name: &str, type_: &str, data: &Value) {
        let recorded = self.append(name, type_, data);
        self.unfolder.apply(&recorded);
    }

    fn opened(&mut self, steps: &[&str]) {
        self.happens("cx", "ContextOpened", &opened(steps));
    }

    fn spawned(&mut self, names: &[&str]) {
        for name in names {
            self.happens(name, "TaskSpawned", &task());
        }
    }

    /// A context in which these tasks live.
    fn of(steps: &[&str]) -> Self {
        let mut stream = Self::default();
        stream.opened(steps);
        stream.spawned(steps);
        assert_eq!(stream.due(), [""; 0]);
        stream
    }

    fn cancelled(&mut self, name: &str, dependents: &[&str]) {
        let dependents: Vec<Id> = dependents.iter().map(|name| id(name)).collect();
        let data = json!({ "reason": "enough", "by": "anna", "dependents": dependents });
        self.happens(name, "TaskCancelled", &data);
    }

    fn context_cancelled(&mut self) {
        self.happens("cx", "ContextCancelled", &json!({ "reason": "enough", "by": "anna" }));
    }

    fn finished(&mut self, name: &str, children: &[&str]) {
        let children: Vec<Value> = children.iter().map(|name| planned(name)).collect();
        let data = json!({ "attempt": 1, "outcome": "ok", "children": children });
        self.happens(name, "TaskFinished", &data);
    }

    fn skipped(&mut self, name: &str, cause: &str) {
        self.happens(name, "TaskSkipped", &json!({ "root_cause": id(cause), "missing": "x" }));
    }

    fn revived(&mut self, name: &str, cause: &str, restarted_as: &str) {
        let data = json!({ "root_cause": id(cause), "restarted_as": id(restarted_as) });
        self.happens(name, "TaskRevived", &data);
    }

    fn restarted(&mut self, name: &str, successor: &str, more: Value) {
        self.names.insert(id(successor), successor.to_owned());
        let mut data = json!({
            "successor": planned(successor), "outputs": "reuse", "version": "same",
            "reason": "again", "by": "anna",
        });
        let (Value::Object(all), Value::Object(more)) = (&mut data, more) else { panic!("maps") };
        all.extend(more);
        self.happens(name, "TaskRestarted", &data);
    }

    fn context_restarted(&mut self, restart: &str) {
        self.names.insert(id(restart), restart.to_owned());
        let data = json!({
            "id": id(restart), "target": "failed", "outputs": "reuse", "version": "same",
            "reason": "again", "by": "anna", "steps": [],
        });
        self.happens("cx", "ContextRestarted", &data);
    }

    fn settled(&mut self, restart: &str) {
        self.happens("cx", "ContextRestartSettled", &json!({ "id": id(restart) }));
    }

    /// What is due now, in words.
    fn due(&mut self) -> Vec<String> {
        let effects = self.unfolder.due(Timestamp::default(), 100);
        effects.iter().map(|effect| self.words(effect)).collect()
    }

    /// What is due for one that folds the history anew.
    fn due_anew(&self) -> Vec<String> {
        let mut unfolder = Unfolder::default();
        self.log.iter().for_each(|recorded| unfolder.apply(recorded));
        let effects = unfolder.due(Timestamp::default(), 100);
        effects.iter().map(|effect| self.words(effect)).collect()
    }

    /// What is due now, which is nothing else than for one that begins now.
    #[track_caller]
    fn then(&mut self, expected: &[&str]) {
        let mut anew = self.due_anew();
        let mut due = self.due();
        assert_eq!(due, expected);
        anew.sort();
        due.sort();
        assert_eq!(anew, due, "anew");
    }

    fn words(&self, effect: &Effect) -> String {
        let name = |id: &Id| self.names.get(id).cloned().unwrap_or_else(|| id.to_string());
        match effect {
            Effect::Command { task_id, context_id, command, .. } => {
                assert_eq!(*context_id, id("cx"));
                let task = name(task_id);
                match command {
                    Command::Spawn(_) => format!("spawn {task}"),
                    Command::Revive(Revived { root_cause, restarted_as }) => {
                        format!("revive {task}: {} is {}", name(root_cause), name(restarted_as))
                    }
                    Command::Cancel(cancel) => {
                        assert_eq!(cancel.by.as_deref(), Some("anna"), "as the order says");
                        match cancel.round {
                            Some(0) => format!("stop {task}"),
                            Some(round) => format!("stop {task} in round {round}"),
                            None => format!("stop what {task} has spawned"),
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            Effect::Restart { context_id, restarted, .. } => {
                assert_eq!(*context_id, id("cx"));
                format!("carry out {}", name(&restarted.id))
            }
            other => panic!("{other:?}"),
        }
    }
}

fn task() -> Value {
    json!({
        "specification": { "name": "a", "version": 1, "digest": "sha256:0" },
        "inputs": {}, "outputs": {}, "context_id": id("cx"), "queue": "default",
        "labels": {}, "retry": {}, "timeouts": {},
    })
}

fn planned(name: &str) -> Value {
    json!({ "id": id(name), "task": task() })
}

fn opened(steps: &[&str]) -> Value {
    let plan: Vec<Value> = steps.iter().map(|step| planned(step)).collect();
    let pipeline = json!({ "name": "p", "version": 1, "digest": "sha256:1" });
    json!({ "pipeline": pipeline, "params": {}, "plan": plan, "outputs": {} })
}

fn ids(names: &[&str]) -> Vec<Id> {
    names.iter().map(|name| id(name)).collect()
}

#[test]
fn what_is_named_is_spawned_until_somebody_has() {
    let names = ["a", "b", "c", "a2"].map(|name| (id(name), name.to_owned())).into();
    let mut stream = Stream { names, ..Stream::default() };
    stream.opened(&["a", "b"]);
    stream.then(&["spawn a", "spawn b"]);
    stream.spawned(&["a"]);
    assert_eq!(stream.due_anew(), ["spawn b"], "the rest is left to whoever comes next");
    stream.spawned(&["b"]);
    stream.finished("b", &["c"]);
    stream.then(&["spawn c"]);
    stream.spawned(&["c"]);
    stream.restarted("a", "a2", json!({}));
    stream.then(&["spawn a2"]);
    stream.spawned(&["a2"]);
    stream.then(&[]);
}

#[test]
fn what_is_foreseen_is_spawned_at_once_and_once() {
    let mut stream = Stream::default();
    let event = stream.append("cx", "ContextOpened", &opened(&["a"]));
    stream.names.insert(id("a"), "a".into());
    stream.unfolder.foresee(&event);
    assert_eq!(stream.due(), ["spawn a"]);
    stream.unfolder.apply(&event);
    stream.unfolder.foresee(&event);
    assert_eq!(stream.due(), [""; 0]);
    stream.spawned(&["a"]);
    stream.unfolder.foresee(&event);
    assert_eq!(stream.due(), [""; 0], "it came late");
    stream.context_cancelled();
    stream.then(&["stop a"]);
}

#[test]
fn what_was_skipped_because_of_a_task_comes_back_with_its_restart() {
    let mut stream = Stream::of(&["a", "b", "c"]);
    stream.finished("a", &[]);
    stream.skipped("b", "a");
    let revive = json!([
        { "task_id": id("b"), "position": 6 }, { "task_id": id("c"), "position": 4 },
    ]);
    stream.restarted("a", "a2", json!({ "revive": revive }));
    stream.spawned(&["a2"]);
    assert_eq!(stream.due_anew(), ["revive b: a is a2"], "c was not skipped");
    stream.revived("b", "a", "a2");
    stream.then(&[]);
}

#[test]
fn a_restart_of_the_context_is_carried_out_until_it_is_settled() {
    let mut stream = Stream::of(&["a"]);
    stream.context_restarted("one");
    stream.context_restarted("two");
    stream.then(&["carry out one", "carry out two"]);
    stream.settled("one");
    assert_eq!(stream.due_anew(), ["carry out two"]);
    stream.settled("two");
    stream.then(&[]);
}

#[test]
fn an_order_to_a_context_reaches_all_that_was_ordered_before() {
    let mut stream = Stream::of(&["a", "b", "c"]);
    stream.finished("c", &[]);
    stream.finished("a", &["child"]);
    stream.context_cancelled();
    stream.names.insert(id("child"), "child".into());
    stream.then(&["stop b", "spawn child"]);
    stream.spawned(&["child"]);
    stream.due();
    assert_eq!(stream.due_anew(), ["stop b", "stop child"]);
}

#[test]
fn an_order_to_a_context_reaches_nothing_that_is_ordered_later() {
    let mut stream = Stream::of(&["a", "b"]);
    stream.context_cancelled();
    assert_eq!(stream.due().len(), 2);
    stream.cancelled("a", &[]);
    stream.skipped("b", "a");
    stream.context_restarted("r");
    stream.restarted("a", "a2", json!({ "step_of": id("r") }));
    stream.spawned(&["a2"]);
    stream.revived("b", "a", "a2");
    stream.settled("r");
    stream.spawned(&["d"]);
    stream.due();
    assert_eq!(stream.due_anew(), [""; 0]);
    stream.context_cancelled();
    let mut due = stream.due();
    due.sort();
    assert_eq!(due, ["stop a2", "stop b in round 1", "stop d"]);
}

#[test]
fn a_restart_that_was_ordered_before_is_stopped_though_its_steps_come_later() {
    let mut stream = Stream::of(&["a", "b"]);
    stream.finished("a", &[]);
    stream.skipped("b", "a");
    stream.context_restarted("r");
    stream.context_cancelled();
    stream.restarted("a", "a2", json!({ "step_of": id("r") }));
    stream.spawned(&["a2"]);
    stream.revived("b", "a", "a2");
    stream.settled("r");
    stream.due();
    assert_eq!(stream.due_anew(), ["stop a2", "stop b in round 1"]);
}

#[test]
fn what_an_earlier_restart_puts_in_the_place_of_who_has_ended_stops_too() {
    for is_live in [true, false] {
        let mut stream = Stream::of(&["a"]);
        stream.finished("a", &["b"]);
        stream.spawned(&["b"]);
        stream.due();
        stream.context_restarted("r");
        if !is_live {
            stream.cancelled("b", &[]);
        }
        let order = json!({ "reason": "enough", "by": "anna", "children": ids(&["b"]) });
        stream.happens("a", "TaskChildrenCancelled", &order);
        if is_live {
            stream.cancelled("b", &[]);
        }
        stream.restarted("b", "b2", json!({ "step_of": id("r") }));
        stream.spawned(&["b2"]);
        stream.settled("r");
        stream.due();
        assert_eq!(stream.due_anew(), ["stop b2"], "b was live: {is_live}");
    }
}

#[test]
fn what_is_to_stop_with_a_task_stops_whether_it_is_there_yet_or_not() {
    let mut stream = Stream::default();
    stream.opened(&["a", "b", "c", "d"]);
    stream.spawned(&["a", "b", "d"]);
    stream.due();
    stream.finished("d", &[]);
    stream.cancelled("a", &["b", "c", "d"]);
    assert_eq!(stream.due(), ["stop b"], "d has ended");
    stream.cancelled("b", &[]);
    stream.spawned(&["c"]);
    stream.then(&["stop c"]);
    stream.cancelled("c", &[]);
    stream.then(&[]);
}

#[test]
fn an_order_reaches_the_children_of_children_and_what_they_were_restarted_as() {
    let mut stream = Stream::of(&["a"]);
    stream.finished("a", &["b", "c", "d"]);
    stream.spawned(&["b", "c", "d"]);
    stream.finished("b", &["e"]);
    stream.spawned(&["e"]);
    stream.finished("c", &[]);
    stream.restarted("c", "c2", json!({}));
    stream.spawned(&["c2"]);
    stream.restarted("c2", "c3", json!({}));
    stream.spawned(&["c3"]);
    stream.due();
    let order = json!({ "reason": "enough", "by": "anna", "children": ids(&["b", "c", "d"]) });
    stream.happens("a", "TaskChildrenCancelled", &order);
    stream.then(&["stop what b has spawned", "stop c3", "stop d"]);
    let order = json!({ "reason": "enough", "by": "anna", "children": ids(&["e"]) });
    stream.happens("b", "TaskChildrenCancelled", &order);
    assert_eq!(stream.due(), ["stop e"]);
}

#[test]
fn what_is_restarted_after_an_order_goes_on() {
    let mut stream = Stream::of(&["a"]);
    stream.finished("a", &["b"]);
    stream.spawned(&["b"]);
    stream.due();
    let order = json!({ "reason": "enough", "by": "anna", "children": ids(&["b"]) });
    stream.happens("a", "TaskChildrenCancelled", &order);
    stream.then(&["stop b"]);
    stream.finished("b", &[]);
    stream.restarted("b", "b2", json!({}));
    stream.spawned(&["b2"]);
    stream.due();
    assert_eq!(stream.due_anew(), [""; 0]);
}

#[test]
fn the_children_of_a_task_that_is_restarted_stop() {
    let mut stream = Stream::of(&["a"]);
    stream.finished("a", &["b", "c"]);
    stream.spawned(&["b", "c"]);
    stream.finished("b", &["d"]);
    stream.spawned(&["d"]);
    stream.due();
    stream.restarted("a", "a2", json!({ "children": ids(&["b", "c"]) }));
    stream.then(&["stop what b has spawned", "stop c", "spawn a2"]);
}

#[test]
fn who_finishes_before_the_order_arrives_is_asked_for_what_it_has_spawned() {
    let mut stream = Stream::of(&["a", "b"]);
    stream.cancelled("a", &["b"]);
    assert_eq!(stream.due(), ["stop b"]);
    stream.finished("b", &["c"]);
    stream.names.insert(id("c"), "c".into());
    stream.then(&["stop what b has spawned", "spawn c"]);
}

#[test]
fn an_order_that_a_resumption_overtakes_is_given_again() {
    let mut stream = Stream::of(&["a", "b"]);
    stream.cancelled("a", &["b"]);
    assert_eq!(stream.due(), ["stop b"]);
    stream.happens("b", "TaskResumed", &json!({ "by": "ben" }));
    stream.then(&["stop b in round 1"]);
}

#[test]
fn who_was_given_up_when_the_order_came_stops_if_an_earlier_restart_brings_it_back() {
    for restarted_first in [true, false] {
        let mut stream = Stream::of(&["a", "b", "f"]);
        stream.finished("f", &[]);
        if restarted_first {
            stream.restarted("f", "f2", json!({}));
        }
        stream.cancelled("a", &["b"]);
        assert!(stream.due().contains(&"stop b".to_owned()));
        stream.skipped("b", "f");
        if !restarted_first {
            stream.restarted("f", "f2", json!({}));
        }
        stream.spawned(&["f2"]);
        stream.due();
        stream.revived("b", "f", "f2");
        let expected: &[&str] = if restarted_first { &["stop b in round 1"] } else { &[] };
        stream.then(expected);
    }
}
