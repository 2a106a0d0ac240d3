//! What this crate counts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::AppendError;

const APPENDS: &str = "ktk_appends_total";
const APPEND_SECONDS: &str = "ktk_append_seconds";
const LOADS: &str = "ktk_recent_loads_total";
const DEAD_LETTERS: &str = "ktk_dead_letters_total";

/// Registers the descriptions. To be called once, after the recorder is installed.
pub fn describe() {
    describe_counter!(APPENDS, "Appends by result: stored, conflict, unknown, fault");
    describe_histogram!(APPEND_SECONDS, Unit::Seconds, "Time from an append to its answer");
    describe_counter!(
        LOADS,
        "Aggregates asked for as of lately, by whether they were cached: hit, miss"
    );
    describe_counter!(DEAD_LETTERS, "Messages that no handler could digest, by consumer");
}

pub(crate) fn appended(result: &Result<u64, AppendError>, took: Duration) {
    let result = match result {
        Ok(_) => "stored",
        Err(AppendError::Conflict { .. }) => "conflict",
        Err(AppendError::Unknown { .. }) => "unknown",
        Err(AppendError::Fault(_)) => "fault",
    };
    counter!(APPENDS, "result" => result).increment(1);
    histogram!(APPEND_SECONDS).record(took);
}

pub(crate) fn loaded(was_cached: bool) {
    let result = if was_cached { "hit" } else { "miss" };
    counter!(LOADS, "result" => result).increment(1);
}

pub(crate) fn buried(consumer: &str) {
    counter!(DEAD_LETTERS, "consumer" => consumer.to_owned()).increment(1);
}
