//! What a policy says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Template;
use crate::{Millis, Name};

/// What a policy says, for its namespace: the `spec` of its manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How much may run at once, or start in a while, by the names of limits. All limits of all
    /// policies hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Limit>,
    /// How waiting counts as priority. Of several policies, the fastest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ageing: Option<Ageing>,
    /// Whether contexts have equal shares among tasks of equal priority, as they do unless a policy
    /// says no: then the first come is the first served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fair_share: Option<bool>,
}

/// A limit. One of `specification`, `label` and `key` says of which tasks and how they are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The tasks of a specification, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<Name>,
    /// The tasks that have this label, each value apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Of these, those with this value only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The tasks for which this gives a text, each text apart: `{labels.team}/{specification}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Template>,
    /// How many may be announced or run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How many may start in a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// How many attempts may start in any span of time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// The length of the span.
    pub per: Millis,
}

/// How waiting counts as priority, so that nothing waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ageing {
    /// Who has waited longer by this goes before who has one more of priority.
    pub every: Millis,
}
