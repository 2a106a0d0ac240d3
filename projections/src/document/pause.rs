//! Whether a specification or a namespace is paused.

use kantoku_domain::{Id, Kind, Namespace, Recorded, pause::Paused};
use serde::{Deserialize, Serialize};

/// Whether something that is no record of its own is paused: all versions of a specification, or a
/// namespace. There is none of what was never paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseDocument {
    /// What.
    pub id: Id,
    /// Of which kind it is.
    pub kind: Kind,
    /// Whose it is.
    pub namespace: Namespace,
    /// By whom and why; `None`: it was resumed.
    pub paused: Option<Paused>,
    /// The event that says so.
    pub stream_seq: u64,
}

impl PauseDocument {
    /// What `recorded`, which paused or resumed something, comes to.
    pub fn new(paused: Option<Paused>, recorded: &Recorded) -> Self {
        Self {
            id: recorded.id,
            kind: recorded.aggregate,
            namespace: recorded.namespace.clone(),
            paused,
            stream_seq: recorded.stream_seq,
        }
    }
}
