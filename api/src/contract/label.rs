//! `task.label`

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::Namespace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;

methods! {
    /// Puts labels on a task, or takes some off, be it live or not. Rules, such as limits, go by the
    /// labels that it was spawned with.
    TaskLabel = "task.label": LabelParams => Labelled;
}

/// Labels to put on a task, and to take off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelParams {
    /// The task, or the beginning of its id.
    pub id: String,
    /// Those to put on it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// The names of those to take off; one that it does not have changes nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<String>,
    /// Whether one that it has with another value may be replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwrite: bool,
    /// The same key for the same task is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// The labels of a task, now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Labelled {
    /// All that it has.
    pub labels: BTreeMap<String, String>,
    /// The position to read from to see it.
    pub stream_seq: u64,
}
