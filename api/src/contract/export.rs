//! `event.export`, `event.import`, `blob.*`: a history as a file, and back again.

use kantoku_domain::{BlobRef, Id, Namespace, Timestamp};
use kantoku_streams::{Chain, Line};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, Started, methods};

methods! {
    /// A stretch of the stream as it is stored, for keeping.
    EventExport = "event.export": ExportParams => Exported;
    /// Puts events back at their own positions, in a stream that is empty or holds what is before
    /// them.
    EventImport = "event.import": ImportParams => Imported;
    /// A large value, which an event names by its digest.
    BlobLoad = "blob.load": BlobRef => Blob;
    /// Stores a large value that events will name.
    BlobStore = "blob.store": Blob => BlobRef;
    /// Compares every large value that events name with its digest. An operation.
    BlobVerify = "blob.verify": NoParams => Started;
}

/// Which stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportParams {
    /// The first position, 1 for all.
    #[serde(default)]
    pub from_seq: u64,
    /// The last position; what is the last one now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_seq: Option<u64>,
    /// Only this context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<Id>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Of all namespaces, instead: what can be imported, and compared with seals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_namespaces: bool,
}

/// Part of a stretch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exported {
    /// What this is part of.
    pub header: ExportHeader,
    /// In the order of the stream; some hundreds at most, and none where nothing matched.
    pub events: Vec<Line>,
    /// Messages between them that are no events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Where the next part starts; `None` at the end.
    pub next_seq: Option<u64>,
}

/// A message of the stream that is no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Where it lies.
    pub stream_seq: u64,
    /// Why it is none.
    pub reason: String,
}

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportHeader {
    /// [`Self::FORMAT`].
    pub kantoku: String,
    /// When the stream was created: positions mean nothing in another.
    pub stream_created: Timestamp,
    /// The first position.
    pub from_seq: u64,
    /// The last position.
    pub to_seq: u64,
    /// What the chain over the events begins with.
    pub chain_start: Chain,
    /// Only this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Only this context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<Id>,
}

impl ExportHeader {
    /// The form that this version writes and reads.
    pub const FORMAT: &str = "export/1";

    /// Whether all events of the stream are there from its first on, as far as the export goes.
    pub fn is_whole(&self) -> bool {
        self.from_seq <= 1 && self.namespace.is_none() && self.context_id.is_none()
    }
}

/// The last line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportTrailer {
    /// How many events there are.
    pub events: u64,
    /// The position of the last; 0 without one.
    pub last_seq: u64,
    /// The last link of the chain over their lines.
    pub chain: Chain,
    /// Positions between them at which something lies that is no event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<u64>,
}

/// Events to put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportParams {
    /// Lines of an export, as they stand there.
    pub lines: Vec<String>,
    /// The position of the line before them; 0 before the first.
    #[serde(default)]
    pub after_seq: u64,
}

/// What became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// How many were not there already.
    pub appended: u64,
    /// The position of the last.
    pub stream_seq: u64,
}

/// A large value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Its JSON, to the letter.
    pub content: String,
}
