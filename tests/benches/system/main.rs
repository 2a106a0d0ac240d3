//! Workloads against whole private stands: one JSON line each on stdout, progress on stderr.
//!
//! `make bench`, or `cargo bench -p kantoku-tests --bench system -- [WORKLOAD …] [OPTIONS]` (see
//! [`args::USAGE`]). W1 to W6 run on a new stand each time, as the peers do; the line is that of the
//! median run. docs/performance.md says what the figures mean.

mod apart;
mod args;
mod grown;
mod guard;
mod history;
#[path = "../../pace/life.rs"]
mod life;
mod machine;
mod manifests;
mod measured;
mod peers;
mod proc;
mod recovery;
mod report;
mod services;
mod stand;
mod workloads;

use std::{collections::BTreeMap, process::ExitCode};

use serde_json::{Map, Value};

use self::{
    args::{Args, USAGE},
    measured::{Measured, line},
    peers::Peers,
    stand::Stand,
    workloads::{APART, NAMES, again, is_of_a_stand, started},
};

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut peers = Peers::new(args.peers.clone(), args.runs);
    peers.measure();
    let mut results = Results::default();
    if NAMES.iter().any(|name| args.wants(name) && is_of_a_stand(name)) {
        for run in 1..=args.runs {
            fresh(&args, run, &mut results).await;
        }
    }
    if let Some(tasks) = args.history {
        Box::pin(grown::run(&args, tasks, &mut results)).await;
    }
    if args.wants(APART) {
        Box::pin(apart::run(&args, &mut results)).await;
    }
    peers.measure();
    let ours = results.lines();
    let theirs = peers.tell(&ours);
    for line in ours.iter().chain(&theirs) {
        #[expect(clippy::print_stdout, reason = "it is the result")]
        {
            println!("{line}");
        }
    }
    report::tell(&ours, &theirs);
    if args.guard && !guard::holds(&ours) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What was measured so far.
#[derive(Default)]
pub(crate) struct Results {
    /// What is true of all of it.
    common: Map<String, Value>,
    runs: BTreeMap<&'static str, Vec<Measured>>,
}

impl Results {
    pub(crate) fn push(&mut self, name: &'static str, measured: Measured) {
        self.runs.entry(name).or_default().push(measured);
    }

    fn lines(self) -> Vec<Value> {
        let Self { common, runs } = self;
        runs.into_iter().map(|(name, runs)| line(name, runs, &common)).collect()
    }
}

/// One run of W1 to W6 on a new stand.
async fn fresh(args: &Args, run: usize, results: &mut Results) {
    let stand = Stand::new(args.sync);
    let up = stand.up().await;
    if args.wants("W6") {
        results.push("W6 cold", started(&up).await);
    } else {
        manifests::apply(&up.client).await;
    }
    results.common = machine::describe(&up).await;
    workloads::warm_up(&up).await;
    for name in NAMES.iter().filter(|name| args.wants(name) && is_of_a_stand(name)) {
        if *name == "W6" {
            continue;
        }
        eprintln!("{name}: run {run} of {}", args.runs);
        for (name, measured) in workloads::run(name, &up).await {
            results.push(name, measured);
        }
        up.at_rest().await;
    }
    drop(up);
    stand.down();
    if args.wants("W6") {
        let up = stand.up().await;
        let note =
            "ktk dev up with the state of the other workloads → the result of the first task";
        results.push("W6 warm", again(&up, note).await);
    }
}
