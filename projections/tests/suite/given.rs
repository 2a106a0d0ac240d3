//! Events as a stream would hold them.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Datum, Dependency, Event, Executable, Id, Metadata, Namespace, Partition, Recorded,
    RetryPolicy, Source, Timeouts, Timestamp, Type,
    context::{self, PipelineRef},
    dependency::Cause,
    pipeline, resource, specification,
    task::{self, Output, Planned, Spawned, SpecificationRef},
    typename,
};
use serde_json::json;
use uuid::Uuid;

/// When the stream of the tests was created.
pub(crate) const CREATED: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) fn id(number: u128) -> Id {
    Id::from_uuid(Uuid::from_u128(number)).in_partition(Partition::of(7))
}

pub(crate) fn derived(of: Id, key: &str) -> Id {
    of.derive(key, of.partition())
}

/// A stream that grows: positions and times follow from the order.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) events: Vec<Recorded>,
}

impl Stream {
    pub(crate) fn push(&mut self, context: Id, id: Id, event: Event) -> u64 {
        // Gaps, as other subjects lie in between.
        let stream_seq = self.events.len() as u64 * 2 + 1;
        let command_id = derived(id, &format!("command {stream_seq}"));
        let namespace = Namespace::default();
        self.events.push(Recorded {
            stream_seq,
            subject: format!("evt.{namespace}.07.{}.{id}", event.kind()),
            namespace,
            aggregate: event.kind(),
            id,
            version: 1,
            event,
            metadata: Metadata {
                event_id: derived(command_id, "0"),
                command_id,
                causation_id: None,
                correlation_id: context,
                actor: "tests\0".into(),
                service_id: "tests".into(),
                schema: Metadata::SCHEMA,
                at: Timestamp::from_micros(CREATED.micros() + stream_seq as i64 * 1_001),
                previous_seq: 0,
            },
        });
        stream_seq
    }

    pub(crate) fn ready(&mut self, context: Id, task: Id, attempt: u32) {
        let inputs = BTreeMap::new();
        let ready = task::Ready { task_id: task, attempt, guard: 1, round: 0, inputs };
        self.push(context, task, Event::TaskReady(ready));
    }

    pub(crate) fn run(&mut self, context: Id, task: Id, attempt: u32) {
        self.ready(context, task, attempt);
        self.received(context, task, attempt);
    }

    pub(crate) fn received(&mut self, context: Id, task: Id, attempt: u32) {
        let (node, boot_id) = ("node-1".into(), id(99));
        let received = task::Received { attempt, node, boot_id, ready_seq: 1, round: 0 };
        self.push(context, task, Event::TaskReceived(received));
    }

    pub(crate) fn finish(&mut self, context: Id, task: Id, finished: task::Finished) {
        self.push(context, task, Event::TaskFinished(finished));
    }

    pub(crate) fn cancel(&mut self, context: Id, task: Id, reason: &str) {
        let by = Some("tests".into());
        let cancelled = task::Cancelled { reason: reason.into(), by, dependents: vec![] };
        self.push(context, task, Event::TaskCancelled(cancelled));
    }

    pub(crate) fn cancel_context(&mut self, context: Id, reason: &str) {
        let cancelled = context::Cancelled { reason: reason.into(), by: Some("tests".into()) };
        self.push(context, context, Event::ContextCancelled(cancelled));
    }
}

pub(crate) fn skipped(root_cause: Id, missing: &str) -> task::Skipped {
    let (others, cause) = (vec![], Cause::Failure);
    task::Skipped { root_cause, others, cause, missing: missing.into() }
}

pub(crate) fn spawned(context: Id, task: Id, step: &str, reads: &[(&str, Id)]) -> Spawned {
    let binding = |from: &Id| Binding {
        source: Source::Resource(*from),
        type_: Type::Unknown,
        map: None,
        names: Vec::new(),
    };
    Spawned {
        step: Some(step.to_owned()),
        specification: SpecificationRef {
            name: "text/words".parse().unwrap(),
            version: 1,
            digest: "sha256:0".into(),
        },
        inputs: reads.iter().map(|(name, from)| ((*name).to_owned(), binding(from))).collect(),
        outputs: BTreeMap::from([(
            "out".to_owned(),
            Output { id: derived(task, "out"), type_: Type::Unknown },
        )]),
        depends_on: None,
        when: None,
        context_id: context,
        parent_id: None,
        restart_root: None,
        restart_parent: None,
        queue: "default".into(),
        shard_key: None,
        priority: 0,
        labels: BTreeMap::from([("step".to_owned(), step.to_owned())]),
        retry: RetryPolicy::default(),
        timeouts: Timeouts::default(),
    }
}

pub(crate) fn ok(attempt: u32, value: serde_json::Value) -> task::Finished {
    task::Finished {
        attempt,
        outcome: task::Outcome::Ok,
        expired: None,
        error: None,
        inputs: BTreeMap::new(),
        outputs: BTreeMap::from([("out".to_owned(), Datum::Value(value))]),
        delegated: BTreeMap::new(),
        children: Vec::new(),
        result: Some(json!({"note": "done"})),
    }
}

pub(crate) fn failure() -> task::Failure {
    task::Failure {
        kind: "exit".into(),
        message: "exit code 1".into(),
        exit_code: Some(1),
        stderr_tail: None,
        retryable: true,
    }
}

pub(crate) fn failed(attempt: u32) -> task::Finished {
    task::Finished {
        outcome: task::Outcome::Failed,
        error: Some(failure()),
        outputs: BTreeMap::new(),
        result: None,
        ..ok(attempt, json!(null))
    }
}

