//! Executors: they claim, beat, run, report; they stall, die, and come back.

use std::{collections::BTreeSet, sync::Arc};

use kantoku_domain::{
    Datum, Envelope, Id, Recorded, Timestamp,
    task::{Command, Failure, Ready, Received, Success},
};
use kantoku_streams::HeldAttempt;

use super::{
    World,
    clock::Clock,
    op::{Came, Op, Order, Owner, Then, Work},
};

/// What the service ids of executors begin with.
pub(crate) const EXECUTOR: &str = "executor";

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Executor {
    seed: u64,
    pub(super) service_id: String,
    boots: u32,
    pub(super) boot_id: Id,
    /// Where the stream stood when this run beat first.
    pub(super) born: Option<u64>,
    pub(super) is_up: bool,
    pub(super) is_stalled: bool,
    pub(super) running: Vec<Run>,
    /// The announcements that this run has met.
    seen: BTreeSet<u64>,
    /// How far its clock is off.
    skew: i64,
}

/// An attempt in the hands of an executor.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) held: HeldAttempt,
    announced: Arc<Recorded>,
    pub(super) is_reporting: bool,
}

/// An attempt that goes on though its executor is gone.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    pub(super) executor: usize,
    pub(super) boot_id: Id,
    pub(super) run: Run,
}

impl Executor {
    pub(super) fn new(seed: u64, index: usize) -> Self {
        let service_id = format!("{EXECUTOR}-{index}");
        let boot_id = super::id(seed, &format!("{service_id}/0"));
        let skew = (index as i64 - 1) * 700_000;
        Self {
            seed,
            service_id,
            boots: 0,
            boot_id,
            born: None,
            is_up: true,
            is_stalled: false,
            running: Vec::new(),
            seen: BTreeSet::new(),
            skew,
        }
    }

    /// The time by its clock.
    fn now(&self, clock: &Clock) -> Timestamp {
        Timestamp::from_micros(clock.wall().micros() + self.skew)
    }

    pub(super) fn works(&self) -> bool {
        self.is_up && !self.is_stalled
    }

    pub(super) fn boot(&mut self) {
        self.boots += 1;
        self.boot_id = super::id(self.seed, &format!("{}/{}", self.service_id, self.boots));
        (self.born, self.is_up, self.is_stalled) = (None, true, false);
        self.seen.clear();
    }

    pub(super) fn leave(&mut self, task_id: Id, attempt: u32) {
        self.running.retain(|run| (run.held.task_id, run.held.attempt) != (task_id, attempt));
    }

    /// Told to stop: what is being reported is reported.
    pub(super) fn stop(&mut self, task_id: Id, attempt: u32) {
        self.running.retain(|run| {
            run.is_reporting || (run.held.task_id, run.held.attempt) != (task_id, attempt)
        });
    }
}

impl World {
    /// An executor with room takes an announcement and claims.
    pub(super) fn pull(&mut self, index: usize) -> bool {
        let claims = self.ops.iter().filter(|op| op.owner == Owner::Executor(index)).count();
        let executor = &self.executors[index];
        if !executor.works() || executor.running.len() + claims >= self.weather.slots {
            return false;
        }
        // Now and then it comes to two at once.
        let again = !self.is_calm && self.rng.chance(10);
        let now = self.clock.wall();
        let free = |at: &usize| {
            let announced = &self.queue[*at];
            (announced.in_hand.is_none() || again) && announced.not_before <= now
        };
        let free: Vec<usize> = (0..self.queue.len()).filter(free).collect();
        let Some(at) = self.rng.pick(&free).copied() else { return false };
        let seq = self.queue[at].seq;
        let executor = &mut self.executors[index];
        if !executor.seen.insert(seq) {
            let is_running = |run: &Run| run.announced.stream_seq == seq;
            let is_claiming = |op: &Op| {
                op.owner == Owner::Executor(index)
                    && matches!(&op.work, Work::Command { then: Then::Run(of), .. } if *of == seq)
            };
            if executor.running.iter().any(is_running) || !self.ops.iter().any(is_claiming) {
                self.queue.swap_remove(at);
            }
            return true;
        }
        self.queue[at].in_hand = Some(index);
        self.claim(index, seq);
        true
    }

    fn claim(&mut self, index: usize, seq: u64) {
        let Some(announced) = self.ledger.at(seq).map(Arc::clone) else { return };
        let Some(ready) = ready_of(&announced) else { return };
        let executor = &self.executors[index];
        let (mut attempt, mut round) = (ready.attempt, ready.round);
        if self.broken == crate::broken::Broken::ReadyNotTiedToAttempt
            && let Some(task) = self.ledger.task(ready.task_id)
        {
            (attempt, round) = (task.attempt + 1, task.round);
        }
        let command = Command::Receive(Received {
            attempt,
            node: executor.service_id.clone(),
            boot_id: executor.boot_id,
            ready_seq: seq,
            round,
        });
        let envelope = self.signed(index, executor.boot_id, &announced, "receive");
        let work = Work::Command { order: Order::Task(command), envelope, then: Then::Run(seq) };
        self.ops.push(Op::new(Owner::Executor(index), ready.task_id, work));
    }

