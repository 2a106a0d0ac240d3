//! `operation.start`, `operation.list`, `operation.cancel`: the same for many records at once.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Id, Millis, Namespace,
    restart::{OutputPolicy, VersionPolicy},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Filter, Operation, methods};

methods! {
    /// Does the same to all records that a filter is about, or says which these are. An operation.
    OperationStart = "operation.start": OperationStartParams => OperationStarted;
    /// The operations over many records, the latest first.
    OperationList = "operation.list": OperationListParams => OperationPage;
    /// Stops an operation over many records. What it has done stays done.
    OperationCancel = "operation.cancel": OperationCancelParams => Operation;
}

/// How many records a preview shows.
pub const SAMPLE_MAX: usize = 20;

/// How many refusals an operation names.
pub const REFUSALS_MAX: usize = 100;

/// What an operation is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkKind {
    /// Tasks.
    #[default]
    Task,
    /// Contexts.
    Context,
    /// Resources that belong to no task.
    Resource,
}

impl BulkKind {
    /// The name, in the singular.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Context => "context",
            Self::Resource => "resource",
        }
    }
}

/// What is done to each record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BulkAction {
    /// Tasks and contexts: they are ordered to stop, as `task.cancel` and `context.cancel` do.
    Cancel {
        /// Why, for people.
        #[serde(default)]
        reason: String,
        /// Of tasks: also those that wait for them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cascade: bool,
    },
    /// Tasks run again, as by `task.restart`; of contexts what has failed, as by `context.restart`.
    Restart {
        /// Why, for people.
        #[serde(default)]
        reason: String,
        /// What becomes of outputs; `reuse` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<OutputPolicy>,
        /// Which versions of specifications run; `same` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<VersionPolicy>,
    },
    /// Tasks: labels are put on them or taken off, as by `task.label`.
    Label {
        /// Those to put on them, by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        /// The names of those to take off.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        remove: BTreeSet<String>,
        /// Whether those that they have with another value may be replaced.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        overwrite: bool,
    },
    /// Resources that belong to no task are not needed any more, as by `resource.release`.
    Release {},
}

impl BulkAction {
    /// The name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cancel { .. } => "cancel",
            Self::Restart { .. } => "restart",
            Self::Label { .. } => "label",
            Self::Release {} => "release",
        }
    }
}

/// What is to be done, and to which records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationStartParams {
    /// What is done to each: `{"cancel": {"reason": "…"}}`, `{"restart": {}}`,
    /// `{"label": {"set": {"team": "a"}}}`, `{"release": {}}`.
    pub action: BulkAction,
    /// Records of which kind; tasks unless given.
    #[serde(default)]
    pub kind: BulkKind,
    /// What they must be. A filter that every record passes is refused.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they must be besides, as a text: `status == "finished" && attempt > 1`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Says how many records these are and shows some, and does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// How many records these were in a preview: it is refused if they are more or fewer by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_count: Option<u64>,
    /// The same key in the same namespace is the same operation: it is started once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Records are looked for as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// An operation that was started, or what one would be about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationStarted {
    /// To ask for it with. `None`: nothing was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<Id>,
    /// How many records it is about.
    pub count: u64,
    /// Of a preview: some of them, the last changed first, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<Map<String, Value>>,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// Asks for a page of operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationListParams {
    /// How many at most, 1 to 1,000; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// In all namespaces, instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_namespaces: bool,
}

/// Operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationPage {
    /// The latest first.
    pub items: Vec<Operation>,
    /// For the next page; `None` after the last.
    pub next_cursor: Option<String>,
}

/// Names an operation that is to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationCancelParams {
    /// Which.
    pub id: Id,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What an operation over many records is, and came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bulk {
    /// Whose records they are.
    pub namespace: Namespace,
    /// Of which kind.
    pub kind: BulkKind,
    /// What is done to each.
    pub action: BulkAction,
    /// What they were, when it was started.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they were besides.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Who started it. It stands in the events as the actor, and the operation as their cause.
    pub by: String,
    /// Who has stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// How many records it has changed.
    pub changed: u64,
    /// How many were so already.
    pub unchanged: u64,
    /// How many the rules refused it for.
    pub refused: u64,
    /// Why, of the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
}

/// Why a record was left as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Which.
    pub id: Id,
    /// For programs.
    pub reason: String,
    /// For people.
    pub message: String,
}
