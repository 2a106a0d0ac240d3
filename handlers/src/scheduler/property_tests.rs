//! Whatever happens in whatever order: what the scheduler knows by counting and watching is what
//! the log says as a whole.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Event, Id, Kind, Millis, Timeouts, TriggerRule,
    dependency::{Approval, Readiness, Trigger, Upstream},
    policy,
    restart::OutputPolicy,
    task::{Approved, Cancel, Command, Restart, Spawned, Status},
};
use kantoku_streams::digest_of;
use proptest::prelude::*;

use super::testing::*;
use crate::{
    Effect, Handler as _,
    snapshot::SCHEMA,
    testing::{assert_restorable, written_of},
};

/// One more task, which has limits at times.
fn another(index: usize, how: (u8, u8, u8)) -> Spawned {
    let limit = |divisor| how.1.is_multiple_of(divisor).then_some(Millis(50_000));
    let (attempt, queue, total) = (limit(2), limit(3), limit(5));
    let timeouts = Timeouts { attempt, queue, total, ..Timeouts::default() };
    Spawned { timeouts, ..waiting(index, how) }
}

/// One more task, which waits for earlier ones in one of many ways.
fn waiting(index: usize, (kind, x, y): (u8, u8, u8)) -> Spawned {
    let step = index.to_string();
    let Some(earlier) = index.checked_sub(1) else { return task(&step) };
    let of = |n: u8| (usize::from(n) % (earlier + 1)).to_string();
    let (x, y, rule) = (of(x), of(y), TriggerRule::ALL[usize::from(y) % 6]);
    let on = |it: fn(Id) -> Dependency, step: &str| it(id(step));
    match kind % 9 {
        0 | 1 => reader(&step, &[&x, &y]),
        2 => dependent(&step, on(Dependency::Task, &x)),
        3 => dependent(
            &step,
            Dependency::Any(vec![on(Dependency::Task, &x), Dependency::Resource(out(&y))]),
        ),
        4 | 5 => {
            let upstream = |step: &String| Upstream { task: id(step), inputs: vec![step.clone()] };
            let upstream = [&x, &y].map(upstream).into();
            Spawned { when: Some(Trigger { rule, upstream }), ..reader(&step, &[&x, &y]) }
        }
        6 => dependent(&step, Dependency::Not(Box::new(on(Dependency::Task, &x)))),
        7 => {
            let of = Box::new(on(Dependency::Done, &x));
            let within = Dependency::Within { time: Millis(40_000), of };
            Spawned { depends_on: Some(within), ..reader(&step, &[&y]) }
        }
        _ => {
            let approval = Approval { name: "release".into(), count: 1, by: vec![] };
            Spawned { depends_on: Some(Dependency::Approval(approval)), ..reader(&step, &[&x]) }
        }
    }
}

/// A run: the scene, and what is on its way.
struct Run {
    scene: Scene,
    decided: Vec<Effect>,
    planned: Vec<(Id, Spawned)>,
    /// Tasks that are to stop with others.
    to_stop: Vec<Id>,
    paused: bool,
}

impl Run {
    fn new(tasks: impl IntoIterator<Item = Spawned>) -> Self {
        let scene = Scene::of(tasks);
        Self { scene, decided: vec![], planned: vec![], to_stop: vec![], paused: false }
    }

    fn ids(&self, is_meant: impl Fn(Status) -> bool) -> Vec<Id> {
        let tasks = self.scene.tasks().filter(|(_, task)| is_meant(task.status));
        tasks.map(|(id, _)| id).collect()
    }

    /// Sends a command, which may be refused, to one of those that are meant.
    fn send(&mut self, x: u8, is_meant: impl Fn(Status) -> bool, command: &Command) {
        if let Some(id) = chosen(&self.ids(is_meant), x) {
            drop(self.scene.send(id, command));
        }
    }

