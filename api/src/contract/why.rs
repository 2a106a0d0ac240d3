//! `task.why`

use kantoku_domain::{Id, Timestamp};
use kantoku_projections::document::TaskStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GetParams, methods};

methods! {
    /// Why a task is where it is.
    TaskWhy = "task.why": GetParams => Why;
}

/// Why a task is where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The task.
    pub task_id: Id,
    /// Where it is.
    pub status: TaskStatus,
    /// In a sentence.
    pub summary: String,
    /// The smallest set of facts that explains it.
    pub facts: Vec<WhyFact>,
    /// Who knows.
    pub source: WhySource,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// Who says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhySource {
    /// The scheduler that decides about the task.
    Scheduler,
    /// What has been stored: no scheduler answered, or none has to.
    ReadModel,
}

/// One fact that holds a task up, or ended it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyFact {
    /// For programs: `input`, `dependency` (nobody will bring it), `approval`, `time`, `event`,
    /// `probe`, `paused`, `limit`, `running`, `ready`, `busy`, `no_executor`, `backoff`, `due`,
    /// `no_scheduler`, `no_unfolder`, `failed`, `cancelled`, `skipped`; `more` for those that are
    /// only counted.
    pub kind: String,
    /// For people, with what to do where something can be done.
    pub message: String,
    /// The resource that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<Id>,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<Id>,
    /// Since when, or until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Of a limit: some of the tasks that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<Id>,
}
