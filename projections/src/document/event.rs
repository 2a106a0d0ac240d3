//! Where an event lies and what it was about.

use kantoku_domain::{Id, Timestamp};
use serde::{Deserialize, Serialize};

/// An entry of the index of events. What happened is read from the stream, at `stream_seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDocument {
    /// Position in the stream.
    pub stream_seq: u64,
    /// Whose it is.
    pub namespace: String,
    /// The kind of aggregate.
    pub aggregate: String,
    /// The aggregate.
    pub id: Id,
    /// Position in the aggregate.
    pub version: u64,
    /// The event's name.
    #[serde(rename = "type")]
    pub type_: String,
    /// The event's own id.
    pub event_id: Id,
    /// The context.
    pub context_id: Id,
    /// Who caused it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}
