//! A scene for tests: the rules of the domain decide, and the scheduler folds what they decided.
//!
//! Every event is foreseen, applied, and applied again. Whenever the scheduler is asked what is due,
//! one that folds the history anew is asked as well, and has to say the same.

mod oracle;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Aggregate as _, Datum, Decision, Envelope, Event, Id, Kind, Namespace, Recorded, RetryPolicy,
    Standing, Task, Timeouts, Type,
    dependency::{HttpProbe, Probed},
    pause::{Paused, Resumed},
    policy,
    restart::OutputPolicy,
    task::{Child, Command, Failure, Ready, Received, Restart, Spawned, Success, Template},
};

use super::Scheduler;
use crate::{Effect, Handler as _};

pub(super) use oracle::Oracle;
pub(super) use tasks::*;

impl Scheduler {
    /// How much is kept of tasks that may still go on.
    pub(super) fn left(&self) -> [usize; 8] {
        [
            self.tasks.len(),
            self.watchers.len(),
            self.blamed.len(),
            self.awaited.len(),
            self.probes.len(),
            self.ready.len(),
            self.alarms.len(),
            self.slots().count(),
        ]
    }
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Ok,
    Failed { retryable: bool },
    Delegated,
}

impl End {
    fn command(self, attempt: u32) -> Command {
        let success = match self {
            Self::Failed { retryable } => {
                let error = Failure::new("exit", "exit code 1", retryable);
                return Command::Fail { attempt, error };
            }
            Self::Ok => {
                let outputs = [("out".to_owned(), Datum::Value(1.into()))].into();
                Success { outputs, ..Success::default() }
            }
            Self::Delegated => {
                let children = vec![Child { key: "child".into(), template: template() }];
                let delegate = [("out".into(), ("child".into(), "out".into()))].into();
                Success { children, delegate, ..Success::default() }
            }
        };
        Command::Finish { attempt, success: Box::new(success) }
    }
}

fn template() -> Template {
    Template {
        specification: task("child").specification,
        inputs: BTreeMap::new(),
        outputs: [("out".to_owned(), Type::Number)].into(),
        queue: "default".into(),
        labels: BTreeMap::new(),
        retry: RetryPolicy::default(),
        timeouts: Timeouts::default(),
    }
}

