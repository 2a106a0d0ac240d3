//! What a run of a workload came to, and the line that is told of several.

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::proc::Cpu;

/// What one run came to.
pub(crate) struct Measured {
    pub(crate) n: usize,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) note: &'static str,
    /// What else was seen.
    pub(crate) more: Map<String, Value>,
}

impl Measured {
    pub(crate) fn new(n: usize, seconds: f64, note: &'static str) -> Self {
        Self { n, seconds, p50_ms: None, p99_ms: None, note, more: Map::new() }
    }

    /// With the percentiles of `each`, in milliseconds.
    pub(crate) fn percentiles(mut self, each: Vec<f64>) -> Self {
        let sorted = sorted(each);
        self.p50_ms = at(&sorted, 0.5);
        self.p99_ms = at(&sorted, 0.99);
        self
    }

    /// With another figure.
    pub(crate) fn with(mut self, name: &str, figure: f64) -> Self {
        self.more.insert(name.to_owned(), rounded(figure));
        self
    }

    /// With what `spent` says of what it took.
    pub(crate) fn spent(mut self, spent: &Spent) -> Self {
        self.more.extend(spent.per(self.n));
        self
    }
}

/// What is spent from now on by the stand of process `root`.
pub(crate) struct Spending {
    root: u32,
    before: Cpu,
    begun: Instant,
}

impl Spending {
    pub(crate) fn begin(root: u32) -> Self {
        Self { root, before: Cpu::now(root), begun: Instant::now() }
    }

    pub(crate) fn end(&self) -> Spent {
        let cpu = Cpu::now(self.root).since(self.before);
        Spent { cpu, seconds: self.begun.elapsed().as_secs_f64() }
    }
}

/// What was spent.
pub(crate) struct Spent {
    pub(crate) cpu: Cpu,
    pub(crate) seconds: f64,
}

impl Spent {
    /// Microseconds of CPU for each of `n`, and how much of a core others used meanwhile.
    fn per(&self, n: usize) -> Map<String, Value> {
        let each = |seconds: f64| rounded(seconds * 1e6 / n.max(1) as f64);
        let Cpu { ktk, nats, postgres, client, .. } = self.cpu;
        let cpu = json!({
            "ktk": each(ktk), "nats": each(nats), "postgres": each(postgres),
            "client": each(client),
        });
        let foreign = rounded(self.cpu.foreign() / self.seconds.max(1e-3));
        [("cpu_us_each".to_owned(), cpu), ("foreign_cores".to_owned(), foreign)]
            .into_iter()
            .collect()
    }
}

/// The line of the run whose duration is the median, with what is true of all runs.
pub(crate) fn line(workload: &str, mut runs: Vec<Measured>, common: &Map<String, Value>) -> Value {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let seconds: Vec<Value> = runs.iter().map(|run| rounded(run.seconds)).collect();
    let median = runs.swap_remove(runs.len() / 2);
    let mut line = json!({
        "system": "kantoku",
        "version": env!("CARGO_PKG_VERSION"),
        "workload": workload,
        "n": median.n,
        "seconds": rounded(median.seconds),
        "rate": rounded(median.n as f64 / median.seconds),
        "p50_ms": median.p50_ms.map(rounded),
        "p99_ms": median.p99_ms.map(rounded),
    });
    if let Value::Object(fields) = &mut line {
        fields.extend(common.clone());
        fields.insert("note".into(), median.note.into());
        fields.insert("runs_seconds".into(), seconds.into());
        fields.insert("more".into(), median.more.into());
    }
    line
}

pub(crate) fn sorted(mut each: Vec<f64>) -> Vec<f64> {
    each.sort_by(f64::total_cmp);
    each
}

/// The value below which `share` of the sorted ones lie.
pub(crate) fn at(sorted: &[f64], share: f64) -> Option<f64> {
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied()
}

pub(crate) fn rounded(number: f64) -> Value {
    json!((number * 1_000.0).round() / 1_000.0)
}