    fn step(&mut self, (what, x, y): (u8, u8, u8)) {
        let is_live = |status: Status| !status.is_terminal();
        match what % 20 {
            0..4 if self.decided.is_empty() => drop(self.scene.act()),
            4 => self.decided.extend(self.scene.unchecked_due()),
            5 | 6 if !self.decided.is_empty() => {
                let effect = self.decided.swap_remove(usize::from(x) % self.decided.len());
                self.scene.carry_out(effect);
            }
            7 | 8 => self.claim(x),
            9..12 => self.end(x, y),
            12 | 13 => self.restart(x, y),
            14 if !self.planned.is_empty() => {
                let planned = self.planned.swap_remove(usize::from(x) % self.planned.len());
                self.scene.spawn_planned(planned);
            }
            15 if y % 3 == 0 && !self.to_stop.is_empty() => self.stop(),
            15 => self.cancel(x, y),
            16 if y % 2 == 0 => {
                self.send(x, is_live, &Command::Pause { reason: String::new() });
            }
            16 => self.send(x, is_live, &Command::Resume),
            17 => self.pause_context(),
            18 if y % 3 == 0 => self.limit(u32::from(x) % 4),
            18 => {
                let approved = Approved { name: "release".into(), by: "ann".into() };
                self.send(x, is_live, &Command::Approve(approved));
            }
            _ => self.scene.now += i64::from(y) / 10,
        }
    }

    /// Stops a task, and with it perhaps another.
    fn cancel(&mut self, x: u8, y: u8) {
        let live = self.ids(|status| !status.is_terminal());
        let with = chosen(&live, y).filter(|_| y.is_multiple_of(2));
        let dependents: Vec<Id> = with.into_iter().collect();
        let cancel = Cancel { dependents: dependents.clone(), ..Cancel::because("enough") };
        if let Some(id) = chosen(&live, x)
            && let Ok(Some(_)) = self.scene.send(id, &Command::Cancel(cancel))
        {
            self.to_stop.extend(dependents);
        }
    }

    /// The order to stop reaches one more task.
    fn stop(&mut self) {
        if let Some(id) = self.to_stop.pop() {
            drop(self.scene.send(id, &Command::Cancel(Cancel::because("with another"))));
        }
    }

    fn claim(&mut self, x: u8) {
        if let Some(id) = chosen(&self.scene.claimable(), x) {
            self.scene.claim(id);
        }
    }

    fn end(&mut self, x: u8, y: u8) {
        let Some(id) = chosen(&self.ids(|status| status == Status::Received), x) else { return };
        let end = match y % 6 {
            0 => End::Failed { retryable: true },
            1 | 2 => End::Failed { retryable: false },
            3 => End::Delegated,
            _ => End::Ok,
        };
        self.planned.extend(self.scene.end(id, end));
    }

    fn restart(&mut self, x: u8, y: u8) {
        let outputs = [OutputPolicy::Reuse, OutputPolicy::Reallocate][usize::from(y) % 2];
        // A step of a plan replaces what lives, too.
        let step_of = (y % 8 == 1).then(|| id(&format!("plan {}", self.scene.log.len())));
        let restart = Restart { outputs, step_of, ..Restart::default() };
        let is_meant = |status: Status| step_of.is_some() || status.is_terminal();
        let Some(id) = chosen(&self.ids(is_meant), x) else { return };
        let decision = self.scene.send(id, &Command::Restart(Box::new(restart)));
        if let Ok(Some(Event::TaskRestarted(restarted))) = decision {
            self.scene.call(restarted.successor.id, "again");
            self.planned.push((restarted.successor.id, restarted.successor.task));
        }
    }

    fn pause_context(&mut self) {
        self.paused = !self.paused;
        if self.paused {
            self.scene.pause(Kind::Context, id("context"));
        } else {
            self.scene.resume(Kind::Context, id("context"));
        }
    }

    fn limit(&mut self, concurrency: u32) {
        let specification = Some(name("spec"));
        let concurrency = Some(concurrency);
        self.scene.apply_policy(policy::Limit {
            specification,
            concurrency,
            ..policy::Limit::default()
        });
    }

