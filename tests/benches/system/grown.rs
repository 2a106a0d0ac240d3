//! W7, W8 and W9: the same system with a long history.

use std::time::Instant;

use crate::{
    Results,
    args::Args,
    history, machine, manifests,
    measured::{Measured, at, sorted},
    recovery,
    stand::{Stand, Up},
    workloads::{self, again},
};

const RESTART: &str = "ktk dev up with the history → the result of the first task";

/// Measures an empty system, gives it `tasks` finished tasks, and measures it again.
pub(crate) async fn run(args: &Args, tasks: usize, results: &mut Results) {
    let stand = Stand::new(args.sync);
    let up = stand.up().await;
    manifests::apply(&up.client).await;
    results.common = machine::describe(&up).await;
    drop(up);
    stand.down();
    eprintln!("history: an empty system first");
    let mut recovered = Vec::new();
    if args.wants("W9") {
        recovered = recovery::measure(&stand, args.runs).await;
    }
    let mut empty = Vec::new();
    if args.wants("W7") {
        let up = stand.up().await;
        workloads::warm_up(&up).await;
        empty = loads(&up, args.runs).await;
        drop(up);
        stand.down();
    }
    let made = Box::pin(history::make(&stand, tasks)).await;
    eprintln!("history: {tasks} tasks appended in {made:.0} s");

    let begun = Instant::now();
    let up = stand.up().await;
    again(&up, RESTART).await;
    up.at_rest().await;
    let caught_up = begun.elapsed().as_secs_f64();
    eprintln!("history: everything has caught up after {caught_up:.0} s");
    if args.wants("W7") {
        workloads::warm_up(&up).await;
        let grown = loads(&up, args.runs).await;
        for (name, measured) in compared(grown, &empty) {
            let measured = measured.with("history", tasks as f64).with("made_seconds", made);
            results.push(if name == "W1" { "W7 W1" } else { "W7 W4" }, measured);
        }
    }
    if args.wants("W8") {
        for _ in 0..args.runs {
            for (name, measured) in workloads::run("W8", &up).await {
                results.push(name, measured.with("caught_up_seconds", caught_up));
            }
        }
    }
    drop(up);
    stand.down();
    if args.wants("W9") {
        for _ in 0..args.runs {
            let up = stand.up().await;
            results.push("W9 stand", again(&up, RESTART).await.with("history", tasks as f64));
            drop(up);
            stand.down();
        }
        let grown = recovery::measure(&stand, args.runs).await;
        for (name, measured) in compared(grown, &recovered) {
            results.push(name, measured.with("history", tasks as f64));
        }
    }
}

type Named = (&'static str, Measured);

async fn loads(up: &Up, runs: usize) -> Vec<Named> {
    let mut all = Vec::new();
    for name in ["W4", "W1"] {
        for run in 1..=runs {
            eprintln!("{name}: run {run} of {runs}");
            all.extend(workloads::run(name, up).await);
            up.at_rest().await;
        }
    }
    all
}

/// With how long the same took on the empty system.
fn compared(grown: Vec<Named>, empty: &[Named]) -> Vec<Named> {
    let before = |name: &str| {
        let of = empty.iter().filter(|(other, _)| *other == name);
        at(&sorted(of.map(|(_, measured)| measured.seconds).collect()), 0.5)
    };
    let with = |(name, measured): Named| {
        let Some(empty) = before(name) else { return (name, measured) };
        let ratio = measured.seconds / empty;
        (name, measured.with("empty_seconds", empty).with("times_empty", ratio))
    };
    grown.into_iter().map(with).collect()
}
