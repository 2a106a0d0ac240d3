//! `*.count`, `*.distinct`

use std::collections::BTreeMap;

use kantoku_domain::{Millis, Namespace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Filter, methods};

methods! {
    /// How many tasks there are, by status, and by a field.
    TaskCount = "task.count": CountParams => Counts;
    /// Which values a field of tasks has.
    TaskDistinct = "task.distinct": DistinctParams => Distinct;
    /// How many contexts there are, by status, and by a field.
    ContextCount = "context.count": CountParams => Counts;
    /// Which values a field of contexts has.
    ContextDistinct = "context.distinct": DistinctParams => Distinct;
    /// How many resources there are, by status, and by a field.
    ResourceCount = "resource.count": CountParams => Counts;
    /// Which values a field of resources has.
    ResourceDistinct = "resource.distinct": DistinctParams => Distinct;
}

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountParams {
    /// What they must be.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they must be besides, as a text: `status == "finished" && attempt > 1`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Also for each value of this field, written like `specification` or `labels.team`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// For how many values of `by` at most, 1 to 1,000; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// In all namespaces, instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_namespaces: bool,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// How many there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// By status: `ready`, `finished/ok`, …
    pub by_status: BTreeMap<String, u64>,
    /// By the field that was named, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// The position that `total` and `by_status` are as of.
    pub as_of_seq: u64,
}

/// How many there are for each value of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    /// Those with most first.
    pub items: Vec<Group>,
    /// Whether these are all of them.
    pub complete: bool,
    /// The position that these are as of.
    pub as_of_seq: u64,
}

/// How many have a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The value; null for those that have none.
    pub value: Value,
    /// How many have it.
    pub count: u64,
}

/// Which values are asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistinctParams {
    /// Of which field, written like `specification` or `labels.team`.
    pub field: String,
    /// What the records must be.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they must be besides, as a text: `status == "finished" && attempt > 1`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// How many at most, 1 to 1,000; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// In all namespaces, instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_namespaces: bool,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// The values of a field, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distinct {
    /// The values, null not among them.
    pub values: Vec<Value>,
    /// Whether these are all of them.
    pub complete: bool,
    /// The position that they are as of.
    pub as_of_seq: u64,
}
