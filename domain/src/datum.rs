//! The value of a resource: in the event, or beside it in the blob store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a value that is too large for an event lies: by content, in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct BlobRef {
    /// `sha256:<hex>` of the bytes.
    pub digest: String,
    /// Length in bytes.
    pub size: u64,
}

/// A value, `{"value": …}`, or the claim check of one, `{"blob": {digest, size}}`.
///
/// Whoever makes a `Blob` has checked the value against its type: the domain cannot look inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// The value itself, at most [`Datum::INLINE_BYTES_MAX`] long as JSON.
    Value(Value),
    /// Where the value lies.
    Blob(BlobRef),
}

impl Datum {
    /// Values whose JSON is longer than this travel as blobs.
    pub const INLINE_BYTES_MAX: usize = 64 * 1024;
}
