//! The documents that queries give, each with the fold that makes it from events.
//!
//! Times are those of events, and `stream_seq` is the position of the last event that changed the
//! document, so that the same events give the same documents whenever they are folded.

mod context;
mod event;
mod namespace;
mod pause;
mod pipeline;
mod policy;
mod resource;
mod specification;
mod task;
mod typename;

use std::collections::BTreeMap;

use kantoku_domain::{Id, Namespace, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use crate::query::Catalogue;

pub use context::{ContextDocument, ContextRestart, ContextStatus, Stop, TaskCounts};
pub use event::EventDocument;
pub use namespace::NamespaceDocument;
pub use pause::PauseDocument;
pub use pipeline::PipelineDocument;
pub use policy::{Deletion, PolicyDocument};
pub use resource::{ResourceDocument, ResourceStatus};
pub use specification::SpecificationDocument;
pub(crate) use task::TaskState;
pub use task::{
    Approval, Awaited, ChildrenCancelled, Dependency, DependencyStatus, Revival, Successor,
    TaskDocument, TaskStatus,
};
pub use typename::TypeDocument;

/// A document with an id that changes over time: one row.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// Its table.
    const TABLE: &'static str;
    /// What it is called in errors.
    const KIND: &'static str;
    /// The columns by which a list may be filtered.
    const COLUMNS: &'static [&'static str];
    /// What its status may be.
    const STATUSES: &'static [&'static str];
    /// The fields that filters know.
    const FIELDS: &'static Catalogue;

    /// The id.
    fn id(&self) -> Id;
    /// Whose it is.
    fn namespace(&self) -> &Namespace;
    /// When it was changed last.
    fn updated_at(&self) -> Timestamp;
    /// The last event that changed it.
    fn stream_seq(&self) -> u64;
    /// What it has in one of [`Self::COLUMNS`], other than labels.
    fn column(&self, name: &str) -> Option<String>;
    /// For people and selectors.
    fn labels(&self) -> Option<&BTreeMap<String, String>>;
}

/// A document that has a name and versions: one row per version.
pub trait Versioned: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// Its table.
    const TABLE: &'static str;
    /// What it is called in errors.
    const KIND: &'static str;
    /// The fields that filters know.
    const FIELDS: &'static Catalogue;

    /// Its name, by which lists are ordered.
    fn name(&self) -> &str;
}
