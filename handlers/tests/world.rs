//! The real domain and the real handlers over a log in memory: random pipelines, executors that
//! fail, delegate, hang, die and haunt, heartbeats that are lost, a node that crashes and folds the
//! history anew, events that come early and then again. One seed is one run, on a clock of its own.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use kantoku_domain::{
    Aggregate, Binding, Context, Datum, Dependency, Envelope, Event, Id, Kind, Millis, Namespace,
    Partition, Recorded, RetryPolicy, Source, Task, Timeouts, Timestamp, Type,
    context::{self, PipelineRef},
    task::{
        self, Child, Command, Failure, Output, Planned, Received, Spawned, SpecificationRef,
        Status, Success, Template,
    },
};
use kantoku_handlers::{Effect, Handler as _, LeaseKeeper, Scheduler, Timeout, Timers, Unfolder};
use kantoku_streams::{Heartbeat, HeldAttempt};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng},
};

const PARTITION: Partition = Partition::of(9);
const STEPS_MAX: usize = 40_000;
const LEASE: Duration = Duration::from_secs(9);

fn id(key: &str) -> Id {
    Id::default().derive(key, PARTITION)
}

/// A run of an executor, alive.
#[derive(Default)]
struct Executor {
    /// How often it was started, and where the stream stood then.
    boot: usize,
    born: u64,
    running: Vec<HeldAttempt>,
    /// These go on for ever.
    hung: Vec<HeldAttempt>,
    /// It beats no more until then.
    silent_until: i64,
    /// When it was last heard.
    heard_at: i64,
}

struct World {
    log: Vec<Recorded>,
    tasks: HashMap<Id, (Task, u64)>,
    context: Context,
    scheduler: Scheduler,
    unfolder: Unfolder,
    keeper: LeaseKeeper,
    timers: Timers,
    /// The timers that the server keeps.
    set: BTreeMap<Id, Timeout>,
    delivered: usize,
    claimable: Vec<(u64, task::Ready)>,
    executors: Vec<Executor>,
    /// Attempts of executors that are gone, and that do not know it.
    zombies: Vec<HeldAttempt>,
    clock: i64,
    commands: u64,
    /// How many of a hundred effects are lost without a trace.
    careless: u32,
    /// When something was last due.
    acted_at: i64,
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
            keeper: LeaseKeeper::new(LEASE),
            timers: Timers::new(LEASE),
            set: BTreeMap::new(),
            delivered: 0,
            claimable: vec![],
            executors: vec![Executor::default(), Executor::default()],
            zombies: vec![],
            clock: 0,
            commands: 0,
            careless: 0,
            acted_at: 0,
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
            metadata: envelope.metadata(self.tasks.get(&id).map_or(0, |(_, position)| *position)),
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

    /// Delivers the next event to the handlers. Some have seen it ahead of that.
    fn deliver(&mut self) {
        let recorded = self.log[self.delivered].clone();
        self.delivered += 1;
        self.apply(&recorded);
    }

    fn apply(&mut self, recorded: &Recorded) {
        self.scheduler.apply(recorded);
        self.unfolder.apply(recorded);
        self.keeper.apply(recorded);
        self.timers.apply(recorded);
    }

    /// The node hears of an event of its own process early.
    fn foresee(&mut self) {
        let ahead = self.delivered + self.pick((self.log.len() - self.delivered).min(4));
        self.scheduler.foresee(&self.log[ahead]);
        self.unfolder.foresee(&self.log[ahead]);
    }

    /// What is due now, all of it.
    fn due(&mut self) -> Vec<Effect> {
        let now = Timestamp::from_micros(self.clock);
        let mut effects = self.scheduler.due(now, 100);
        effects.extend(self.unfolder.due(now, 100));
        effects.extend(self.keeper.due(now, 100));
        effects.extend(self.timers.due(now, 100));
        effects
    }

