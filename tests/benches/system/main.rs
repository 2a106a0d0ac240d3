//! Workloads against a whole private stand: one JSON line each on stdout, progress on stderr.
//!
//! `cargo bench -p kantoku-tests --bench system [-- W2 W4]`, or `make bench`. Every workload runs
//! three times on one stand; the line is that of the median run.

mod stand;
mod workloads;

use std::{env, process::ExitCode};

use serde_json::json;

use self::{stand::Stand, workloads::Measured};

const RUNS: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| !workloads::NAMES.contains(&name.as_str())) {
        eprintln!("there is no workload {unknown}; there are {}", workloads::NAMES.join(", "));
        return ExitCode::from(2);
    }
    let stand = Stand::start();
    let client = stand.client().await;
    workloads::apply(&client).await;
    for name in workloads::NAMES {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == name) {
            continue;
        }
        let mut runs = Vec::with_capacity(RUNS);
        for run in 1..=RUNS {
            eprintln!("{name}: run {run} of {RUNS}");
            runs.push(workloads::run(name, &client).await);
        }
        #[expect(clippy::print_stdout, reason = "it is the result")]
        {
            println!("{}", line(name, runs));
        }
    }
    stand.stop();
    ExitCode::SUCCESS
}

/// The line of the run whose duration is the median.
fn line(workload: &str, mut runs: Vec<Measured>) -> serde_json::Value {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let median = runs.swap_remove(runs.len() / 2);
    json!({
        "system": "kantoku",
        "version": env!("CARGO_PKG_VERSION"),
        "workload": workload,
        "n": median.n,
        "seconds": round(median.seconds),
        "rate": round(median.n as f64 / median.seconds),
        "p50_ms": median.p50_ms.map(round),
        "p99_ms": median.p99_ms.map(round),
        "durability": "file storage, fsync every 100 ms",
        "note": median.note,
    })
}

fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
