//! `projection.*`, `operation.*`: what takes longer than a call should.

use std::collections::BTreeMap;

use kantoku_domain::{Id, Namespace, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bulk, methods};

methods! {
    /// The read models, and how far they have got.
    ProjectionList = "projection.list": NoParams => Projections;
    /// Makes the tables anew beside the live ones and swaps them. An operation.
    ProjectionRebuild = "projection.rebuild": NoParams => Started;
    /// Makes the tables anew and compares the live ones with them. An operation.
    ProjectionVerify = "projection.verify": NoParams => Started;
    /// How far an operation has got.
    OperationGet = "operation.get": OperationParams => Operation;
}

/// No parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// The read models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Projections {
    /// One per set of tables.
    pub items: Vec<Projection>,
}

/// A read model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Projection {
    /// Its name.
    pub name: String,
    /// How far it has got.
    pub stream_seq: u64,
    /// The last position of the stream.
    pub head_seq: u64,
}

/// An operation that was started, or was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// To ask for it with.
    pub operation_id: Id,
}

/// Names an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationParams {
    /// Which.
    pub id: Id,
    /// Whose, of one over many records; `default` unless given. Those that look after all of the
    /// system are for keys of all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Where an operation is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Which.
    pub id: Id,
    /// `projection.rebuild`, `projection.verify` or `blob.verify`; of one over many records the kind
    /// of these and what is done to them: `task.cancel`.
    pub kind: String,
    /// Where it is.
    pub status: OperationStatus,
    /// How much is done.
    pub done: u64,
    /// Of how much.
    pub total: u64,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// By table whether the live one equals the rebuilt one; empty until it is known.
    pub equal: BTreeMap<String, bool>,
    /// The position that both were as of.
    pub as_of_seq: Option<u64>,
    /// What was found wrong, as far as there is room for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// How much that was in all.
    #[serde(default)]
    pub found: u64,
    /// Of one over many records: what it is, and came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Bulk>,
}

/// Something that should not be so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which rule it breaks.
    pub rule: String,
    /// Whose, as `task/ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<String>,
    /// Where in the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_seq: Option<u64>,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

/// Where an operation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperationStatus {
    /// It runs.
    Running,
    /// It is done.
    Done,
    /// It failed, and nothing was changed.
    Failed,
    /// It was stopped. What it has done stays done.
    Cancelled,
}
