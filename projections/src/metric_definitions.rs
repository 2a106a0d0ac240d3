//! The metrics of this crate, and their descriptions.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const EVENTS: &str = "ktk_projection_events_total";
pub(crate) const POSITION: &str = "ktk_projection_position";
pub(crate) const BATCH_SECONDS: &str = "ktk_projection_batch_seconds";

/// Tells the recorder what the metrics mean. May be called more than once.
pub(crate) fn describe() {
    describe_counter!(EVENTS, Unit::Count, "Events folded into rows");
    describe_gauge!(POSITION, Unit::Count, "Position of the last event folded into rows");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Time from beginning to commit of a batch");
}
