//! The metrics of this crate, all named `ktk_script_…`.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::ScriptError;

const RUNS: &str = "ktk_script_runs_total";
const DURATION: &str = "ktk_script_run_duration_seconds";
const STARTED: &str = "ktk_script_workers_started_total";
const STOPPED: &str = "ktk_script_workers_stopped_total";

/// Gives the recorder of this process the description of each metric.
pub fn describe() {
    describe_counter!(RUNS, "Script runs, by outcome");
    describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "Time from the call to the result of a script, the wait for a worker included"
    );
    describe_counter!(STARTED, "Script workers started");
    describe_counter!(STOPPED, "Script workers stopped, by reason");
}

pub(crate) fn run<T>(result: &Result<T, ScriptError>, duration: Duration) {
    counter!(RUNS, "outcome" => outcome(result)).increment(1);
    histogram!(DURATION).record(duration);
}

pub(crate) fn worker_started() {
    counter!(STARTED).increment(1);
}

pub(crate) fn worker_stopped(reason: &'static str) {
    counter!(STOPPED, "reason" => reason).increment(1);
}

fn outcome<T>(result: &Result<T, ScriptError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(ScriptError::Compile { .. }) => "compile",
        Err(ScriptError::Runtime { .. }) => "runtime",
        Err(ScriptError::Limit { .. }) => "limit",
        Err(ScriptError::TimedOut { .. }) => "timed_out",
        Err(ScriptError::Crashed { .. }) => "crashed",
        Err(ScriptError::NotRepresentable { .. }) => "not_representable",
        Err(ScriptError::Unavailable { .. }) => "unavailable",
    }
}