    /// Carries out what is due; a crash loses some of it. Whether there was nothing to do.
    fn act(&mut self) -> bool {
        let now = Timestamp::from_micros(self.clock);
        let mut effects = self.scheduler.due(now, 3);
        effects.extend(self.unfolder.due(now, 3));
        effects.extend(self.keeper.due(now, 3));
        effects.extend(self.timers.due(now, 3));
        let due = |(id, timeout): (&Id, &Timeout)| (timeout.at <= now).then_some(*id);
        for timer in self.set.iter().filter_map(due).collect::<Vec<_>>() {
            effects.extend(self.set.remove(&timer).map(Timeout::effect));
        }
        let crash = self.chance(3);
        let quiet = effects.is_empty() && !crash;
        if !quiet {
            self.acted_at = self.clock;
        }
        for effect in effects {
            // With the node, or for no reason at all: then nobody is told.
            if (crash && self.chance(50)) || self.chance(self.careless) {
                continue;
            }
            self.carry_out(effect);
        }
        if crash {
            self.crash();
        }
        quiet
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Command { task_id, command, .. } => {
                self.command(task_id, &command);
            }
            Effect::Restart { .. } | Effect::Probe { .. } => {}
            Effect::Announce { ready, .. } => {
                // The server's guard: the task's last position must be the expected one.
                if self.tasks[&ready.task_id].1 == ready.guard {
                    let envelope = self.envelope(ready.task_id);
                    let event = Event::TaskReady(ready.clone());
                    let seq = self.append(Kind::Task, ready.task_id, event, &envelope);
                    self.claimable.push((seq, ready));
                }
            }
            Effect::SetTimer(timeout) => {
                self.set.insert(timeout.timer, timeout);
            }
            Effect::CancelTimer { timer, .. } => {
                self.set.remove(&timer);
            }
            Effect::Order { service_id, order } => {
                let executor = &mut self.executors[usize::from(service_id == node(1))];
                executor.stop(order.task_id, order.attempt);
            }
        }
    }

    /// The node dies, and folds the history anew.
    fn crash(&mut self) {
        self.scheduler = Scheduler::default();
        self.unfolder = Unfolder::default();
        self.keeper = LeaseKeeper::new(LEASE);
        self.timers = Timers::new(LEASE);
        for index in 0..self.delivered {
            let recorded = self.log[index].clone();
            self.apply(&recorded);
        }
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
        let executor = self.pick(2);
        let (node, boot_id) = (node(executor), self.executors[executor].boot_id(executor));
        let (task_id, attempt) = (ready.task_id, ready.attempt);
        let received = Received { attempt, node, boot_id, ready_seq, round: ready.round };
        if self.command(task_id, &Command::Receive(received)) {
            let held = HeldAttempt { task_id, attempt, fence: self.log.len() as u64 };
            let hangs = self.chance(4);
            let executor = &mut self.executors[executor];
            if hangs { executor.hung.push(held) } else { executor.running.push(held) }
        }
    }

    /// An attempt ends, of an executor or of what is left of one.
    fn end(&mut self) {
        let all = |world: &Self| {
            let of = |executor: &Executor| executor.running.len();
            world.zombies.len() + world.executors.iter().map(of).sum::<usize>()
        };
        let mut index = self.pick(all(self));
        let queues = self.executors.iter_mut().map(|executor| &mut executor.running);
        let mut queues: Vec<_> = queues.chain([&mut self.zombies]).collect();
        let queue = queues.iter_mut().find(|queue| {
            let is_here = index < queue.len();
            index -= if is_here { 0 } else { queue.len() };
            is_here
        });
        let HeldAttempt { task_id, attempt, .. } =
            queue.expect("the index is below the sum").swap_remove(index);
        let command = if self.chance(15) {
            let error = Failure::new("exit", "exit code 1", true);
            Command::Fail { attempt, error }
        } else {
            let children = usize::from(self.chance(20));
            Command::Finish { attempt, success: Box::new(success(children)) }
        };
        self.command(task_id, &command);
        // It says the same once more, or something else.
        if self.chance(10) {
            let finish = Command::Finish { attempt, success: Box::new(success(0)) };
            assert!(!self.command(task_id, &finish), "an attempt ends once");
        }
    }

    /// An executor dies, and is back at once or after a while. Some of its processes may go on.
    fn kill(&mut self) {
        let (index, zombies) = (self.pick(2), self.chance(30));
        let absence = if self.chance(50) { 0 } else { 40 };
        let born = self.log.len() as u64;
        let executor = &mut self.executors[index];
        let running = std::mem::take(&mut executor.running);
        executor.hung.clear();
        executor.boot += 1;
        executor.born = born;
        executor.silent_until = self.clock + absence * 1_000_000;
        if zombies {
            self.zombies.extend(running);
        }
    }

    /// Time goes on: heartbeats, most of which are heard, and an echo.
    fn tick(&mut self) {
        self.clock += (LEASE / 6).as_micros() as i64;
        let now = Timestamp::from_micros(self.clock);
        if self.chance(2) {
            self.keeper.interrupted();
        }
        for index in 0..2 {
            let is_heard = self.chance(90);
            let executor = &mut self.executors[index];
            if executor.silent_until > self.clock || !is_heard {
                continue;
            }
            let attempts = executor.running.iter().chain(&executor.hung).copied().collect();
            let beat = Heartbeat {
                service_id: node(index),
                boot_id: executor.boot_id(index),
                born: executor.born,
                attempts,
                lease: Millis(LEASE.as_millis() as u64),
            };
            let reply = self.keeper.heard(&beat, now);
            let silence = self.clock - executor.heard_at;
            executor.heard_at = self.clock;
            let cancelled = reply.cancelled.iter().map(|order| (order.task_id, order.attempt));
            let lost = reply.lost.iter().map(|held| (held.task_id, held.attempt));
            for (task_id, attempt) in cancelled.chain(lost) {
                let task = &self.tasks[&task_id].0;
                let is_over = task.status != Status::Received || task.attempt != attempt;
                // It is taken away from who was silent; that may be lost on its way, or yet to be
                // carried out, and then the executor knows first.
                let is_due = silence >= LEASE.as_micros() as i64 || self.careless > 0;
                assert!(is_over || is_due, "a healthy attempt was called off");
                executor.stop(task_id, attempt);
            }
        }
        self.keeper.echoed(now);
    }

    fn is_idle(&self) -> bool {
        let is_idle = |executor: &Executor| executor.running.is_empty();
        self.delivered == self.log.len()
            && self.claimable.is_empty()
            && self.zombies.is_empty()
            && self.executors.iter().all(is_idle)
    }

    fn run(&mut self, cancel: bool) {
        for _ in 0..STEPS_MAX {
            if self.act() && self.is_idle() {
                let is_over = |(task, _): &(Task, u64)| task.status.is_terminal();
                // What was lost on its way is found after a while.
                let may_be_lost = self.careless > 0 && self.clock < self.acted_at + 60_000_000;
                if self.tasks.values().all(is_over) && !may_be_lost {
                    return;
                }
                let is_held = |(task, _): &(Task, u64)| task.status == Status::Received;
                if !self.tasks.values().any(is_held)
                    && let Some(at) = self.scheduler.next_due()
                {
                    self.clock = self.clock.max(at.micros());
                }
                self.tick();
            }
            let ends = self.executors.iter().any(|executor| !executor.running.is_empty());
            match self.pick(4) {
                0 if self.delivered < self.log.len() => self.deliver(),
                1 if !self.claimable.is_empty() => self.claim(),
                2 if ends || !self.zombies.is_empty() => self.end(),
                3 if self.delivered < self.log.len() && self.chance(30) => self.foresee(),
                _ => {}
            }
            if self.chance(1) {
                self.kill();
            }
            if self.chance(5) {
                self.tick();
            }
            if cancel && self.chance(1) {
                self.cancel_context();
            }
        }
        let stuck: Vec<_> =
            self.tasks.iter().filter(|(_, (task, _))| !task.status.is_terminal()).collect();
        panic!("these tasks are stuck: {stuck:#?}");
    }

    /// How many attempts failed with an error of `kind`.
    fn failed(&self, kind: &str) -> usize {
        let of_kind = |recorded: &&Recorded| match &recorded.event {
            Event::TaskAttemptFailed(failed) => failed.error.kind == kind,
            _ => false,
        };
        self.log.iter().filter(of_kind).count()
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

impl Executor {
    fn boot_id(&self, index: usize) -> Id {
        id(&format!("boot {} of {index}", self.boot))
    }

    fn stop(&mut self, task_id: Id, attempt: u32) {
        for attempts in [&mut self.running, &mut self.hung] {
            attempts.retain(|held| (held.task_id, held.attempt) != (task_id, attempt));
        }
    }
}

fn node(index: usize) -> String {
    format!("node {index}")
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
        timeouts: Timeouts { attempt: Some(Millis(60_000)), ..Timeouts::default() },
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
            when: None,
            context_id: id("context"),
            parent_id: None,
            restart_root: None,
            restart_parent: None,
            queue: "default".into(),
            shard_key: None,
            priority: 0,
            labels: BTreeMap::new(),
            retry: RetryPolicy { attempts: 3, backoff: Millis(1_000), ..RetryPolicy::default() },
            timeouts: Timeouts { attempt: Some(Millis(60_000)), ..Timeouts::default() },
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
        careless in prop::sample::select(vec![0, 0, 2, 30]),
        rng in any::<u64>().prop_perturb(|_, rng| rng),
    ) {
        let mut world = World::new(rng);
        world.careless = careless;
        world.open(pipeline(&edges));
        world.run(cancel);
        world.check(edges.len());
        assert_eq!(world.scheduler.tasks(), 0, "nothing is remembered of what is over");
        assert_eq!(world.keeper.held(), 0, "nobody holds what is over");
        let mut late = Scheduler::default();
        world.log.iter().for_each(|recorded| late.apply(recorded));
        assert_eq!(late.due(Timestamp::from_micros(i64::MAX), usize::MAX), [], "nothing is left to do");
        let ok = |task: &Task| task.status != Status::Absent;
        assert!(world.tasks.values().all(|(task, _)| ok(task)));
    }
}

