//! A version of a named type.

use kantoku_domain::{Id, Name, Namespace, Recorded, Timestamp, Type, typename::Applied};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Versioned;
use crate::query::{Catalogue, TYPES};

/// A version of a named type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypeDocument {
    /// The same for all versions.
    pub id: Id,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name.
    pub name: Name,
    /// Which version, 1 for the first.
    pub version: u64,
    /// Its content.
    pub digest: String,
    /// For people.
    pub description: String,
    /// What it stands for.
    #[serde(rename = "type")]
    pub type_: Type,
    /// When it was applied.
    pub created_at: Timestamp,
    /// The event that applied it.
    pub stream_seq: u64,
}

impl TypeDocument {
    /// The version that `recorded` applied.
    pub fn new(applied: &Applied, recorded: &Recorded) -> Self {
        Self {
            id: recorded.id,
            namespace: recorded.namespace.clone(),
            name: applied.name.clone(),
            version: applied.version,
            digest: applied.digest.clone(),
            description: applied.description.clone(),
            type_: applied.definition.clone(),
            created_at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
        }
    }
}

impl Versioned for TypeDocument {
    const TABLE: &'static str = "types";
    const KIND: &'static str = "type";
    const FIELDS: &'static Catalogue = &TYPES;

    fn name(&self) -> &str {
        self.name.as_str()
    }
}
