//! A task, from the plan that names it to its end.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Dependency as Expression, Event, Id, Name, Namespace, Recorded, RetryPolicy, Timeouts,
    Timestamp,
    task::{Delegation, Failure, Outcome, Output, Spawned},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Record;

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// It waits.
    #[default]
    Initialized,
    /// It may be claimed.
    Ready,
    /// An attempt runs.
    Received,
    /// It has ended.
    Finished,
    /// It was stopped.
    Cancelled,
    /// It will not run.
    Skipped,
}

impl TaskStatus {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialized => "initialized",
            Self::Ready => "ready",
            Self::Received => "received",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Skipped)
    }
}

/// Whether what a task waits for has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DependencyStatus {
    /// It may happen yet.
    Pending,
    /// It has.
    Ready,
    /// It cannot any more.
    Failed,
}

/// One thing that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The input's name, or `depends_on`.
    pub name: String,
    /// `{"resource": id}` or `{"task": id}`.
    pub data: Expression,
    /// Whether it has happened.
    pub status: DependencyStatus,
}

/// A task. `dependencies` is never stored: it depends on other rows and is added by queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What the executable said besides its outputs.
    pub result: Option<Value>,
    /// What went wrong last.
    pub error: Option<Failure>,
    /// Why it was cancelled, or what cannot arrive any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The task whose end made it impossible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<Id>,
    /// When the next attempt may be claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When it was first named.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When the last attempt was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Who claimed the last attempt.
    pub node: Option<String>,
    /// Whether it has a `TaskSpawned` of its own, or is named by another event only.
    pub unfolded: bool,
    /// The last event that changed it.
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
            dependencies: Vec::new(),
            context_id: spawned.context_id,
            parent_id: spawned.parent_id,
            restart_root: None,
            restart_parent: None,
            restarted_as: None,
            attempt: 0,
            queue: spawned.queue.clone(),
            shard_key: spawned.shard_key.clone(),
            priority: spawned.priority,
            labels: spawned.labels.clone(),
            retry: spawned.retry.clone(),
            timeouts: spawned.timeouts.clone(),
            result: None,
            error: None,
            reason: None,
            root_cause: None,
            not_before: None,
            created_at: recorded.metadata.at,
            updated_at: recorded.metadata.at,
            started_at: None,
            finished_at: None,
            node: None,
            unfolded: false,
            stream_seq: recorded.stream_seq,
        }
    }

    /// Takes in an event of this task, or the cancellation of the context that it is planned in.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.metadata.at;
        match &recorded.event {
            Event::TaskSpawned(_) => self.unfolded = true,
            // A second ready event may cross the claim: the claim decides.
            Event::TaskReady(ready)
                if matches!(self.status, TaskStatus::Initialized | TaskStatus::Ready) =>
            {
                self.status = TaskStatus::Ready;
                self.attempt = ready.attempt;
            }
            Event::TaskReceived(received) => {
                self.status = TaskStatus::Received;
                self.attempt = received.attempt;
                self.node = Some(received.node.clone());
                self.started_at = Some(at);
                self.not_before = None;
            }
            Event::TaskAttemptFailed(failed) => {
                self.status = TaskStatus::Initialized;
                self.attempt = failed.attempt;
                self.error = Some(failed.error.clone());
                self.not_before = Some(failed.not_before);
            }
            Event::TaskFinished(finished) => {
                self.end(TaskStatus::Finished, at);
                self.sub_status = Some(finished.outcome);
                self.attempt = finished.attempt;
                self.error.clone_from(&finished.error);
                self.result.clone_from(&finished.result);
                self.delegated.clone_from(&finished.delegated);
            }
            Event::TaskCancelled(cancelled) => {
                self.end(TaskStatus::Cancelled, at);
                self.reason = Some(cancelled.reason.clone());
            }
            Event::TaskSkipped(skipped) => {
                self.end(TaskStatus::Skipped, at);
                self.root_cause = Some(skipped.root_cause);
                self.reason = Some(skipped.missing.clone());
            }
            _ => return,
        }
        self.touch(recorded);
    }

    /// Takes in that its context was ordered to stop before it was unfolded: nothing will run it.
    pub(crate) fn drop_from_plan(&mut self, reason: &str, recorded: &Recorded) {
        self.end(TaskStatus::Cancelled, recorded.metadata.at);
        self.reason = Some(reason.to_owned());
        self.touch(recorded);
    }

    fn end(&mut self, status: TaskStatus, at: Timestamp) {
        self.status = status;
        self.finished_at = Some(at);
        self.not_before = None;
    }

    fn touch(&mut self, recorded: &Recorded) {
        self.updated_at = recorded.metadata.at;
        self.stream_seq = recorded.stream_seq;
    }

    /// What contexts count by.
    pub(crate) const fn state(&self) -> (TaskStatus, Option<Outcome>) {
        (self.status, self.sub_status)
    }

    /// What the task waits for: the resources among its inputs, then the leaves of `depends_on`.
    pub fn waits_for(&self) -> Vec<(&str, Expression)> {
        let inputs = self.inputs.iter().filter_map(|(name, binding)| {
            binding.resource().map(|id| (name.as_str(), Expression::Resource(id)))
        });
        let leaves = self.depends_on.iter().flat_map(Expression::leaves);
        inputs.chain(leaves.map(|leaf| ("depends_on", leaf.clone()))).collect()
    }
}

impl Record for TaskDocument {
    const TABLE: &'static str = "tasks";
    const KIND: &'static str = "task";
    const COLUMNS: &'static [&'static str] =
        &["status", "sub_status", "context_id", "specification", "labels"];

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
            _ => None,
        }
    }

    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}
