//! What this crate counts.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::Code;

const CALLS: &str = "ktk_api_calls_total";
const CALL_SECONDS: &str = "ktk_api_call_seconds";
const CONNECTIONS: &str = "ktk_api_connections";
const SUBSCRIPTIONS: &str = "ktk_api_subscriptions";
const REFUSED: &str = "ktk_api_refused_total";

/// Registers the descriptions. To be called once, after the recorder is installed.
pub fn describe() {
    describe_counter!(CALLS, "Calls by method and code; 0 for those that went well");
    describe_histogram!(CALL_SECONDS, Unit::Seconds, "Time from a call to its answer, by method");
    describe_gauge!(CONNECTIONS, "WebSocket connections that are open");
    describe_gauge!(SUBSCRIPTIONS, "Subscriptions that are open, by method");
    describe_counter!(
        REFUSED,
        "Requests refused before they were looked at, by reason: host, origin, busy, size, type, slow"
    );
}

pub(super) fn called(method: &'static str, error: Option<Code>, took: Duration) {
    let code = error.map_or_else(|| "0".to_owned(), |code| code.number().to_string());
    counter!(CALLS, "method" => method, "code" => code).increment(1);
    histogram!(CALL_SECONDS, "method" => method).record(took);
}

pub(super) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// Counts something for as long as it lives.
pub(super) struct Open(metrics::Gauge);

impl Open {
    pub(super) fn connection() -> Self {
        Self::count(gauge!(CONNECTIONS))
    }

    pub(super) fn subscription(method: &'static str) -> Self {
        Self::count(gauge!(SUBSCRIPTIONS, "method" => method))
    }

    fn count(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