/// Nobody crashes and nobody is told: each effect is lost once on its way, and done all the same.
#[test]
fn what_is_lost_without_a_trace_is_due_again_within_a_minute() {
    const MINUTE: i64 = 60_000_000;
    let mut world = World::new(TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    world.open(pipeline(&[vec![], vec![(0, false)]]));
    // A timer is not set again: what follows from it is done when it is missed.
    let shows = |effect: &&Effect| {
        !matches!(effect, Effect::Order { .. } | Effect::SetTimer(_) | Effect::CancelTimer { .. })
    };
    let mut kinds = Vec::new();
    // The first is claimed and never ends, so that its time is up; then all is cancelled.
    for step in 0..20 {
        while world.delivered < world.log.len() {
            world.deliver();
        }
        let lost = world.due();
        world.clock += MINUTE / 2;
        let again = world.due();
        let mut lost = lost.iter().filter(shows);
        assert!(lost.all(|effect| again.contains(effect)), "step {step}: {again:#?}");
        for effect in again {
            kinds.push(effect.kind());
            world.carry_out(effect);
        }
        if !world.claimable.is_empty() {
            world.claim();
        }
        if step == 9 {
            world.cancel_context();
        }
    }
    for kind in ["spawn", "announce", "fail", "cancel"] {
        assert!(kinds.contains(&kind), "{kind} is among {kinds:?}");
    }
    assert!(world.tasks.values().all(|(task, _)| task.status.is_terminal()));
}

/// What the runs above rely on does happen in them.
#[test]
fn the_world_is_as_unfriendly_as_it_should_be() {
    let edges: Vec<Vec<(usize, bool)>> = (0..12).map(|n| vec![(n / 2, n % 3 == 0)]).collect();
    let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..60_u8 {
        let seed = [seed; 32];
        let mut world = World::new(TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        world.open(pipeline(&edges));
        world.run(false);
        world.check(edges.len());
        for kind in ["lease", "timeout", "exit"] {
            *failed.entry(kind).or_default() += world.failed(kind);
        }
    }
    assert!(failed.values().all(|count| *count > 10), "{failed:?}");
}
