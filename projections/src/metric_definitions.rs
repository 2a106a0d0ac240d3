//! The metrics of this crate.

/// Counter: events folded into rows.
pub(crate) const EVENTS: &str = "ktk_projection_events_total";
/// Gauge: the checkpoint's position.
pub(crate) const POSITION: &str = "ktk_projection_position";
/// Histogram: seconds from the start of a transaction to its commit.
pub(crate) const BATCH_SECONDS: &str = "ktk_projection_batch_seconds";
