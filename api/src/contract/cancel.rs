//! `task.cancel`, `context.cancel`

use kantoku_domain::{Id, Namespace, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;

methods! {
    /// Orders a task to stop, and all that it spawned.
    TaskCancel = "task.cancel": CancelParams => Cancelled;
    /// Orders all tasks of a context to stop, those not spawned yet included.
    ContextCancel = "context.cancel": CancelParams => Cancelled;
}

/// How many tasks that are still alive an answer names.
pub const ALIVE_MAX: usize = 1_000;

/// Orders something to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The id, or its beginning.
    pub id: String,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// Of a task: also the tasks that wait for it, near or far; they are skipped otherwise. A
    /// context always stops as a whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cascade: bool,
    /// The same key for the same task or context is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// The order was given, or had been before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// The position to read from to see it.
    pub stream_seq: u64,
    /// What it reaches that ran when it was given and is not known to have ended since: processes
    /// are told to stop, and killed once their grace time is over. At most 1,000.
    pub alive: Vec<Alive>,
    /// How many these are in all; `None` if that could not be told in time.
    pub alive_total: Option<u64>,
}

/// A task that an executor works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alive {
    /// The task.
    pub task_id: Id,
    /// Its name in the pipeline, or its key under its parent.
    pub step: Option<String>,
    /// The attempt that runs.
    pub attempt: u32,
    /// Where.
    pub node: Option<String>,
    /// Since when.
    pub started_at: Option<Timestamp>,
}
