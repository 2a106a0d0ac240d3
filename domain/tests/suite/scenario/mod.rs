//! Given, when, then: the one helper that all scenarios use.

use kantoku_domain::{
    Aggregate, Decision, Envelope, Event, Id, Reason, RetryPolicy, Timeouts, Timestamp, Type,
    dependency::Cause,
    task::{
        Child, Command, Failure, Output, Received, Skipped, Spawned, SpecificationRef, Success,
        Template,
    },
};
use uuid_like::id;

/// Ids for tests, told apart by a number.
pub(crate) mod uuid_like {
    use kantoku_domain::{Id, Partition};

    pub(crate) fn id(n: u64) -> Id {
        Id::default().derive(&n.to_string(), Partition::of(5))
    }
}

/// The envelope of command number `n`, given at second `n`.
pub(crate) fn envelope(n: u64) -> Envelope {
    Envelope {
        aggregate_id: id(0),
        command_id: id(1_000_000 + n),
        at: Timestamp::from_micros(i64::try_from(n).expect("small") * 1_000_000),
        actor: "tester".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id(1),
    }
}

/// An aggregate with a history.
pub(crate) struct Scenario<A> {
    pub(crate) state: A,
    commands: u64,
}

pub(crate) fn given<A: Aggregate>(events: &[Event]) -> Scenario<A> {
    let mut state = A::default();
    for event in events {
        state.evolve(event);
    }
    Scenario { state, commands: 0 }
}

impl<A: Aggregate> Scenario<A> {
    /// Decides `command`; an event is taken in, and the same command again must give nothing.
    #[track_caller]
    pub(crate) fn when(&mut self, command: &A::Command) -> Decision {
        self.commands += 1;
        let envelope = envelope(self.commands);
        let decision = self.state.decide(command, &envelope);
        if let Ok(Some(event)) = &decision {
            self.state.evolve(event);
            assert_eq!(self.state.decide(command, &envelope), Ok(None), "repeated command");
        }
        decision
    }

    #[track_caller]
    pub(crate) fn then_event(&mut self, command: &A::Command) -> Event {
        self.when(command).expect("accepted").expect("an event")
    }

    #[track_caller]
    pub(crate) fn then_rejected(&mut self, command: &A::Command, reason: Reason) {
        assert_eq!(self.when(command).expect_err("rejected").reason, reason);
    }
}

/// A task with one output `out: number`, `attempts` attempts and no backoff.
pub(crate) fn spawned(attempts: u32) -> Spawned {
    Spawned {
        step: None,
        specification: SpecificationRef {
            name: "a".parse().expect("a name"),
            version: 1,
            digest: "sha256:0".into(),
        },
        inputs: [].into(),
        outputs: [("out".into(), Output { id: id(10), type_: Type::Number })].into(),
        depends_on: None,
        when: None,
        context_id: id(1),
        parent_id: None,
        restart_root: None,
        restart_parent: None,
        queue: "default".into(),
        shard_key: None,
        priority: 0,
        labels: [].into(),
        retry: RetryPolicy { attempts, backoff: kantoku_domain::Millis(0), ..Default::default() },
        timeouts: Timeouts::default(),
    }
}

/// Given up because of task 2, which failed.
pub(crate) fn skipped(missing: &str) -> Skipped {
    skipped_because_of(id(2), missing)
}

pub(crate) fn skipped_because_of(root_cause: Id, missing: &str) -> Skipped {
    Skipped { root_cause, others: vec![], cause: Cause::Failure, missing: missing.into() }
}

pub(crate) fn spawn(attempts: u32) -> Command {
    Command::Spawn(Box::new(spawned(attempts)))
}

pub(crate) fn receive(attempt: u32, node: &str) -> Command {
    let boot_id: Id = id(7);
    Command::Receive(Received { attempt, node: node.into(), boot_id, ready_seq: 3, round: 0 })
}

pub(crate) fn finish(attempt: u32, out: impl Into<serde_json::Value>) -> Command {
    let outputs = [("out".into(), kantoku_domain::Datum::Value(out.into()))].into();
    Command::Finish { attempt, success: Box::new(Success { outputs, ..Success::default() }) }
}

/// The attempt ends well with out: 7, and spawns a child without outputs for each key.
pub(crate) fn spawning(attempt: u32, keys: &[&str]) -> Command {
    let of = spawned(1);
    let template = Template {
        specification: of.specification,
        inputs: [].into(),
        outputs: [].into(),
        queue: of.queue,
        labels: [].into(),
        retry: of.retry,
        timeouts: of.timeouts,
    };
    let child = |key: &&str| Child { key: (*key).into(), template: template.clone() };
    let outputs = [("out".into(), kantoku_domain::Datum::Value(7.into()))].into();
    let children = keys.iter().map(child).collect();
    Command::Finish {
        attempt,
        success: Box::new(Success { outputs, children, ..Success::default() }),
    }
}

pub(crate) fn fail(attempt: u32) -> Command {
    let error = Failure {
        kind: "exit".into(),
        message: "exit code 1".into(),
        exit_code: Some(1),
        stderr_tail: Some("no".into()),
        retryable: true,
    };
    Command::Fail { attempt, error }
}

/// The attempt is lost with its executor.
pub(crate) fn lose(attempt: u32) -> Command {
    Command::Fail { attempt, error: Failure::new(Failure::LEASE, "it fell silent", true) }
}