    /// Everything that is on its way arrives, nobody stands in the way, and time goes on.
    fn come_to_rest(&mut self) {
        if self.paused {
            self.pause_context();
        }
        self.limit(1_000);
        for _ in 0..1_000 {
            let seen = self.scene.log.len();
            for id in self.ids(|status| !status.is_terminal()) {
                if self.scene.task(id).paused.is_some() {
                    self.scene.order(id, &Command::Resume);
                }
            }
            for effect in std::mem::take(&mut self.decided) {
                self.scene.carry_out(effect);
            }
            for planned in std::mem::take(&mut self.planned) {
                self.scene.spawn_planned(planned);
            }
            while !self.to_stop.is_empty() {
                self.stop();
            }
            self.scene.act();
            for id in self.scene.claimable() {
                self.scene.claim(id);
            }
            for id in self.ids(|status| status == Status::Received) {
                self.scene.end(id, End::Ok);
            }
            if seen < self.scene.log.len() {
                continue;
            }
            match self.scene.scheduler.next_due() {
                Some(at) => self.scene.now = self.scene.now.max(at.micros() / 1_000_000 + 1),
                None => return,
            }
        }
        panic!("it does not come to rest: {:#?}", self.scene.log);
    }

    /// Nobody waits who may run or never will, and nobody is given up who may run.
    fn check(&self) {
        for (id, task) in self.scene.tasks() {
            let oracle = self.scene.oracle(id);
            let spawned = task.spawned.as_ref().expect("it exists");
            let readiness = oracle.readiness(spawned, at(self.scene.now));
            match (task.status, &task.skipped) {
                (Status::Initialized, _) => {
                    let is_pending = matches!(readiness, Readiness::Pending { .. });
                    assert!(is_pending, "{id} waits, though {readiness:?}: {spawned:#?}");
                }
                (Status::Skipped, Some(skipped)) if task.restarted_as.is_none() => {
                    let revival = skipped.revival(&readiness, |cause| oracle.successor(cause));
                    assert_eq!(revival, None, "{id} was given up: {spawned:#?}");
                }
                (status, _) => assert!(status.is_terminal()),
            }
        }
        assert!(self.scene.slots().is_empty(), "nothing runs");
    }
}

fn chosen(ids: &[Id], x: u8) -> Option<Id> {
    ids.get(usize::from(x).checked_rem(ids.len())?).copied()
}

fn any_three() -> impl Strategy<Value = (u8, u8, u8)> {
    any::<(u8, u8, u8)>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn it_decides_what_the_whole_log_says(
        tasks in prop::collection::vec(any_three(), 1..9),
        steps in prop::collection::vec(any_three(), 0..100),
        cut: u16,
    ) {
        let tasks = tasks.into_iter().enumerate().map(|(index, how)| another(index, how));
        let mut run = Run::new(tasks);
        for step in steps {
            run.step(step);
        }
        let log = &run.scene.log;
        assert_restorable(log, usize::from(cut) % (log.len() + 1));
        run.come_to_rest();
        run.check();
        let log = &run.scene.log;
        assert_restorable(log, usize::from(cut) % (log.len() + 1));
    }
}

/// What handlers write down of the runs below. Where it changes, so has what they hold, or what they make
/// of events: raise `SCHEMA`, and put here what the test has found.
const WRITTEN: (u32, &str) =
    (1, "sha256:17bbffe7371b5b36618a19f3caa3c7dc4c162ecd166acd71da7f66586afd3eef");

/// What the runs above rely on does happen in them.
#[test]
fn the_runs_are_as_mixed_as_they_should_be() {
    let mut events: BTreeMap<&str, usize> = BTreeMap::new();
    let mut written = Vec::new();
    for seed in 0..40_u32 {
        let mut number = seed.wrapping_mul(2_654_435_761) | 1;
        let mut next = || {
            // Marsaglia's xorshift.
            number ^= number << 13;
            number ^= number >> 17;
            number ^= number << 5;
            (number >> 8) as u8
        };
        let mut three = || (next(), next(), next());
        let tasks: Vec<_> = (0..8).map(|index| another(index, three())).collect();
        let mut run = Run::new(tasks);
        for _ in 0..150 {
            run.step(three());
        }
        run.come_to_rest();
        run.check();
        let log = &run.scene.log;
        written.extend(written_of(&log[..log.len() / 2]));
        written.extend(written_of(log));
        for recorded in &run.scene.log {
            *events.entry(recorded.event.name()).or_default() += 1;
        }
    }
    for name in ["TaskSkipped", "TaskRevived", "TaskRestarted", "TaskPaused", "TaskApproved"] {
        assert!(events.get(name).is_some_and(|times| *times > 5), "{name}: {events:?}");
    }
    assert_eq!((SCHEMA, &*digest_of(&written)), WRITTEN, "see there");
}
