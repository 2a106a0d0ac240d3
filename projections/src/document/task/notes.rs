//! What was decided about a task besides running it: by whom, why, when.

use kantoku_domain::{
    Id, Timestamp,
    restart::{OutputPolicy, VersionPolicy},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The task that took the place of another, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Successor {
    /// The task.
    pub id: Id,
    /// What became of the outputs.
    pub outputs: OutputPolicy,
    /// Which version was asked for.
    pub version: VersionPolicy,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// The restart of the context that this was a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_of: Option<Id>,
    /// When.
    pub at: Timestamp,
}

/// Why a task that was skipped waits again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revival {
    /// The task because of which it was skipped.
    pub root_cause: Id,
    /// What that was restarted as.
    pub restarted_as: Id,
    /// When.
    pub at: Timestamp,
}

/// An order to stop what a task had spawned before it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChildrenCancelled {
    /// Why.
    pub reason: String,
    /// Who ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A yes to an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Whose.
    pub by: String,
    /// When it was given.
    pub at: Timestamp,
}
