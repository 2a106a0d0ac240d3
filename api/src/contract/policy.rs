//! `policy.*`

use std::collections::BTreeMap;

use kantoku_domain::{
    Id, Millis, Name, Namespace, Timestamp,
    policy::{Ageing, Limit},
};
use kantoku_projections::reader::Page;
use serde::{Deserialize, Serialize};

use super::{Accepted, NamesParams, methods};

methods! {
    /// A policy as it holds.
    PolicyGet = "policy.get": PolicyParams => PolicyDocument;
    /// The policies that hold, by name.
    PolicyList = "policy.list": NamesParams => Page<PolicyDocument>;
    /// Lets a policy hold no longer.
    PolicyDelete = "policy.delete": PolicyDeleteParams => Accepted;
}

/// Names a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyParams {
    /// The name.
    pub name: Name,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// A policy that is to hold no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDeleteParams {
    /// The name.
    pub name: Name,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDocument {
    /// The id.
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
    /// How much may run at once, or start in a while.
    pub limits: BTreeMap<String, Limit>,
    /// How waiting counts as priority.
    pub ageing: Option<Ageing>,
    /// Whether contexts have equal shares.
    pub fair_share: Option<bool>,
    /// When it was applied.
    pub created_at: Timestamp,
    /// The event that applied it.
    pub stream_seq: u64,
}
