//! A namespace, as far as it is more than a word.

use kantoku_domain::{Namespace, pause::Paused};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A namespace. Each one that can be written exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceDocument {
    /// Its name.
    pub name: Namespace,
    /// Whether all its work is to wait, by whom and why.
    pub paused: Option<Paused>,
    /// The last event that changed it; 0 if none did.
    pub stream_seq: u64,
}
