//! A version of a pipeline.

use std::collections::BTreeMap;

use kantoku_domain::{
    Id, Name, Namespace, Recorded, Timestamp, Type,
    pipeline::{Applied, Step},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Versioned;
use crate::query::{Catalogue, PIPELINES};

/// A version of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineDocument {
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
    /// What a run is given.
    pub params: BTreeMap<String, Type>,
    /// The steps by name.
    pub tasks: BTreeMap<String, Step>,
    /// What a run gives.
    pub outputs: BTreeMap<String, String>,
    /// When it was applied.
    pub created_at: Timestamp,
    /// The event that applied it.
    pub stream_seq: u64,
}

impl PipelineDocument {
    /// The version that `recorded` applied.
    pub fn new(applied: &Applied, recorded: &Recorded) -> Self {
        let definition = applied.definition.clone();
        Self {
            id: recorded.id,
            namespace: recorded.namespace.clone(),
            name: applied.name.clone(),
            version: applied.version,
            digest: applied.digest.clone(),
            description: definition.description,
            params: definition.params,
            tasks: definition.tasks,
            outputs: definition.outputs,
            created_at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
        }
    }
}

impl Versioned for PipelineDocument {
    const TABLE: &'static str = "pipelines";
    const KIND: &'static str = "pipeline";
    const FIELDS: &'static Catalogue = &PIPELINES;

    fn name(&self) -> &str {
        self.name.as_str()
    }
}
