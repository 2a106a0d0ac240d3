//! What has happened to the tasks of a context, as the ledger has it: for tests.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate as _, Binding, Datum, Envelope, Event, Id, Kind, Namespace, Partition, Recorded,
    RetryPolicy, Source, Task, Timeouts, Timestamp, Type,
    restart::{Graph, Node},
    task::{Command, Failure, Output, Received, Skipped, Spawned, SpecificationRef, Success},
};
use kantoku_streams::Loaded;

use super::context::Tasks;

/// Steps, each with one output `out`, and what became of them. Each event is a second later.
#[derive(Default)]
pub(in crate::server) struct Past {
    position: u64,
    pub(in crate::server) histories: BTreeMap<Id, Vec<Recorded>>,
}

pub(in crate::server) fn context_id() -> Id {
    Id::default().derive("context", Partition::default())
}

pub(in crate::server) fn step_id(step: &str) -> Id {
    context_id().derive(step, Partition::default())
}

pub(in crate::server) fn output_of(task: Id) -> Id {
    task.derive("out", Partition::default())
}

/// The time of the event at this position.
pub(in crate::server) fn second(position: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(position).expect("small") * 1_000_000)
}

impl Past {
    /// A task that reads the outputs of others.
    pub(in crate::server) fn spawn(&mut self, step: &str, reads: &[&str]) -> Id {
        let binding = |from: &&str| {
            let source = Source::Resource(output_of(step_id(from)));
            let binding = Binding { source, type_: Type::Unknown, map: None, names: vec![] };
            ((*from).to_owned(), binding)
        };
        let id = step_id(step);
        let spawned = Spawned {
            step: Some(step.into()),
            specification: SpecificationRef {
                name: "test".parse().expect("a name"),
                version: 1,
                digest: "sha256:1".into(),
            },
            inputs: reads.iter().map(binding).collect(),
            outputs: [("out".into(), Output { id: output_of(id), type_: Type::Unknown })].into(),
            depends_on: None,
            when: None,
            context_id: context_id(),
            parent_id: None,
            restart_root: None,
            restart_parent: None,
            queue: "default".into(),
            shard_key: None,
            priority: 0,
            labels: [].into(),
            retry: RetryPolicy { attempts: 3, ..RetryPolicy::default() },
            timeouts: Timeouts::default(),
        };
        self.order(id, &Command::Spawn(Box::new(spawned)));
        id
    }

    pub(in crate::server) fn receive(&mut self, id: Id, attempt: u32) {
        let boot_id = step_id("boot");
        let ready_seq = self.position;
        let received = Received { attempt, node: "gpu-1".into(), boot_id, ready_seq, round: 0 };
        self.position += 1_000;
        self.order(id, &Command::Receive(received));
    }

    pub(in crate::server) fn finish(&mut self, id: Id, attempt: u32) {
        let outputs = [("out".into(), Datum::Value(7.into()))].into();
        let success = Box::new(Success { outputs, ..Success::default() });
        self.order(id, &Command::Finish { attempt, success });
    }

    pub(in crate::server) fn fail(&mut self, id: Id, attempt: u32, kind: &str, retryable: bool) {
        let error = Failure::new(kind, "no", retryable);
        self.order(id, &Command::Fail { attempt, error });
    }

    pub(in crate::server) fn skip(&mut self, id: Id, because_of: Id) {
        self.order(
            id,
            &Command::Skip(Skipped {
                root_cause: because_of,
                others: vec![],
                cause: kantoku_domain::dependency::Cause::Failure,
                missing: "an input".into(),
            }),
        );
    }

    /// Decides a command and appends what it comes to.
    #[track_caller]
    pub(in crate::server) fn order(&mut self, id: Id, command: &Command) -> Event {
        self.position += 1;
        let envelope = Envelope {
            aggregate_id: id,
            command_id: step_id(&format!("command {}", self.position)),
            at: second(self.position),
            actor: "ada".into(),
            service_id: "test".into(),
            causation_id: None,
            correlation_id: context_id(),
        };
        let Loaded { state, version, stream_seq } = self.loaded(id);
        let event = state.decide(command, &envelope).expect("accepted").expect("an event");
        let history = self.histories.entry(id).or_default();
        history.push(Recorded {
            stream_seq: self.position,
            subject: String::new(),
            namespace: Namespace::default(),
            aggregate: Kind::Task,
            id,
            version: version + 1,
            event: event.clone(),
            metadata: envelope.metadata(stream_seq),
        });
        event
    }

    fn loaded(&self, id: Id) -> Loaded<Task> {
        let mut loaded = Loaded::default();
        self.histories.get(&id).into_iter().flatten().for_each(|recorded| loaded.take(recorded));
        loaded
    }

    pub(in crate::server) fn tasks(&self) -> Tasks {
        let loaded: BTreeMap<Id, Loaded<Task>> =
            self.histories.keys().map(|id| (*id, self.loaded(*id))).collect();
        let node =
            |(id, it): (&Id, &Loaded<Task>)| Some((*id, Node::of(*id, it.stream_seq, &it.state)?));
        let nodes = loaded.iter().filter_map(node).collect();
        let graph = Graph { context_id: context_id(), nodes, ..Graph::default() };
        Tasks { graph, loaded, ..Tasks::default() }
    }
}
