//! The real domain and the real handlers over a log in memory: random pipelines, executors that
//! fail, lose their attempts and delegate, handlers that crash and fold the history anew, events
//! that are delivered twice. One seed is one run.

use std::collections::{BTreeMap, HashMap, HashSet};

use kantoku_domain::{
    Aggregate, Binding, Context, Datum, Dependency, Envelope, Event, Id, Kind, Millis, Namespace,
    Partition, Recorded, RetryPolicy, Source, Task, Timeouts, Timestamp, Type,
    context::{self, PipelineRef},
    task::{
        self, Child, Command, Failure, Output, Planned, Received, Spawned, SpecificationRef,
        Status, Success, Template,
    },
};
use kantoku_handlers::{Effect, Handler as _, Scheduler, Unfolder};
use proptest::{prelude::*, test_runner::TestRng};

const PARTITION: Partition = Partition::of(9);
const STEPS_MAX: usize = 20_000;

fn id(key: &str) -> Id {
    Id::default().derive(key, PARTITION)
}

struct World {
    log: Vec<Recorded>,
    tasks: HashMap<Id, (Task, u64)>,
    context: Context,
    scheduler: Scheduler,
    unfolder: Unfolder,
    delivered: usize,
    claimable: Vec<(u64, task::Ready)>,
    running: Vec<(Id, u32)>,
    clock: i64,
    commands: u64,
    rng: TestRng,
}

