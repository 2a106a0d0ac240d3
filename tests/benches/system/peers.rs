//! Other systems, measured before and after ours in the same session, and the ratios.
//!
//! Each peer is a directory with a `run.sh` that starts private servers, runs the same workloads and prints a
//! JSON line for each.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::measured::rounded;

/// What a peer says of a workload.
#[derive(Clone, Debug, Deserialize)]
struct Line {
    peer: String,
    version: String,
    workload: String,
    n: f64,
    seconds: f64,
    rate: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    pss_mb: Option<f64>,
}

/// The peers that are wanted, and what they said so far.
pub(crate) struct Peers {
    dir: Option<PathBuf>,
    names: Vec<String>,
    runs: usize,
    lines: Vec<Line>,
}

impl Peers {
    pub(crate) fn new(names: Vec<String>, runs: usize) -> Self {
        let dir = env::var_os("KTK_BENCH_PEERS").map_or_else(beside, PathBuf::from);
        let dir = Some(dir).filter(|dir| names.is_empty() || dir.is_dir());
        if dir.is_none() {
            eprintln!(
                "SKIPPED: the peers {} are not measured, as there is no directory ../shared/bench/peers; \
                 KTK_BENCH_PEERS says where it is",
                names.join(", ")
            );
        }
        Self { dir, names, runs, lines: Vec::new() }
    }

    /// Runs all of them once more.
    pub(crate) fn measure(&mut self) {
        let Some(dir) = self.dir.clone() else { return };
        for name in self.names.clone() {
            eprintln!("{name}: {} runs", self.runs);
            match measure(&dir.join(&name), self.runs) {
                Ok(lines) => self.lines.extend(lines),
                Err(why) => eprintln!("SKIPPED: the peer {name}: {why}"),
            }
        }
    }

    /// What they said, workload by workload: the mean of before and after.
    fn means(&self) -> Vec<Line> {
        let mut means: Vec<Line> = Vec::new();
        for line in &self.lines {
            if means.iter().any(|mean| mean.is_like(line)) {
                continue;
            }
            let all: Vec<&Line> = self.lines.iter().filter(|other| other.is_like(line)).collect();
            let mean = |of: fn(&Line) -> Option<f64>| {
                let values: Vec<f64> = all.iter().filter_map(|line| of(line)).collect();
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            };
            means.push(Line {
                seconds: mean(|line| Some(line.seconds)).unwrap_or(line.seconds),
                rate: mean(|line| line.rate),
                p50_ms: mean(|line| line.p50_ms),
                p99_ms: mean(|line| line.p99_ms),
                pss_mb: mean(|line| line.pss_mb),
                ..line.clone()
            });
        }
        means
    }

    /// Their lines in our form, and for each figure that we have as well how many times as good ours is.
    pub(crate) fn tell(&self, ours: &[Value]) -> Vec<Value> {
        let mut told = Vec::new();
        for line in self.means() {
            told.push(line.document());
            told.extend(line.ratios(ours));
        }
        told
    }
}

fn beside() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench/peers")
}

fn measure(dir: &Path, runs: usize) -> Result<Vec<Line>, String> {
    // A machine that is never quiet is measured all the same, and the line tells.
    const QUIET_WAIT_SECONDS: &str = "20";
    let output = Command::new("bash")
        .arg(dir.join("run.sh"))
        .env("REPS", runs.to_string())
        .env("QUIET_WAIT", QUIET_WAIT_SECONDS)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("bash does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", dir.join("run.sh").display(), output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{line:?}: {error}")))
        .collect()
}

impl Line {
    fn is_like(&self, other: &Self) -> bool {
        self.peer == other.peer && self.workload == other.workload
    }

    fn document(&self) -> Value {
        json!({
            "system": self.peer, "version": self.version, "workload": self.workload, "n": self.n,
            "seconds": rounded(self.seconds), "rate": self.rate.map(rounded),
            "p50_ms": self.p50_ms.map(rounded), "p99_ms": self.p99_ms.map(rounded),
            "pss_mb": self.pss_mb.map(rounded),
        })
    }

    /// Above 1, ours is better.
    fn ratios(&self, ours: &[Value]) -> Vec<Value> {
        // The peers call it light: they have a long one, too.
        let name = match self.workload.split(' ').next() {
            Some("W5-light") => "W5 rhai",
            Some("W6") => "W6 cold",
            other => other.unwrap_or_default(),
        };
        let Some(ours) = ours.iter().find(|line| line["workload"] == name) else {
            return Vec::new();
        };
        let each = |seconds: f64, n: f64| seconds * 1_000.0 / n;
        let number = |value: &Value| value.as_f64();
        let ms = number(&ours["seconds"]).zip(number(&ours["n"])).map(|(s, n)| each(s, n));
        let figures: Vec<(&str, Option<f64>, Option<f64>)> = match name {
            "W1" => vec![("tasks/s", number(&ours["rate"]), self.rate)],
            "W4" => vec![
                ("p50 ms", number(&ours["p50_ms"]), self.p50_ms),
                ("p99 ms", number(&ours["p99_ms"]), self.p99_ms),
            ],
            "W6 cold" => vec![
                ("MB", number(&ours["more"]["pss_mb"]), self.pss_mb),
                ("cold start s", number(&ours["seconds"]), Some(self.seconds)),
            ],
            _ => vec![("ms a task", ms, Some(each(self.seconds, self.n)))],
        };
        let told = |(figure, ours, theirs): (&str, Option<f64>, Option<f64>)| {
            let (ours, theirs) = ours.zip(theirs)?;
            let times = if name == "W1" { ours / theirs } else { theirs / ours };
            Some(json!({
                "compared": name, "figure": figure, "peer": self.peer, "workload": self.workload,
                "ours": rounded(ours), "theirs": rounded(theirs), "times_as_good": rounded(times),
            }))
        };
        figures.into_iter().filter_map(told).collect()
    }
}
