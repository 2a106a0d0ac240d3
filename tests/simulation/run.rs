//! Runs: one of a seed, and many over all cores.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    broken::Broken,
    judge::Violation,
    world::{Happened, Tally, World},
};

/// How a run is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    pub(crate) broken: Broken,
    /// Steps at which nothing happens.
    pub(crate) left_out: BTreeSet<u64>,
    /// Whether to say more of each step.
    pub(crate) is_telling: bool,
}

/// What happened at a step.
pub(crate) struct Step {
    pub(crate) happened: Option<Happened>,
    /// What there is to say of it.
    pub(crate) told: String,
    /// The end of the stream after it.
    pub(crate) head: u64,
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) world: World,
    pub(crate) steps: Vec<Step>,
    pub(crate) violation: Option<Violation>,
}

impl Plan {
    pub(crate) fn of(seed: u64, steps: u64, broken: Broken) -> Self {
        Self { seed, steps, broken, left_out: BTreeSet::new(), is_telling: false }
    }

    pub(crate) fn run(&self) -> Outcome {
        let mut world = World::new(self.seed, self.broken);
        world.is_telling = self.is_telling;
        let mut steps = Vec::with_capacity(self.steps as usize);
        let run = AssertUnwindSafe(|| self.go(&mut world, &mut steps));
        if let Err(panic) = catch_unwind(run) {
            let told = panic.downcast_ref::<String>().cloned();
            let what = told.or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()));
            let what = what.unwrap_or_default();
            world.violation = Some(Violation { invariant: "nobody panics", what });
        }
        let violation = world.violation.clone();
        Outcome { world, steps, violation }
    }

    fn go(&self, world: &mut World, steps: &mut Vec<Step>) {
        for step in 0..self.steps {
            if world.violation.is_some() {
                return;
            }
            let happened = world.step(step, self.left_out.contains(&step));
            let told = world.told.take().unwrap_or_default();
            steps.push(Step { happened, told, head: world.ledger.head() });
        }
        world.rest();
        for turn in 0..2 {
            world.restart_in_peace(turn);
        }
    }
}

/// What came of many runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    pub(crate) events: u64,
    pub(crate) tally: Tally,
    /// Seeds that broke something, the lowest first.
    pub(crate) broken: Vec<(u64, Violation)>,
    pub(crate) took: Duration,
}

/// How many broken seeds are told.
const TOLD_MAX: usize = 20;

/// Runs the seeds `from..from + count`, each for `steps`, until enough have broken something.
pub(crate) fn many(from: u64, count: u64, steps: u64, broken: Broken, told: usize) -> Report {
    let start = Instant::now();
    let next = AtomicU64::new(from);
    let enough = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    let work = || {
        let mut own = Report::default();
        while !enough.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count {
                break;
            }
            let outcome = Plan::of(seed, steps, broken).run();
            own.seeds += 1;
            own.steps += outcome.steps.len() as u64;
            own.events += outcome.world.ledger.head();
            own.tally.add(&outcome.world.tally);
            if let Some(violation) = outcome.violation {
                own.broken.push((seed, violation));
                if own.broken.len() >= told.min(TOLD_MAX) {
                    enough.store(true, Ordering::Relaxed);
                }
            }
        }
        let mut all = report.lock().expect("nobody panics with it");
        all.seeds += own.seeds;
        all.steps += own.steps;
        all.events += own.events;
        all.tally.add(&own.tally);
        all.broken.extend(own.broken);
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut report = report.into_inner().expect("nobody panics with it");
    report.broken.sort_by_key(|(seed, _)| *seed);
    report.took = start.elapsed();
    report
}