impl World {
    fn new(rng: TestRng) -> Self {
        Self {
            log: vec![],
            tasks: HashMap::new(),
            context: Context::default(),
            scheduler: Scheduler::default(),
            unfolder: Unfolder::default(),
            delivered: 0,
            claimable: vec![],
            running: vec![],
            clock: 0,
            commands: 0,
            rng,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick(&mut self, len: usize) -> usize {
        self.rng.random_range(0..len)
    }

    fn envelope(&mut self, aggregate_id: Id) -> Envelope {
        self.commands += 1;
        Envelope {
            aggregate_id,
            command_id: id(&format!("command {}", self.commands)),
            at: Timestamp::from_micros(self.clock),
            actor: "world".into(),
            service_id: "world".into(),
            causation_id: None,
            correlation_id: id("context"),
        }
    }

    fn append(&mut self, aggregate: Kind, id: Id, event: Event, envelope: &Envelope) -> u64 {
        let stream_seq = self.log.len() as u64 + 1;
        self.log.push(Recorded {
            stream_seq,
            subject: String::new(),
            namespace: Namespace::default(),
            aggregate,
            id,
            version: 0,
            event,
            metadata: envelope.metadata(0),
        });
        stream_seq
    }

    /// Decides and appends, as the ledger does. Whether something was appended.
    fn command(&mut self, task_id: Id, command: &Command) -> bool {
        let envelope = self.envelope(task_id);
        let (state, _) = self.tasks.entry(task_id).or_default();
        let Ok(Some(event)) = state.decide(command, &envelope) else { return false };
        state.evolve(&event);
        let seq = self.append(Kind::Task, task_id, event, &envelope);
        self.tasks.entry(task_id).or_default().1 = seq;
        true
    }

    fn open(&mut self, opened: context::Opened) {
        let envelope = self.envelope(id("context"));
        let event = self.context.decide(&context::Command::Open(Box::new(opened)), &envelope);
        let event = event.expect("accepted").expect("an event");
        self.context.evolve(&event);
        self.append(Kind::Context, id("context"), event, &envelope);
    }

    fn cancel_context(&mut self) {
        let envelope = self.envelope(id("context"));
        let command = context::Command::Cancel { reason: "enough".into() };
        if let Ok(Some(event)) = self.context.decide(&command, &envelope) {
            self.context.evolve(&event);
            self.append(Kind::Context, id("context"), event, &envelope);
        }
    }

    /// Delivers the next event to the handlers, perhaps twice.
    fn deliver(&mut self) {
        let recorded = self.log[self.delivered].clone();
        self.delivered += 1;
        for _ in 0..=usize::from(self.rng.random_range(0..10) == 0) {
            self.scheduler.apply(&recorded);
            self.unfolder.apply(&recorded);
        }
    }

    /// Carries out what is due; a crash loses some of it. Whether there was nothing to do.
    fn act(&mut self) -> bool {
        let now = Timestamp::from_micros(self.clock);
        let mut effects = self.scheduler.due(now, 3);
        effects.extend(self.unfolder.due(now, 3));
        let crash = self.chance(5);
        let quiet = effects.is_empty() && !crash;
        for effect in effects {
            if crash && self.chance(50) {
                continue;
            }
            match effect {
                Effect::Command { task_id, command, .. } => {
                    self.command(task_id, &command);
                }
                Effect::Announce { ready, .. } => {
                    // The server's guard: the task's last position must be the expected one.
                    if self.tasks[&ready.task_id].1 == ready.guard {
                        let envelope = self.envelope(ready.task_id);
                        let event = Event::TaskReady(ready.clone());
                        let seq = self.append(Kind::Task, ready.task_id, event, &envelope);
                        self.claimable.push((seq, ready));
                    }
                }
            }
        }
        if crash {
            self.scheduler = Scheduler::default();
            self.unfolder = Unfolder::default();
            for recorded in &self.log[..self.delivered] {
                self.scheduler.apply(recorded);
                self.unfolder.apply(recorded);
            }
        }
        quiet
    }

    fn claim(&mut self) {
        let index = self.pick(self.claimable.len());
        let (ready_seq, ready) = self.claimable.swap_remove(index);
        let spawned = self.tasks[&ready.task_id].0.spawned.clone().expect("a task that is ready");
        for (name, resolved) in &ready.inputs {
            let by = &self.log[resolved.seq as usize - 1];
            let Event::TaskFinished(finished) = &by.event else { panic!("{by:?}") };
            let output = resolved.output.as_ref().expect("the output's name");
            assert!(finished.outputs.contains_key(output), "input {name} is where the event says");
            let producer = self.tasks[&by.id].0.spawned.as_ref().expect("spawned");
            let input = spawned.inputs[name].resource();
            assert_eq!(input, Some(producer.outputs[output].id), "and is the right one");
        }
        let node = format!("node {}", self.pick(2));
        let received = Received { attempt: ready.attempt, node, boot_id: id("boot"), ready_seq };
        if self.command(ready.task_id, &Command::Receive(received)) {
            self.running.push((ready.task_id, ready.attempt));
        }
    }

    fn end(&mut self) {
        let index = self.pick(self.running.len());
        let (task_id, attempt) = self.running.swap_remove(index);
        let command = if self.chance(15) {
            let error = Failure {
                kind: "exit".into(),
                message: "exit code 1".into(),
                exit_code: Some(1),
                stderr_tail: None,
                retryable: true,
            };
            Command::Fail { attempt, error }
        } else {
            let children = usize::from(self.chance(20));
            Command::Finish { attempt, success: Box::new(success(children)) }
        };
        self.command(task_id, &command);
        // A zombie says the same once more, or something else.
        if self.chance(10) {
            let finish = Command::Finish { attempt, success: Box::new(success(0)) };
            assert!(!self.command(task_id, &finish), "an attempt ends once");
        }
    }

    fn is_idle(&self) -> bool {
        self.delivered == self.log.len() && self.claimable.is_empty() && self.running.is_empty()
    }

    fn run(&mut self, cancel: bool) {
        for _ in 0..STEPS_MAX {
            if self.act() && self.is_idle() {
                match self.scheduler.next_due() {
                    Some(at) => self.clock = self.clock.max(at.micros()),
                    None if self.tasks.values().all(|(task, _)| task.status.is_terminal()) => {
                        return;
                    }
                    None => {}
                }
            }
            match self.pick(3) {
                0 if self.delivered < self.log.len() => self.deliver(),
                1 if !self.claimable.is_empty() => self.claim(),
                2 if !self.running.is_empty() => self.end(),
                _ => {}
            }
            if cancel && self.chance(1) {
                self.cancel_context();
            }
        }
        let stuck: Vec<_> =
            self.tasks.iter().filter(|(_, (task, _))| !task.status.is_terminal()).collect();
        panic!("these tasks are stuck: {stuck:#?}");
    }

    /// Reads the raw log, with no help from the domain.
    fn check(&self, planned: usize) {
        let mut resolved: HashMap<Id, u64> = HashMap::new();
        let mut spawned: HashMap<Id, &Spawned> = HashMap::new();
        let mut ended: HashSet<Id> = HashSet::new();
        for recorded in &self.log {
            match &recorded.event {
                Event::TaskSpawned(task) => {
                    assert!(spawned.insert(recorded.id, task).is_none(), "spawned once");
                }
                Event::TaskReceived(_) => {
                    for binding in spawned[&recorded.id].inputs.values() {
                        let input = binding.resource().expect("all inputs here are resources");
                        assert!(resolved.contains_key(&input), "received after its inputs");
                    }
                }
                Event::TaskFinished(finished) => {
                    assert!(ended.insert(recorded.id), "ended once");
                    for name in finished.outputs.keys() {
                        let output = spawned[&recorded.id].outputs[name].id;
                        let before = resolved.insert(output, recorded.stream_seq);
                        assert_eq!(before, None, "an output is resolved once");
                    }
                }
                Event::TaskCancelled(_) | Event::TaskSkipped(_) => {
                    assert!(ended.insert(recorded.id), "ended once");
                }
                _ => {}
            }
        }
        assert!(spawned.len() >= planned, "every planned task is spawned");
        assert_eq!(ended.len(), spawned.len(), "every task ends");
    }
}

fn success(children: usize) -> Success {
    let out = || ("out".to_owned(), Datum::Value(1.into()));
    if children == 0 {
        return Success { outputs: [out()].into(), ..Success::default() };
    }
    let template = Template {
        specification: specification(),
        inputs: BTreeMap::new(),
        outputs: [("out".to_owned(), Type::Number)].into(),
        queue: "default".into(),
        labels: BTreeMap::new(),
        retry: RetryPolicy { attempts: 2, ..RetryPolicy::default() },
        timeouts: Timeouts::default(),
    };
    let child = Child { key: "child".into(), template };
    let delegate = [("out".to_owned(), ("child".to_owned(), "out".to_owned()))].into();
    Success { children: vec![child], delegate, ..Success::default() }
}

fn specification() -> SpecificationRef {
    let name = "a".parse().expect("a name");
    SpecificationRef { name, version: 1, digest: "sha256:0".into() }
}

/// `edges[n]` are the earlier steps that step `n` reads from; of the first bit it comes after.
fn pipeline(edges: &[Vec<(usize, bool)>]) -> context::Opened {
    let task_id = |n: usize| id(&format!("task {n}"));
    let output = |n: usize| task_id(n).derive("out", PARTITION);
    let plan = edges.iter().enumerate().map(|(n, edges)| {
        let earlier = edges.iter().filter(|_| n > 0).map(|(from, after)| (from % n.max(1), *after));
        let mut inputs = BTreeMap::new();
        let mut after = Vec::new();
        for (from, comes_after) in earlier {
            if comes_after {
                after.push(Dependency::Task(task_id(from)));
            } else {
                let source = Source::Resource(output(from));
                let binding = Binding { source, type_: Type::Number, map: None, names: vec![] };
                inputs.insert(format!("from {from}"), binding);
            }
        }
        let task = Spawned {
            step: Some(n.to_string()),
            specification: specification(),
            inputs,
            outputs: [("out".into(), Output { id: output(n), type_: Type::Number })].into(),
            depends_on: (!after.is_empty()).then_some(Dependency::All(after)),
            context_id: id("context"),
            parent_id: None,
            queue: "default".into(),
            shard_key: None,
            priority: 0,
            labels: BTreeMap::new(),
            retry: RetryPolicy { attempts: 3, backoff: Millis(1_000), ..RetryPolicy::default() },
            timeouts: Timeouts::default(),
        };
        Planned { id: task_id(n), task }
    });
    let name = "p".parse().expect("a name");
    context::Opened {
        pipeline: PipelineRef { name, version: 1, digest: "sha256:1".into() },
        params: BTreeMap::new(),
        plan: plan.collect(),
        outputs: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_task_ends_once_whatever_crashes(
        edges in prop::collection::vec(prop::collection::vec((0..20_usize, any::<bool>()), 0..4), 1..20),
        cancel in any::<bool>(),
        rng in any::<u64>().prop_perturb(|_, rng| rng),
    ) {
        let mut world = World::new(rng);
        world.open(pipeline(&edges));
        world.run(cancel);
        world.check(edges.len());
        assert_eq!(world.scheduler.tasks(), 0, "nothing is remembered of what is over");
        let mut late = Scheduler::default();
        world.log.iter().for_each(|recorded| late.apply(recorded));
        assert_eq!(late.due(Timestamp::from_micros(i64::MAX), usize::MAX), [], "nothing is left to do");
        let ok = |task: &Task| task.status != Status::Absent;
        assert!(world.tasks.values().all(|(task, _)| ok(task)));
    }
}
