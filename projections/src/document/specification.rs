//! A version of a specification.

use std::collections::BTreeMap;

use kantoku_domain::{
    Executable, Id, Name, Namespace, Recorded, RetryPolicy, Timeouts, Timestamp, Type,
    pause::Paused, specification::Applied,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Versioned;
use crate::query::{Catalogue, SPECIFICATIONS};

/// A version of a specification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpecificationDocument {
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
    /// Who maintains it, if a program does.
    pub source: Option<String>,
    /// For people.
    pub description: String,
    /// What it reads.
    pub inputs: BTreeMap<String, Type>,
    /// What it writes.
    pub outputs: BTreeMap<String, Type>,
    /// How.
    pub executable: Executable,
    /// Where executors look for its tasks.
    pub queue: String,
    /// How often its tasks are tried.
    pub retry: RetryPolicy,
    /// How long they may take.
    pub timeouts: Timeouts,
    /// Whether its tasks, of all versions, are to wait, by whom and why; added by queries.
    #[serde(default)]
    pub paused: Option<Paused>,
    /// When it was applied.
    pub created_at: Timestamp,
    /// The event that applied it.
    pub stream_seq: u64,
}

impl SpecificationDocument {
    /// The version that `recorded` applied.
    pub fn new(applied: &Applied, recorded: &Recorded) -> Self {
        let definition = applied.definition.clone();
        Self {
            id: recorded.id,
            namespace: recorded.namespace.clone(),
            name: applied.name.clone(),
            version: applied.version,
            digest: applied.digest.clone(),
            source: applied.source.clone(),
            description: definition.description,
            inputs: definition.inputs,
            outputs: definition.outputs,
            executable: definition.executable,
            queue: definition.queue,
            retry: definition.retry,
            timeouts: definition.timeouts,
            paused: None,
            created_at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
        }
    }
}

impl Versioned for SpecificationDocument {
    const TABLE: &'static str = "specifications";
    const KIND: &'static str = "specification";
    const FIELDS: &'static Catalogue = &SPECIFICATIONS;

    fn name(&self) -> &str {
        self.name.as_str()
    }
}
