//! `task.attempts`

use std::collections::BTreeMap;

use kantoku_domain::{
    Id, Timestamp,
    task::{Failure, SpecificationRef},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GetParams, Input, methods};

methods! {
    /// All attempts of a task, of those that it took the place of and of those that took its.
    TaskAttempts = "task.attempts": GetParams => Attempts;
}

/// How many attempts an answer holds: the last ones.
pub const ATTEMPTS_MAX: usize = 1_000;

/// Attempts of a chain of restarts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempts {
    /// In the order in which they began, at most 1,000.
    pub items: Vec<Attempt>,
    /// Whether there were more, before these.
    pub truncated: bool,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The task.
    pub task_id: Id,
    /// Which of its attempts, 1 for the first.
    pub attempt: u32,
    /// The version that ran.
    pub specification: SpecificationRef,
    /// What it read: values, those that scripts made included, or the resources they are in. A
    /// large value is `{"digest", "size"}`.
    pub inputs: BTreeMap<String, Input>,
    /// How it ended, or that it runs.
    pub outcome: AttemptOutcome,
    /// Why it failed.
    pub error: Option<Failure>,
    /// The service that claimed it; `None` if none did.
    pub node: Option<String>,
    /// The run of that service.
    pub boot_id: Option<Id>,
    /// The `stream_seq` of its `TaskReceived`: only its holder writes under it.
    pub fence: Option<u64>,
    /// When it was announced.
    pub ready_at: Option<Timestamp>,
    /// When it was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended, or was ended.
    pub ended_at: Option<Timestamp>,
    /// What its holder tried to write after that, and why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AttemptOutcome {
    /// It has not.
    Running,
    /// Well.
    Ok,
    /// Badly.
    Failed,
    /// Its executor fell silent, or was stopped.
    Lost,
    /// The task's time was up.
    Expired,
    /// The task was ordered to stop.
    Cancelled,
}