/// The ids of one run of the pipeline below.
pub(crate) struct Run {
    pub(crate) context: Id,
    pub(crate) a: Id,
    pub(crate) b: Id,
    pub(crate) c: Id,
}

/// a → b → c, and c waits for a besides.
pub(crate) fn open(stream: &mut Stream, number: u128) -> Run {
    let context = id(number << 32);
    let [a, b, c] = ["a", "b", "c"].map(|step| derived(context, step));
    let mut last = spawned(context, c, "c", &[("in", derived(b, "out"))]);
    last.depends_on = Some(Dependency::All(vec![Dependency::Task(a)]));
    let plan = vec![
        Planned { id: a, task: spawned(context, a, "a", &[]) },
        Planned { id: b, task: spawned(context, b, "b", &[("in", derived(a, "out"))]) },
        Planned { id: c, task: last },
    ];
    let opened = context::Opened {
        pipeline: PipelineRef {
            name: "abc".parse().unwrap(),
            version: 1,
            digest: "sha256:1".into(),
        },
        params: BTreeMap::from([("x".to_owned(), json!(1.5))]),
        plan: plan.clone(),
        outputs: BTreeMap::from([("c".to_owned(), derived(c, "out"))]),
        labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
    };
    stream.push(context, context, Event::ContextOpened(opened));
    for planned in plan {
        stream.push(context, planned.id, Event::TaskSpawned(planned.task));
    }
    Run { context, a, b, c }
}

/// `parent` delegates its output to a child.
pub(crate) fn delegating(context: Id, parent: Id, attempt: u32) -> (Id, task::Finished) {
    let child = derived(parent, "child");
    let mut task = spawned(context, child, "child", &[]);
    task.parent_id = Some(parent);
    task.outputs.get_mut("out").unwrap().id = derived(parent, "out");
    let finished = task::Finished {
        outputs: BTreeMap::new(),
        delegated: BTreeMap::from([(
            "out".to_owned(),
            task::Delegation { child, output: "out".into() },
        )]),
        children: vec![Planned { id: child, task }],
        ..ok(attempt, json!(null))
    };
    (child, finished)
}

/// Everything that can happen, over several contexts.
pub(crate) fn everything() -> Vec<Recorded> {
    let mut stream = Stream::default();
    definitions(&mut stream);
    for number in 1..=40 {
        let run = open(&mut stream, number);
        let Run { context, a, b, c } = run;
        match number % 4 {
            0 => {
                stream.run(context, a, 1);
                stream.finish(context, a, ok(1, json!({"text\0": "nul \0", "n": 1e300})));
                stream.run(context, b, 1);
                let (child, finished) = delegating(context, b, 1);
                stream.finish(context, b, finished);
                stream.run(context, child, 1);
                stream.finish(context, child, ok(1, json!(null)));
                stream.run(context, c, 1);
                stream.finish(context, c, ok(1, json!([1, -0.0, 1.0])));
            }
            1 => {
                stream.run(context, a, 1);
                let event =
                    task::AttemptFailed { attempt: 1, error: failure(), not_before: CREATED };
                stream.push(context, a, Event::TaskAttemptFailed(event));
                stream.run(context, a, 2);
                stream.finish(context, a, failed(2));
                for (task, missing) in [(b, "input in"), (c, "input in")] {
                    stream.push(context, task, Event::TaskSkipped(skipped(a, missing)));
                }
            }
            2 => {
                stream.cancel_context(context, "enough");
                for task in [a, b, c] {
                    stream.cancel(context, task, "enough");
                }
            }
            _ => {
                stream.run(context, a, 1);
                stream.cancel_context(context, "too late");
                let (_, finished) = delegating(context, a, 1);
                stream.finish(context, a, finished);
                for task in [b, c] {
                    stream.cancel(context, task, "too late");
                }
            }
        }
    }
    stream.events
}

fn definitions(stream: &mut Stream) {
    let name: kantoku_domain::Name = "text/words".parse().unwrap();
    let aggregate = id(1);
    for version in 1..=2 {
        let definition = specification::Definition {
            description: String::new(),
            inputs: BTreeMap::from([("page".to_owned(), Type::String)]),
            outputs: BTreeMap::from([("out".to_owned(), Type::Array(Box::new(Type::String)))]),
            executable: Executable::Noop,
            queue: "default".into(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        };
        let applied = specification::Applied {
            name: name.clone(),
            version,
            digest: format!("sha256:{version}"),
            source: Some("git".into()),
            definition,
        };
        stream.push(aggregate, aggregate, Event::SpecificationApplied(applied));
    }
    let applied = typename::Applied {
        name: name.clone(),
        version: 1,
        digest: "sha256:t".into(),
        description: "words".into(),
        definition: Type::Array(Box::new(Type::String)),
    };
    stream.push(id(2), id(2), Event::TypeApplied(applied));
    let applied = pipeline::Applied {
        name,
        version: 1,
        digest: "sha256:p".into(),
        definition: pipeline::Definition::default(),
    };
    stream.push(id(3), id(3), Event::PipelineApplied(applied));
    let allocated = resource::Allocated { type_: Type::Unknown };
    stream.push(id(4), id(4), Event::ResourceAllocated(allocated));
    let initialized = resource::Initialized { value: Datum::Value(json!(null)) };
    stream.push(id(4), id(4), Event::ResourceInitialized(initialized));
    stream.push(id(4), id(4), Event::ResourceReleased(resource::Released {}));
}
