//! A resource: its value, or where it lies, and who may resolve it.

use std::collections::BTreeMap;

use kantoku_domain::{BlobRef, Datum, Event, Id, Namespace, Recorded, Timestamp, Type};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Record;
use crate::query::{Catalogue, RESOURCES};

/// Where a resource is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResourceStatus {
    /// It has no value yet.
    #[default]
    Allocated,
    /// It has its value.
    Ready,
    /// It will never have one: its custodian ended without.
    Failed,
    /// It is not needed any more.
    Released,
}

impl ResourceStatus {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Released => "released",
        }
    }
}

/// A resource. One with a value has either `value`, or `digest` and `size` of a blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceDocument {
    /// The id.
    pub id: Id,
    /// Whose it is.
    pub namespace: Namespace,
    /// Where it is in its life.
    pub status: ResourceStatus,
    /// What its value must be.
    #[serde(rename = "type")]
    pub type_: Type,
    /// Its value, which may be null.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
    /// Content of the blob that is its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Length of the blob in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The task that may or did resolve it; `None` when anyone may.
    pub custodian: Option<Id>,
    /// The name it has as an output of the task that it was made for.
    pub output: Option<String>,
    /// The execution that it belongs to.
    pub context_id: Option<Id>,
    /// When it was allocated.
    pub created_at: Timestamp,
    /// When it got its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// The last event that changed it.
    pub stream_seq: u64,
}

/// Tells a value of null from no value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl ResourceDocument {
    /// A resource that `recorded` allocates.
    pub fn new(id: Id, type_: Type, recorded: &Recorded) -> Self {
        Self {
            id,
            namespace: recorded.namespace.clone(),
            status: ResourceStatus::Allocated,
            type_,
            value: None,
            digest: None,
            size: None,
            custodian: None,
            output: None,
            context_id: None,
            created_at: recorded.metadata.at,
            resolved_at: None,
            updated_at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
        }
    }

    /// Takes in an event of the resource itself: of one that no task has custody of.
    pub fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::ResourceInitialized(initialized) => self.resolve(&initialized.value, recorded),
            Event::ResourceReleased(_) => {
                self.status = ResourceStatus::Released;
                self.touch(recorded);
            }
            _ => {}
        }
    }

    /// Takes in that its custodian gave it a value.
    pub(crate) fn resolve(&mut self, datum: &Datum, recorded: &Recorded) {
        self.status = ResourceStatus::Ready;
        self.resolved_at = Some(recorded.metadata.at);
        match datum {
            Datum::Value(value) => self.value = Some(value.clone()),
            Datum::Blob(BlobRef { digest, size }) => {
                self.digest = Some(digest.clone());
                self.size = Some(*size);
            }
        }
        self.touch(recorded);
    }

    /// Takes in that another task has custody of it now.
    pub(crate) fn pass_to(&mut self, custodian: Id, recorded: &Recorded) {
        self.custodian = Some(custodian);
        self.touch(recorded);
    }

    /// Takes in that `custodian` has ended; of consequence only if it still has custody.
    pub(crate) fn abandon(&mut self, custodian: Id, recorded: &Recorded) {
        if self.custodian == Some(custodian) && self.status == ResourceStatus::Allocated {
            self.status = ResourceStatus::Failed;
            self.touch(recorded);
        }
    }

    /// Takes in that `custodian` may resolve it yet, as it came back, or took the place of the one
    /// before: a resource that had failed is pending again.
    pub(crate) fn reclaim(&mut self, custodian: Id, recorded: &Recorded) {
        if self.custodian == Some(custodian) && self.status == ResourceStatus::Failed {
            self.status = ResourceStatus::Allocated;
            self.touch(recorded);
        }
    }

    /// Whether it has a value: released resources keep theirs.
    pub const fn has_value(&self) -> bool {
        self.value.is_some() || self.digest.is_some()
    }

    fn touch(&mut self, recorded: &Recorded) {
        self.updated_at = recorded.metadata.at;
        self.stream_seq = recorded.stream_seq;
    }
}

impl Record for ResourceDocument {
    const TABLE: &'static str = "resources";
    const KIND: &'static str = "resource";
    const COLUMNS: &'static [&'static str] = &["status", "context_id"];
    const STATUSES: &'static [&'static str] = &["allocated", "ready", "failed", "released"];
    const FIELDS: &'static Catalogue = &RESOURCES;

    fn id(&self) -> Id {
        self.id
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn stream_seq(&self) -> u64 {
        self.stream_seq
    }

    fn column(&self, name: &str) -> Option<String> {
        match name {
            "status" => Some(self.status.name().into()),
            "context_id" => self.context_id.map(|id| id.to_string()),
            _ => None,
        }
    }

    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        None
    }
}
