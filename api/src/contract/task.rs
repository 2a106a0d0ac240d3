//! `task.*`

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Id, Millis, Name, Namespace, RetryPolicy, SecretName, Timeouts, Timestamp,
    task::Outcome,
};
use kantoku_projections::{
    document::{ContextDocument, TaskDocument, TaskStatus},
    reader::Page,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Filter, ListParams, ReadParams, WaitParams, methods, subscriptions};
use crate::ErrorData;

methods! {
    /// Creates a task.
    TaskSpawn = "task.spawn": SpawnParams => Spawned;
    /// Creates many tasks; each has its own result.
    TaskSpawnBatch = "task.spawn_batch": SpawnBatchParams => SpawnedBatch;
    /// One task.
    TaskGet = "task.get": ReadParams => TaskDocument;
    /// Tasks, page by page.
    TaskList = "task.list": ListParams => Page<TaskDocument>;
    /// Waits for the end of a task.
    TaskWait = "task.wait": WaitParams => TaskWaited;
    /// All tasks of the context of a task, or of a context.
    TaskTree = "task.tree": ReadParams => Tree;
    /// What a task wrote.
    TaskLogs = "task.logs": LogsParams => LogPage;
}

subscriptions! {
    /// Tasks as they change: first those that match now, then each change.
    TaskSubscribe = "task.subscribe" until "task.unsubscribe": SubscribeParams => TaskChanged;
    /// What a task writes, from its first line on.
    TaskFollowLogs = "task.follow_logs" until "task.unfollow_logs": LogsParams => LogEntry;
}

/// How many tasks one `task.spawn_batch` may create.
pub const SPAWN_BATCH_MAX: usize = 10_000;

/// One input of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A value.
    Value(Value),
    /// A resource, which the task waits for.
    Resource(Id),
    /// A secret of the namespace, which only the executor resolves: see docs/operations/secrets.md.
    Secret(SecretName),
}

/// A task to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpawnParams {
    /// What it does; its latest version.
    pub specification: Name,
    /// What it reads.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    /// What it waits for besides its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Dependency>,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Keeps related tasks on one shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_key: Option<String>,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Instead of the specification's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Instead of the specification's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// The context that it joins; a new one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<Id>,
    /// The same key in the same namespace, and in the same context where one is given, is the same
    /// task, however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A task that exists now, or did before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spawned {
    /// The task.
    pub task_id: Id,
    /// Its context.
    pub context_id: Id,
    /// The resources that it will resolve.
    pub outputs: BTreeMap<String, Id>,
    /// The position to read from to see it.
    pub stream_seq: u64,
}

/// Tasks to create, at most 10,000.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpawnBatchParams {
    /// The tasks; their own `namespace` goes before the batch's.
    #[schemars(length(max = SPAWN_BATCH_MAX))]
    pub tasks: Vec<SpawnParams>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What became of one task of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpawnResult {
    /// It exists.
    Result(Spawned),
    /// It was refused, or its outcome is unknown.
    Error {
        /// The application's or JSON-RPC's code.
        code: i32,
        /// For people.
        message: String,
        /// For programs.
        data: Box<ErrorData>,
    },
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpawnedBatch {
    /// One result per task, in their order.
    pub results: Vec<SpawnResult>,
    /// The highest position among them; 0 when none was accepted.
    pub stream_seq: u64,
}

/// A task that was waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskWaited {
    /// Whether it has ended; if not, the wait was over first.
    pub done: bool,
    /// The task.
    pub task_id: Id,
    /// Where it is.
    pub status: TaskStatus,
    /// How it finished.
    pub sub_status: Option<Outcome>,
    /// The values of the outputs that it resolved itself; large ones as `{"digest", "size"}`.
    pub outputs: BTreeMap<String, Value>,
    /// What went wrong last, for people.
    pub error: Option<String>,
    /// The position that this is as of.
    pub stream_seq: u64,
}

/// A context with all its tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tree {
    /// The context.
    pub context: ContextDocument,
    /// Its tasks, at most 50,000, in the order in which they can run.
    pub tasks: Vec<TreeTask>,
    /// Whether there are more.
    pub truncated: bool,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// How many tasks a tree shows.
pub const TREE_TASKS_MAX: usize = 50_000;

/// A task in a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TreeTask {
    /// The id.
    pub id: Id,
    /// Its name in the pipeline, or its key under its parent.
    pub step: Option<String>,
    /// What it does.
    pub specification: Name,
    /// Where it is.
    pub status: TaskStatus,
    /// How it finished.
    pub sub_status: Option<Outcome>,
    /// The attempt that is ready, runs or ran last.
    pub attempt: u32,
    /// The task that spawned it.
    pub parent_id: Option<Id>,
    /// The task that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_parent: Option<Id>,
    /// The task that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_as: Option<Id>,
    /// The tasks that it waits for.
    pub waits_for: Vec<Id>,
    /// When the last attempt was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsParams {
    /// The task, or the beginning of its id.
    pub id: String,
    /// Of one attempt; of all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// `next_after` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many lines, 1 to 10,000; 1,000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub limit: Option<u32>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Lines that a task wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogPage {
    /// In the order in which they were written.
    pub lines: Vec<LogEntry>,
    /// For the next page; `None` when there is nothing more by now.
    pub next_after: Option<u64>,
}

/// A line that a task wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// The attempt that wrote it.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// `stdout`, `stderr`, or `system` for what the executor says about the attempt.
    pub stream: String,
    /// What.
    pub text: String,
}

/// Which tasks or contexts to follow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeParams {
    /// What they must be; all of the namespace when empty.
    #[serde(default)]
    pub filter: Filter,
    /// What they must be besides, as a text: `status == "finished" && attempt > 1`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Only changes at higher positions, without those that match now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_seq: Option<u64>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// How long to wait for `from_seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// A task as it is since a position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskChanged {
    /// The position.
    pub stream_seq: u64,
    /// The task.
    pub task: TaskDocument,
}
