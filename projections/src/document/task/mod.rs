//! A task, from the plan that names it to its end.

mod apply;
mod notes;
mod status;
mod waits;

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Dependency as Expression, Id, Name, Namespace, Recorded, RetryPolicy, Timeouts,
    Timestamp,
    dependency::{Cause, Trigger},
    pause::Paused,
    task::{Delegation, Expired, Failure, Outcome, Output, Spawned},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Record;
use crate::query::{Catalogue, TASKS};

pub(crate) use apply::TaskState;
pub use notes::{Approval, ChildrenCancelled, Revival, Successor};
pub use status::{Dependency, DependencyStatus, TaskStatus};
pub use waits::Awaited;

/// A task. `dependencies` is never stored: it depends on other rows and is added by queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDocument {
    /// The id.
    pub id: Id,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name in the pipeline, or its key under its parent.
    pub step: Option<String>,
    /// What it does.
    pub specification: Name,
    /// Which version of that.
    pub version: u64,
    /// Who maintains the specification; added by queries.
    #[serde(default)]
    pub source: Option<String>,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// How it finished.
    pub sub_status: Option<Outcome>,
    /// What it reads.
    pub inputs: BTreeMap<String, Binding>,
    /// What it writes.
    pub outputs: BTreeMap<String, Output>,
    /// The outputs that it passed to children.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub delegated: BTreeMap<String, Delegation>,
    /// What it waits for besides its inputs, as spawned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Expression>,
    /// When it runs, unless all that it reads and depends on has to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Trigger>,
    /// All that it waits for, with status.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// The execution that it belongs to.
    pub context_id: Id,
    /// The task that spawned it.
    pub parent_id: Option<Id>,
    /// The task that a chain of restarts began with.
    pub restart_root: Option<Id>,
    /// The task that this one is a restart of.
    pub restart_parent: Option<Id>,
    /// The task that is a restart of this one.
    pub restarted_as: Option<Id>,
    /// How that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<Successor>,
    /// Whether no other took its place, nor that of a task that it descends from. Once it has ended,
    /// its context counts it only then.
    pub current: bool,
    /// The attempt that is ready, runs or ran last; 0 before the first.
    pub attempt: u32,
    /// Where executors look for it.
    pub queue: String,
    /// Keeps related tasks on one shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_key: Option<String>,
    /// Higher goes first.
    pub priority: i32,
    /// For people and selectors.
    pub labels: BTreeMap<String, String>,
    /// How often it is tried.
    pub retry: RetryPolicy,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Whether it is to wait, by whom and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Who has said yes, by approval, in the order in which they did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvals: BTreeMap<String, Vec<Approval>>,
    /// What the executable said besides its outputs.
    pub result: Option<Value>,
    /// What went wrong last.
    pub error: Option<Failure>,
    /// The time that was up, if that has ended it and no attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Expired>,
    /// Why it was cancelled, or what cannot arrive any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who cancelled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// The task whose end made it impossible; itself, if its own time was up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<Id>,
    /// Other tasks because of which it would be impossible, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_causes: Vec<Id>,
    /// Of one that was skipped: whether anybody failed, or a rule chose so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Why it came back from being skipped last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revived: Option<Revival>,
    /// The order to stop what it had spawned, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children_cancelled: Option<ChildrenCancelled>,
    /// When the next attempt may be claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When it was first named.
    pub created_at: Timestamp,
    /// When it began to wait: when it was spawned, or came back from being skipped.
    pub waiting_since: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When an attempt was announced last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// When the last attempt was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Who claimed the last attempt.
    pub node: Option<String>,
    /// Whether it has a `TaskSpawned` of its own, or is named by another event only.
    pub unfolded: bool,
    /// Where the order lies that it descends from: the start of its context, or a restart. Orders to
    /// stop that lie behind it reach it, wherever it is spawned.
    pub origin: u64,
    /// The `stream_seq` of the last event of its own, announcements aside; 0 while it has none. What
    /// commands are decided on.
    pub position: u64,
    /// The last event that changed it, of its own or not.
    pub stream_seq: u64,
}

impl TaskDocument {
    /// A task that `recorded` names: in a plan, as a child, or as itself.
    pub fn new(id: Id, spawned: &Spawned, recorded: &Recorded) -> Self {
        Self {
            id,
            namespace: recorded.namespace.clone(),
            step: spawned.step.clone(),
            specification: spawned.specification.name.clone(),
            version: spawned.specification.version,
            source: None,
            status: TaskStatus::Initialized,
            sub_status: None,
            inputs: spawned.inputs.clone(),
            outputs: spawned.outputs.clone(),
            delegated: BTreeMap::new(),
            depends_on: spawned.depends_on.clone(),
            when: spawned.when.clone(),
            dependencies: Vec::new(),
            context_id: spawned.context_id,
            parent_id: spawned.parent_id,
            restart_root: spawned.restart_root,
            restart_parent: spawned.restart_parent,
            restarted_as: None,
            restarted: None,
            current: true,
            attempt: 0,
            queue: spawned.queue.clone(),
            shard_key: spawned.shard_key.clone(),
            priority: spawned.priority,
            labels: spawned.labels.clone(),
            retry: spawned.retry.clone(),
            timeouts: spawned.timeouts.clone(),
            paused: None,
            approvals: BTreeMap::new(),
            result: None,
            error: None,
            expired: None,
            reason: None,
            cancelled_by: None,
            root_cause: None,
            other_causes: Vec::new(),
            cause: None,
            revived: None,
            children_cancelled: None,
            not_before: None,
            created_at: recorded.metadata.at,
            waiting_since: recorded.metadata.at,
            updated_at: recorded.metadata.at,
            ready_at: None,
            started_at: None,
            finished_at: None,
            node: None,
            unfolded: false,
            origin: recorded.stream_seq,
            position: 0,
            stream_seq: recorded.stream_seq,
        }
    }
}

impl Record for TaskDocument {
    const TABLE: &'static str = "tasks";
    const KIND: &'static str = "task";
    const COLUMNS: &'static [&'static str] = &[
        "status",
        "sub_status",
        "context_id",
        "specification",
        "restart_root",
        "paused",
        "labels",
    ];
    const STATUSES: &'static [&'static str] =
        &["initialized", "ready", "received", "finished", "cancelled", "skipped"];
    const FIELDS: &'static Catalogue = &TASKS;

    fn id(&self) -> Id {
        self.id
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn stream_seq(&self) -> u64 {
        self.stream_seq
    }

    fn column(&self, name: &str) -> Option<String> {
        match name {
            "status" => Some(self.status.name().into()),
            "sub_status" => self.sub_status.map(|outcome| match outcome {
                Outcome::Ok => "ok".into(),
                Outcome::Failed => "failed".into(),
            }),
            "context_id" => Some(self.context_id.to_string()),
            "specification" => Some(self.specification.to_string()),
            // The root is of its own chain.
            "restart_root" => Some(self.restart_root.unwrap_or(self.id).to_string()),
            "paused" => Some(self.paused.is_some().to_string()),
            _ => None,
        }
    }

    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}
