//! What this crate counts. All names start with `ktk_`.

use std::time::Duration;

use kantoku_domain::{Executable, task::Failure};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

const QUEUE_SECONDS: &str = "ktk_queue_wait_seconds";
const CLAIMS: &str = "ktk_claims_total";
const RUNNING: &str = "ktk_attempts_running";
const ATTEMPT_SECONDS: &str = "ktk_attempt_seconds";
const STOPS: &str = "ktk_attempts_stopped_total";
const REFUSALS: &str = "ktk_attempt_ends_refused_total";
const LOG_LINES_DROPPED: &str = "ktk_log_lines_dropped_total";
const REAPER_STARTS: &str = "ktk_reaper_starts_total";

/// Registers the descriptions. To be called once, after the recorder is installed.
pub fn describe() {
    describe_histogram!(
        QUEUE_SECONDS,
        Unit::Seconds,
        "Time from the announcement of an attempt to its claim, by queue"
    );
    describe_counter!(CLAIMS, "Claims by result: won, lost, postponed, unknown");
    describe_gauge!(RUNNING, "Attempts that run now, by queue");
    describe_histogram!(
        ATTEMPT_SECONDS,
        Unit::Seconds,
        "Time from claim to end of an attempt, by executable and outcome: ok, or the failure's kind"
    );
    describe_counter!(STOPS, "Attempts that were stopped, by reason: cancelled, lost, shutdown");
    describe_counter!(REFUSALS, "Ends of attempts that were refused, as they came too late");
    describe_counter!(LOG_LINES_DROPPED, "Lines of output that were not kept");
    describe_counter!(REAPER_STARTS, "Starts of reapers; more than one per executor is a fault");
}

pub(crate) fn claimed(result: &'static str) {
    counter!(CLAIMS, "result" => result).increment(1);
}

pub(crate) fn waited(queue: &str, wait: Duration) {
    histogram!(QUEUE_SECONDS, "queue" => queue.to_owned()).record(wait);
}

pub(crate) fn running(queue: &str, attempts: usize) {
    gauge!(RUNNING, "queue" => queue.to_owned()).set(attempts as f64);
}

pub(crate) fn stopped(reason: &'static str) {
    counter!(STOPS, "reason" => reason).increment(1);
}

pub(crate) fn refused() {
    counter!(REFUSALS).increment(1);
}

pub(crate) fn ended(executable: &'static str, failure: Option<&Failure>, took: Duration) {
    let outcome = failure.map_or_else(|| "ok".to_owned(), |failure| failure.kind.clone());
    histogram!(ATTEMPT_SECONDS, "executable" => executable, "outcome" => outcome).record(took);
}

pub(crate) fn lines_dropped(lines: u64) {
    counter!(LOG_LINES_DROPPED).increment(lines);
}

pub(crate) fn reaper_started() {
    counter!(REAPER_STARTS).increment(1);
}

/// The kind of an executable, as manifests name it.
pub(crate) fn kind(executable: &Executable) -> &'static str {
    match executable {
        Executable::Process { .. } => "process",
        Executable::Http { .. } => "http",
        Executable::Rhai { .. } => "rhai",
        Executable::Noop => "noop",
        Executable::Sleep { .. } => "sleep",
    }
}