    /// What a claim came to.
    pub(super) fn claimed(&mut self, index: usize, seq: u64, came: &Came) {
        let Some(announced) = self.ledger.at(seq).map(Arc::clone) else { return };
        let Some(ready) = ready_of(&announced) else { return };
        if let Came::Rejected(rejection) = came
            && rejection.reason == kantoku_domain::Reason::TooEarly
        {
            // It comes again later.
            self.executors[index].seen.remove(&seq);
            let task = self.ledger.task(ready.task_id);
            let not_before = task.map(|task| task.not_before).unwrap_or_default();
            let wait = not_before.since(self.executors[index].now(&self.clock));
            let not_before = self.clock.wall().plus(wait);
            for announced in self.queue.iter_mut().filter(|announced| announced.seq == seq) {
                (announced.in_hand, announced.not_before) = (None, not_before);
            }
            return;
        }
        if self.is_calm || !self.rng.chance(10) {
            self.queue.retain(|announced| announced.seq != seq);
        } else if let Some(announced) = self.queue.iter_mut().find(|it| it.seq == seq) {
            // That it is settled is lost: it comes once more.
            announced.in_hand = None;
        }
        let Came::Done(claimed) = came else { return };
        let (task_id, attempt) = (ready.task_id, ready.attempt);
        let last = || self.ledger.load::<kantoku_domain::Task>(task_id).stream_seq;
        let fence = claimed.unwrap_or_else(last);
        let held = HeldAttempt { task_id, attempt, fence };
        self.executors[index].running.push(Run { held, announced, is_reporting: false });
    }

    /// An attempt comes to its end.
    pub(super) fn end(&mut self, index: usize) -> bool {
        let executor = &mut self.executors[index];
        if !executor.works() {
            return false;
        }
        let open: Vec<usize> =
            (0..executor.running.len()).filter(|at| !executor.running[*at].is_reporting).collect();
        let Some(at) = self.rng.pick(&open).copied() else { return false };
        self.executors[index].running[at].is_reporting = true;
        let run = self.executors[index].running[at].clone();
        let boot_id = self.executors[index].boot_id;
        self.report(Owner::Executor(index), index, boot_id, &run);
        true
    }

    /// Somebody who is gone reports an end all the same.
    pub(super) fn haunt(&mut self) {
        let at = self.rng.below(self.ghosts.len());
        let Ghost { executor, boot_id, run } = self.ghosts.swap_remove(at);
        self.tally.count("a ghost reports");
        self.report(Owner::Gone, executor, boot_id, &run);
    }

    fn report(&mut self, owner: Owner, index: usize, boot_id: Id, run: &Run) {
        let HeldAttempt { task_id, attempt, .. } = run.held;
        let (key, command) = self.outcome(task_id, attempt);
        let envelope = self.signed(index, boot_id, &run.announced, key);
        let then = Then::Leave(task_id, attempt);
        let work = Work::Command { order: Order::Task(command), envelope, then };
        self.ops.push(Op::new(owner, task_id, work));
    }

    /// How an attempt ends.
    fn outcome(&mut self, task_id: Id, attempt: u32) -> (&'static str, Command) {
        if self.rng.chance(self.weather.failures) {
            let kind = *self.rng.pick(&["exit", "exit", "http", "script"]).unwrap_or(&"exit");
            let retryable = kind != "script";
            return ("fail", Command::Fail { attempt, error: Failure::new(kind, "no", retryable) });
        }
        let success = Box::new(self.success(task_id));
        ("finish", Command::Finish { attempt, success })
    }

    fn success(&mut self, task_id: Id) -> Success {
        let spawned = self.ledger.task(task_id).and_then(|task| task.spawned.clone());
        let Some(spawned) = spawned else { return Success::default() };
        let value = || Datum::Value(7.into());
        let mut success = Success {
            outputs: spawned.outputs.keys().map(|name| (name.clone(), value())).collect(),
            ..Success::default()
        };
        // Children of children of children have none.
        let is_deep = spawned.step.as_ref().is_some_and(|step| step.matches('/').count() > 1);
        if !is_deep && self.rng.chance(self.weather.children) {
            success.children = self.children(&spawned);
            let first = success.children.first().map(|child| child.key.clone());
            if let Some(key) = first.filter(|_| self.rng.chance(70)) {
                success.outputs.remove("out");
                success.delegate = [("out".into(), (key, "out".into()))].into();
            }
        }
        success
    }

    /// As an executor signs: with its run, so that the judge can tell them apart.
    fn signed(&self, index: usize, boot_id: Id, announced: &Recorded, what: &str) -> Envelope {
        let context_id = announced.metadata.correlation_id;
        let executor = &self.executors[index];
        Envelope {
            aggregate_id: announced.id,
            command_id: announced
                .metadata
                .event_id
                .derive(&format!("{what}:{boot_id}"), context_id.partition()),
            at: executor.now(&self.clock),
            actor: boot_id.to_string(),
            service_id: executor.service_id.clone(),
            causation_id: Some(announced.metadata.event_id),
            correlation_id: context_id,
        }
    }
}

fn ready_of(announced: &Recorded) -> Option<&Ready> {
    match &announced.event {
        kantoku_domain::Event::TaskReady(ready) => Some(ready),
        _ => None,
    }
}
