//! `policy.*`

use kantoku_domain::{Millis, Name, Namespace};
use kantoku_projections::{document::PolicyDocument, reader::Page};
use schemars::JsonSchema;
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDeleteParams {
    /// The name.
    pub name: Name,
    /// The same key for the same policy is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}
