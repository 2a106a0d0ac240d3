//! A version of a policy.

use std::collections::BTreeMap;

use kantoku_domain::{
    Id, Name, Namespace, Recorded, Timestamp,
    policy::{Ageing, Applied, Deleted, Limit},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Versioned;
use crate::query::{Catalogue, POLICIES};

/// A version of a policy. The latest holds, unless it was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDocument {
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
    /// How much may run at once, or start in a while, by the names of limits.
    pub limits: BTreeMap<String, Limit>,
    /// How waiting counts as priority.
    pub ageing: Option<Ageing>,
    /// Whether contexts have equal shares.
    pub fair_share: Option<bool>,
    /// Whether the policy was deleted while this was its latest version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Deletion>,
    /// When it was applied.
    pub created_at: Timestamp,
    /// The last event that changed it: that applied it, or deleted the policy.
    pub stream_seq: u64,
}

/// That something was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deletion {
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl PolicyDocument {
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
            limits: definition.limits,
            ageing: definition.ageing,
            fair_share: definition.fair_share,
            deleted: None,
            created_at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
        }
    }

    /// Takes in that the policy holds no longer.
    pub(crate) fn delete(&mut self, deleted: &Deleted, recorded: &Recorded) {
        self.deleted = Some(Deletion { by: deleted.by.clone(), at: recorded.metadata.at });
        self.stream_seq = recorded.stream_seq;
    }
}

impl Versioned for PolicyDocument {
    const TABLE: &'static str = "policies";
    const KIND: &'static str = "policy";
    const FIELDS: &'static Catalogue = &POLICIES;

    fn name(&self) -> &str {
        self.name.as_str()
    }
}
