//! Whether the whole system keeps its pace: what it takes is compared with what its own log takes in the
//! same run, for as many appends, and never with a clock. The limits leave room for noise and for other
//! machines, and none for a slip by a factor of ten.

use serde_json::Value;

/// How many times as long as the log alone a workload may take.
pub(crate) struct Limit {
    pub(crate) workload: &'static str,
    ratio: &'static str,
    most: f64,
}

/// Some four times what was measured (30 and 11).
pub(crate) const LIMITS: [Limit; 2] = [
    Limit { workload: "W4", ratio: "append_ratio", most: 120.0 },
    Limit { workload: "W1", ratio: "floor_ratio", most: 50.0 },
];

/// Whether all limits are kept, told on stderr.
pub(crate) fn holds(lines: &[Value]) -> bool {
    let mut all = true;
    for Limit { workload, ratio, most } in LIMITS {
        let line = lines.iter().find(|line| line["workload"] == workload);
        let found = line.and_then(|line| line["more"][ratio].as_f64());
        let keeps = found.is_some_and(|found| found <= most);
        let verdict = if keeps { "kept" } else { "FAILED: find out what has slowed down" };
        let found = found.map_or_else(|| "not measured".to_owned(), |found| format!("{found:.1}"));
        eprintln!("guard {workload}: {ratio} {found}, {most} at most: {verdict}");
        all &= keeps;
    }
    all
}
