//! A simulation: the real domain and the real handlers in a world where everything goes wrong that
//! can, one seed a run. `make simulate SEEDS=n` runs many.

mod broken;
mod judge;
mod ledger;
mod model;
mod rng;
mod run;
mod shrink;
mod trace;
mod world;

use std::{env, time::SystemTime};

use broken::Broken;
use kantoku_domain::{Event, Recorded};
use kantoku_streams::subject;
use ktk::audit::{Audit, Extent, Findings};
use run::{Plan, Report, many};

/// Steps of a run, before it is let come to rest.
const STEPS: u64 = 400;

/// An optimised build does in a second what takes another one a minute.
const fn count(optimised: u64, other: u64) -> u64 {
    if cfg!(debug_assertions) { other } else { optimised }
}

/// Nothing is broken; or the first run that is, as short as it can be made.
#[track_caller]
fn assert_well(report: &Report, from: u64) {
    let Report { seeds, steps, events, took, broken, .. } = report;
    let rate = *steps as f64 / took.as_secs_f64();
    eprintln!(
        "simulated {seeds} seeds from {from}: {steps} steps, {events} events, {} violations, \
         {:.1} s, {rate:.0} steps/s",
        broken.len(),
        took.as_secs_f64()
    );
    let Some((seed, _)) = broken.first() else { return };
    for (seed, violation) in broken {
        eprintln!("seed {seed}: {}: {}", violation.invariant, violation.what);
    }
    explain(*seed);
    panic!("{} of {seeds} seeds break an invariant, the first is {seed}", broken.len());
}

/// Says what is wrong with a run, and whether anything is.
fn explain(seed: u64) -> bool {
    let (plan, _) = shrink::shrink(&Plan::of(seed, STEPS, Broken::Nothing));
    let plan = Plan { is_telling: true, ..plan };
    let outcome = plan.run();
    eprintln!("{}", trace::told(&plan, &outcome));
    eprintln!("again: make simulate SEED={seed}");
    outcome.violation.is_some()
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_seed_breaks_an_invariant() {
    if let Some(seed) = number("KTK_SIMULATE_SEED") {
        return assert!(!explain(seed), "seed {seed} breaks an invariant");
    }
    let from = number("KTK_SIMULATE_FROM").unwrap_or_default();
    let count = number("KTK_SIMULATE_SEEDS").unwrap_or(count(2_000, 100));
    let report = many(from, count, STEPS, Broken::Nothing, 20);
    assert_well(&report, from);
}

#[test]
fn nor_do_those_of_this_hour() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let from = now.as_secs() / 3_600 * 1_000_000;
    let report = many(from, count(200, 10), STEPS, Broken::Nothing, 20);
    assert_well(&report, from);
}

/// How many seeds may pass before a broken rule is noticed.
const NOTICED_WITHIN: u64 = 400;

#[test]
fn whatever_rule_is_broken_some_seed_shows_it() {
    for broken in Broken::ALL {
        let report = many(0, NOTICED_WITHIN, STEPS, broken, 1);
        let Some((seed, violation)) = report.broken.first() else {
            panic!("{broken:?} was not noticed in {NOTICED_WITHIN} seeds");
        };
        let well = Plan::of(*seed, STEPS, Broken::Nothing).run().violation;
        assert_eq!(well, None, "{broken:?}: seed {seed} is well as long as the rules are");
        eprintln!("{broken:?}: seed {seed}: {}", violation.invariant);
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..count(50, 10) {
        let run = || Plan::of(seed, STEPS, Broken::Nothing).run().world.ledger.events;
        assert!(run() == run(), "seed {seed}");
    }
}

/// What `ktk events verify` asks of a history holds for every one that the rules let come about.
#[test]
fn whatever_comes_about_is_found_sound() {
    for seed in 0..count(300, 30) {
        let outcome = Plan::of(seed, STEPS, Broken::Nothing).run();
        let (mut audit, mut findings) = (Audit::new(Extent::Whole), Findings::default());
        for recorded in &outcome.world.ledger.events {
            let mut recorded = Recorded::clone(recorded);
            // Nothing here lies anywhere.
            recorded.subject = match &recorded.event {
                Event::TaskReady(_) => subject::ready(&recorded.namespace, "default", 0),
                _ => subject::event(&recorded.namespace, recorded.aggregate, recorded.id),
            };
            audit.take(&recorded, &mut findings);
        }
        assert_eq!(findings.found(), 0, "seed {seed}: {:#?}", findings.kept());
    }
}

/// Events that have nothing to do with tasks that run.
const ELSEWHERE: [&str; 3] = ["TypeApplied", "PipelineApplied", "ResourceReleased"];

/// What goes wrong, and what comes of it.
const FAULTS: [&str; 17] = [
    "a claim is refused",
    "a command is refused",
    "a ghost reports",
    "a lease is lost",
    "a node crashes",
    "a node starts from a snapshot",
    "a restart cannot be planned",
    "a restart in peace",
    "a restart is refused",
    "a step is overtaken",
    "a timer fires",
    "an answer is lost",
    "an append arrives late",
    "an end is refused",
    "an executor dies",
    "at rest: waits",
    "the clock jumps",
];

/// A run in which nothing goes wrong proves nothing.
#[test]
fn everything_happens_that_can() {
    let report = many(0, count(1_000, 100), STEPS, Broken::Nothing, 20);
    let events = Event::NAMES.iter().filter(|name| !ELSEWHERE.contains(name));
    let times = |what: &str| report.tally.0.get(what).copied().unwrap_or_default();
    for what in events.chain(&FAULTS) {
        assert!(
            times(what) >= count(20, 1),
            "{what}: {} times in {:#?}",
            times(what),
            report.tally
        );
    }
}
