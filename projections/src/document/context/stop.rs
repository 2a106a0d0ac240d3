//! An order to stop all of a context.

use kantoku_domain::{Recorded, Timestamp, context::Cancelled};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order to stop all of a context: all that was ordered before it, spawned or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Why.
    pub reason: String,
    /// Who ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub stream_seq: u64,
}

impl Stop {
    pub(super) fn new(cancelled: &Cancelled, recorded: &Recorded) -> Self {
        Self {
            reason: cancelled.reason.clone(),
            by: cancelled.by.clone(),
            at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
        }
    }
}