pub(super) struct Scene {
    pub(super) scheduler: Scheduler,
    pub(super) log: Vec<Recorded>,
    tasks: BTreeMap<Id, (Task, u64)>,
    /// What tasks are called: steps, and what they were restarted as.
    names: BTreeMap<Id, String>,
    answers: Vec<(HttpProbe, Probed)>,
    window: usize,
    pub(super) now: i64,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with_window(256)
    }

    pub(super) fn with_window(window: usize) -> Self {
        Self {
            scheduler: Scheduler::with_window(window),
            log: vec![],
            tasks: BTreeMap::new(),
            names: BTreeMap::new(),
            answers: vec![],
            window,
            now: 0,
        }
    }

    pub(super) fn of(tasks: impl IntoIterator<Item = Spawned>) -> Self {
        let mut scene = Self::new();
        tasks.into_iter().for_each(|task| scene.spawn(task));
        scene
    }

    /// What happens at one second is written down.
    pub(super) fn record(&mut self, aggregate: Kind, id: Id, event: Event) -> u64 {
        let stream_seq = self.log.len() as u64 + 1;
        let envelope = self.envelope(id);
        let previous = self.tasks.get(&id).map_or(0, |(_, position)| *position);
        let recorded = Recorded {
            stream_seq,
            subject: String::new(),
            namespace: Namespace::default(),
            aggregate,
            id,
            version: stream_seq,
            metadata: envelope.metadata(previous),
            event,
        };
        self.scheduler.foresee(&recorded);
        self.scheduler.apply(&recorded);
        self.scheduler.apply(&recorded);
        self.log.push(recorded);
        stream_seq
    }

    fn envelope(&self, aggregate_id: Id) -> Envelope {
        Envelope {
            aggregate_id,
            command_id: id(&format!("command {}", self.log.len())),
            at: at(self.now),
            actor: "ann".into(),
            service_id: "s".into(),
            causation_id: None,
            correlation_id: id("context"),
        }
    }

    pub(super) fn send(&mut self, id: Id, command: &Command) -> Decision {
        let envelope = self.envelope(id);
        let (task, _) = self.tasks.entry(id).or_default();
        let event = task.decide(command, &envelope)?;
        if let Some(event) = &event {
            task.evolve(event);
            let position = self.record(Kind::Task, id, event.clone());
            self.tasks.entry(id).or_default().1 = position;
        }
        Ok(event)
    }

    /// Sends a command that is accepted.
    pub(super) fn order(&mut self, id: Id, command: &Command) -> Event {
        self.send(id, command).expect("accepted").expect("an event")
    }

    pub(super) fn spawn(&mut self, task: Spawned) {
        let step = task.step.clone().expect("a step");
        self.names.insert(id(&step), step.clone());
        self.order(id(&step), &Command::Spawn(Box::new(task)));
    }

    /// A node takes the task.
    pub(super) fn receive(&mut self, step: &str) {
        self.claim(self.called(step));
    }

    pub(super) fn claim(&mut self, id: Id) {
        let task = self.task(id);
        let (attempt, round) = (task.attempt + 1, task.round);
        let (node, boot_id) = ("node".into(), super::testing::id("boot"));
        let received = Received { attempt, node, boot_id, ready_seq: 0, round };
        self.order(id, &Command::Receive(received));
    }

    pub(super) fn succeed(&mut self, step: &str) {
        self.receive(step);
        self.end(self.called(step), End::Ok);
    }

    /// A task ends well, and passes its output to a child, which is called `child`.
    pub(super) fn delegate(&mut self, step: &str) {
        self.receive(step);
        let planned = self.end(self.called(step), End::Delegated).expect("a child");
        self.spawn_planned(planned);
    }

    /// An attempt fails; the last, unless another may do better.
    pub(super) fn fail(&mut self, step: &str, retryable: bool) {
        self.receive(step);
        self.end(self.called(step), End::Failed { retryable });
    }

    /// The attempt of a task that a node has ends; the child that it leads to, if it does.
    pub(super) fn end(&mut self, id: Id, end: End) -> Option<(Id, Spawned)> {
        let attempt = self.task(id).attempt;
        let command = end.command(attempt);
        let Event::TaskFinished(finished) = self.order(id, &command) else { return None };
        let child = finished.children.into_iter().next()?;
        self.names.insert(child.id, "child".into());
        Some((child.id, child.task))
    }

    /// Restarts a task, and spawns what takes its place, which is called `step` with a prime.
    pub(super) fn restart(&mut self, step: &str, outputs: OutputPolicy) {
        let successor = self.decide_restart(step, Restart { outputs, ..Restart::default() });
        self.spawn_planned(successor);
    }

    pub(super) fn decide_restart(&mut self, step: &str, restart: Restart) -> (Id, Spawned) {
        let event = self.order(self.called(step), &Command::Restart(Box::new(restart)));
        let Event::TaskRestarted(restarted) = event else { panic!("{event:?}") };
        self.names.insert(restarted.successor.id, format!("{step}'"));
        (restarted.successor.id, restarted.successor.task)
    }

    pub(super) fn spawn_planned(&mut self, (id, task): (Id, Spawned)) {
        self.order(id, &Command::Spawn(Box::new(task)));
    }

    pub(super) fn called(&self, name: &str) -> Id {
        *self.names.iter().find(|(_, known)| *known == name).expect("a task").0
    }

    pub(super) fn call(&mut self, id: Id, name: &str) {
        self.names.insert(id, name.to_owned());
    }

    pub(super) fn pause(&mut self, kind: Kind, id: Id) {
        let paused = Paused { by: "ann".into(), reason: "audit".into(), since: at(self.now) };
        let event = match kind {
            Kind::Context => Event::ContextPaused(paused),
            Kind::Specification => Event::SpecificationPaused(paused),
            _ => Event::NamespacePaused(paused),
        };
        self.record(kind, id, event);
    }

    pub(super) fn resume(&mut self, kind: Kind, id: Id) {
        let resumed = Resumed { by: "ann".into() };
        let event = match kind {
            Kind::Context => Event::ContextResumed(resumed),
            Kind::Specification => Event::SpecificationResumed(resumed),
            _ => Event::NamespaceResumed(resumed),
        };
        self.record(kind, id, event);
    }

    pub(super) fn apply_policy(&mut self, limit: policy::Limit) {
        let limits = [("limit".to_owned(), limit)].into();
        let definition = policy::Definition { limits, ..policy::Definition::default() };
        let (name, digest) = (name("p"), String::new());
        let applied = policy::Applied { name, version: 1, digest, definition };
        self.record(Kind::Policy, id("policy"), Event::PolicyApplied(applied));
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = (Id, &Task)> {
        self.tasks.iter().map(|(id, (task, _))| (*id, task))
    }

    /// The tasks that were announced and can be claimed.
    pub(super) fn claimable(&self) -> Vec<Id> {
        let announced = self.log.iter().filter_map(|recorded| match &recorded.event {
            Event::TaskReady(ready) => {
                let fence = self.task(ready.task_id).fence();
                let is_early = at(self.now) < self.task(ready.task_id).not_before;
                (!is_early && fence.claim(ready.attempt, ready.round).is_ok())
                    .then_some(ready.task_id)
            }
            _ => None,
        });
        announced.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn oracle(&self, task: Id) -> Oracle<'_> {
        Oracle { log: &self.log, task }
    }

    /// The slots in use.
    pub(super) fn slots(&self) -> BTreeMap<String, usize> {
        self.scheduler.slots().collect()
    }

    pub(super) fn task(&self, id: Id) -> &Task {
        &self.tasks[&id].0
    }

    pub(super) fn standing(&self, step: &str) -> Standing {
        self.scheduler.standing(id(step), at(self.now)).expect("it is not over")
    }

    pub(super) fn answer(&mut self, probe: &HttpProbe, status: Option<u16>) {
        let probed = Probed { status, at: at(self.now) };
        self.scheduler.probed(probe, probed);
        self.answers.push((probe.clone(), probed));
    }

    /// What is due, while something that was due before may not be carried out.
    pub(super) fn unchecked_due(&mut self) -> Vec<Effect> {
        self.scheduler.due(at(self.now), usize::MAX)
    }

    /// Another scheduler leads.
    pub(super) fn stand_by(&mut self) {
        self.scheduler.stand_by();
    }

    /// What is due, checked against a scheduler that folds the history anew.
    pub(super) fn due(&mut self) -> Vec<Effect> {
        let mut anew = Scheduler::with_window(self.window);
        self.log.iter().for_each(|recorded| anew.apply(recorded));
        for (probe, probed) in &self.answers {
            // Whoever begins anew has asked first.
            anew.due(probed.at, usize::MAX);
            anew.probed(probe, *probed);
        }
        let mut restored = self.restored();
        let mut whole = Scheduler::with_window(self.window);
        self.log.iter().for_each(|recorded| whole.apply(recorded));
        assert!(restored.save().ok() == whole.save().ok(), "from a snapshot, the same is known");
        let due = self.unchecked_due();
        let commands = |effects: &[Effect]| {
            let effects = effects.iter().filter(|it| !matches!(it, Effect::Probe { .. }));
            let mut texts: Vec<_> = effects.map(|effect| format!("{effect:?}")).collect();
            texts.sort_unstable();
            texts
        };
        if self.answers.is_empty() {
            let again = anew.due(at(self.now), usize::MAX);
            assert_eq!(commands(&due), commands(&again), "folded anew, the same is due");
            let again = self.restored().due(at(self.now), usize::MAX);
            assert_eq!(commands(&due), commands(&again), "from a snapshot, the same is due");
            let slots = |scheduler: &Scheduler| scheduler.slots().collect::<BTreeMap<_, _>>();
            assert_eq!(slots(&self.scheduler), slots(&anew), "and the same slots are used");
        }
        due
    }

    /// A scheduler that goes on from a snapshot, taken somewhere in the log.
    fn restored(&self) -> Scheduler {
        let (before, after) = self.log.split_at(self.log.len() * 7 / 11);
        let mut first = Scheduler::default();
        for recorded in before {
            first.apply(recorded);
        }
        let mut restored = Scheduler::with_window(self.window);
        restored.restore(&first.save().expect("written")).expect("read");
        for recorded in after {
            restored.apply(recorded);
        }
        restored
    }

    /// Carries out what is due, and says what that was, in the order of the alphabet.
    pub(super) fn act(&mut self) -> Vec<String> {
        let due = self.due();
        let mut done: Vec<_> = due.into_iter().map(|effect| self.carry_out(effect)).collect();
        done.sort_unstable();
        done
    }

    /// An announcement that somebody has overtaken is refused.
    pub(super) fn carry_out(&mut self, effect: Effect) -> String {
        match effect {
            Effect::Announce { ready, .. } => {
                let Ready { task_id, attempt, round, guard, .. } = ready;
                let text = format!("ready {} {attempt}.{round}", self.names[&task_id]);
                if self.tasks[&task_id].1 == guard {
                    self.announce(ready);
                    text
                } else {
                    format!("refused: {text}")
                }
            }
            Effect::Command { task_id, command, .. } => {
                let what = match &command {
                    Command::Skip(skipped) => {
                        let mut blamed: Vec<_> =
                            skipped.causes().map(|id| self.names[&id].as_str()).collect();
                        blamed.sort_unstable();
                        format!(" because of {}", blamed.join(", "))
                    }
                    _ => String::new(),
                };
                let result = if self.send(task_id, &command).is_ok() { "" } else { "refused: " };
                format!("{result}{} {}{what}", command.name(), self.names[&task_id])
            }
            Effect::Probe { probe, .. } => format!("probe {}", probe.url),
            other => panic!("{other:?}"),
        }
    }

    fn announce(&mut self, ready: Ready) {
        let (id, position) = (ready.task_id, ready.guard);
        self.record(Kind::Task, id, Event::TaskReady(ready));
        self.tasks.entry(id).or_default().1 = position;
    }

    /// Time goes on, and what is due then is carried out.
    pub(super) fn wait_until(&mut self, seconds: i64) -> Vec<String> {
        self.now = seconds;
        self.act()
    }
}
