//! The life of a task that gives back what it reads, event by event, as the domain decides it.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate as _, Datum, Envelope, Id, Namespace, Recorded, Source, Task, Timestamp, plan,
    specification::Applied,
    task::{Command, Ready, Received, Spawned, Success},
};
use kantoku_streams::Draft;
use serde_json::json;

/// Executors do not serve it: what is announced there is claimed by nobody else.
const QUEUE: &str = "past";
const NODE: &str = "past";

/// A task, as far as it has got.
pub(crate) struct Life {
    id: Id,
    spawned: Spawned,
    state: Task,
    next: Stage,
    version: u64,
    /// Of its last event.
    last_seq: u64,
    /// Of its announcement.
    ready_seq: u64,
}

#[derive(Clone, Copy)]
enum Stage {
    Spawn,
    Announce,
    Claim,
    Finish,
    Over,
}

impl Life {
    /// Task number `number` of a context, of a specification that passes `x` on.
    pub(crate) fn new(applied: &Applied, context_id: Id, number: usize) -> Self {
        let id = context_id.derive(&number.to_string(), context_id.partition());
        let given = BTreeMap::from([("x".to_owned(), Source::Value(json!(1)))]);
        let inputs = plan::bind_inputs(applied, given).expect("sound inputs");
        let template = applied.template(inputs);
        let spawned =
            Spawned { queue: QUEUE.into(), ..template.spawned(id, None, context_id, None) };
        let (state, next) = (Task::default(), Stage::Spawn);
        Self { id, spawned, state, next, version: 0, last_seq: 0, ready_seq: 0 }
    }

    /// What happens next, at `at`; `None` when it is over.
    pub(crate) fn next(&self, at: Timestamp) -> Option<Draft> {
        let namespace = Namespace::default();
        let (command, name) = match self.next {
            Stage::Spawn => (Command::Spawn(Box::new(self.spawned.clone())), "spawn"),
            Stage::Announce => {
                let envelope = self.envelope("announce", at);
                let ready = self.ready();
                return Some(Draft::ready(&namespace, QUEUE, 0, self.version, ready, &envelope));
            }
            Stage::Claim => (Command::Receive(self.claim()), "claim"),
            Stage::Finish => {
                let outputs = BTreeMap::from([("x".to_owned(), Datum::Value(json!(1)))]);
                let success = Box::new(Success { outputs, ..Success::default() });
                (Command::Finish { attempt: 1, success }, "finish")
            }
            Stage::Over => return None,
        };
        let envelope = self.envelope(name, at);
        let event = self.state.decide(&command, &envelope).expect("accepted").expect("an event");
        Some(Draft::next(&namespace, self.id, self.version, self.last_seq, event, &envelope))
    }

    /// Takes in what happened.
    pub(crate) fn take(&mut self, recorded: &Recorded) {
        self.next = match self.next {
            Stage::Spawn => Stage::Announce,
            Stage::Announce => {
                self.ready_seq = recorded.stream_seq;
                self.next = Stage::Claim;
                return;
            }
            Stage::Claim => Stage::Finish,
            Stage::Finish | Stage::Over => Stage::Over,
        };
        self.state.evolve(&recorded.event);
        self.version = recorded.version;
        self.last_seq = recorded.stream_seq;
    }

    fn ready(&self) -> Ready {
        let inputs = BTreeMap::new();
        Ready { task_id: self.id, attempt: 1, guard: self.last_seq, round: 0, inputs }
    }

    fn claim(&self) -> Received {
        let (node, boot_id) = (NODE.to_owned(), self.spawned.context_id);
        Received { attempt: 1, node, boot_id, ready_seq: self.ready_seq, round: 0 }
    }

    fn envelope(&self, command: &str, at: Timestamp) -> Envelope {
        let context_id = self.spawned.context_id;
        Envelope {
            aggregate_id: self.id,
            command_id: self.id.derive(command, context_id.partition()),
            at,
            actor: "bench".into(),
            service_id: NODE.into(),
            causation_id: None,
            correlation_id: context_id,
        }
    }
}
