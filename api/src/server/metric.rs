//! What this crate counts.

use std::{sync::Arc, time::Duration};

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::weight::Rooms;
use crate::Code;

const CALLS: &str = "ktk_api_calls_total";
const CALL_SECONDS: &str = "ktk_api_call_seconds";
const CONNECTIONS: &str = "ktk_api_connections";
const SUBSCRIPTIONS: &str = "ktk_api_subscriptions";
const HELD: &str = "ktk_api_held_bytes";
const UNAUDITED: &str = "ktk_api_unaudited_total";
const REFUSED: &str = "ktk_api_refused_total";

/// Registers the descriptions. To be called once, after the recorder is installed.
pub fn describe() {
    describe_counter!(CALLS, "Calls by method and code; 0 for those that went well");
    describe_histogram!(CALL_SECONDS, Unit::Seconds, "Time from a call to its answer, by method");
    describe_gauge!(CONNECTIONS, "WebSocket connections that are open");
    describe_gauge!(SUBSCRIPTIONS, "Subscriptions that are open, by method");
    describe_counter!(
        REFUSED,
        "Requests refused before they were looked at, by reason: host, origin, busy, room, size, \
         type, slow, key"
    );
    describe_counter!(
        UNAUDITED,
        "Commands and refusals that could not be written down in the audit"
    );
    describe_gauge!(HELD, Unit::Bytes, "Memory that is held: by calls, lasting by waits, notices");
}

/// How often it is told how much memory is held.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Tells now and then how much memory is held, until `stop` is cancelled.
pub(super) fn watch(rooms: &Arc<Rooms>, tasks: &TaskTracker, stop: &CancellationToken) {
    let (rooms, stop) = (Arc::clone(rooms), stop.clone());
    tasks.spawn(async move {
        let told =
            [("calls", &rooms.calls), ("lasting", &rooms.lasting), ("notices", &rooms.notices)];
        while timeout(TELL_EVERY, stop.cancelled()).await.is_err() {
            for (of, room) in &told {
                gauge!(HELD, "of" => *of).set(room.held_bytes() as f64);
            }
        }
    });
}

pub(super) fn called(method: &'static str, error: Option<Code>, took: Duration) {
    let code = error.map_or_else(|| "0".to_owned(), |code| code.number().to_string());
    counter!(CALLS, "method" => method, "code" => code).increment(1);
    histogram!(CALL_SECONDS, "method" => method).record(took);
}

pub(super) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

pub(super) fn unaudited() {
    counter!(UNAUDITED).increment(1);
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
