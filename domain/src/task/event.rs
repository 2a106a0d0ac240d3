//! What happens to a task.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failure;
use crate::{
    Binding, Datum, Dependency, Id, Name, Problem, RetryPolicy, Timeouts, Timestamp, Type,
    dependency::Trigger, stored::is_default,
};

/// A version of a specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SpecificationRef {
    /// Its name.
    pub name: Name,
    /// Which version, 1 for the first.
    pub version: u64,
    /// Its content.
    pub digest: String,
}

/// An output: the resource that the task will resolve, and of what type its value is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The resource.
    pub id: Id,
    /// What the value must be.
    #[serde(rename = "type")]
    pub type_: Type,
}

/// A task exists, and is the custodian of its outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spawned {
    /// Its name in the pipeline, or its key under its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What it does.
    pub specification: SpecificationRef,
    /// What it reads.
    pub inputs: BTreeMap<String, Binding>,
    /// What it writes.
    pub outputs: BTreeMap<String, Output>,
    /// What it waits for besides its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Dependency>,
    /// When it runs, unless all that it reads and depends on has to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Trigger>,
    /// The execution that it belongs to.
    pub context_id: Id,
    /// The task that spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Id>,
    /// The task that a chain of restarts began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_root: Option<Id>,
    /// The task that this one is a restart of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_parent: Option<Id>,
    /// The queue in which executors look for it.
    pub queue: String,
    /// Keeps related tasks on one shard of the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_key: Option<String>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How often it is tried.
    pub retry: RetryPolicy,
    /// How long it may take.
    pub timeouts: Timeouts,
}

impl Spawned {
    /// Every problem that can be seen in the task alone: of its dependency, its retry policy, its
    /// timeouts, of inputs that are secrets. Paths start with `path`.
    pub fn problems(&self, path: &[&str]) -> Vec<Problem> {
        let dependency = self.depends_on.iter();
        let mut problems: Vec<Problem> =
            dependency.flat_map(|it| it.problems(&[path, &["depends_on"]].concat())).collect();
        problems.extend(self.retry.problems(&[path, &["retry"]].concat()));
        problems.extend(self.timeouts.problems(&[path, &["timeouts"]].concat()));
        problems.extend(self.inputs.iter().filter_map(|(name, binding)| {
            binding.secret_problem(&[path, &["inputs", name]].concat())
        }));
        problems
    }
}

/// A task that a decision made necessary, with the id that it will have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The id.
    pub id: Id,
    /// The rest.
    pub task: Spawned,
}

/// Every dependency holds: the attempt may be claimed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// The task, as the subject names its queue only.
    pub task_id: Id,
    /// The attempt, 1 for the first.
    pub attempt: u32,
    /// The `stream_seq` of the task's last event: the guard for the claim.
    pub guard: u64,
    /// How often the task was resumed or revived before: an earlier announcement is void.
    #[serde(default, skip_serializing_if = "is_default")]
    pub round: u32,
    /// Per input that is a resource: where it was resolved. One that is left out did not arrive,
    /// as the rule of the task allows: it is null.
    pub inputs: BTreeMap<String, Resolved>,
}

/// Where a resource got its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The `stream_seq` of the event that resolved it.
    pub seq: u64,
    /// Under which name, of a `TaskFinished`. `None`: it is a `ResourceInitialized`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A node has claimed the attempt. The position of this event is the attempt's fencing token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The attempt.
    pub attempt: u32,
    /// The service id of the node.
    pub node: String,
    /// The run of that service: a new one ends the leases of the old.
    pub boot_id: Id,
    /// The position of the ready event.
    pub ready_seq: u64,
    /// The round of the ready event.
    #[serde(default, skip_serializing_if = "is_default")]
    pub round: u32,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The outputs are resolved or delegated.
    Ok,
    /// The last attempt failed.
    Failed,
}

/// An output passed to a child: it resolves the resource instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delegation {
    /// The child's id.
    pub child: Id,
    /// The child's name for it.
    pub output: String,
}

/// A time that was up before an attempt could end the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expired {
    /// To be claimed once ready.
    Queue,
    /// For all of it.
    Total,
}

/// The task has ended. Finishing, resolving and delegating are one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The attempt that ended it, or ran last before its time was up; 0 if none had.
    pub attempt: u32,
    /// How.
    pub outcome: Outcome,
    /// The time that was up, if that has ended it and no attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Expired>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The inputs that scripts made, as the attempt saw them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Datum>,
    /// The outputs resolved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Datum>,
    /// The outputs passed to children.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub delegated: BTreeMap<String, Delegation>,
    /// The children to spawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Planned>,
    /// What the executable said besides its outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

impl Finished {
    /// The end of a task that failed.
    pub(super) fn failed(attempt: u32, error: Failure) -> Self {
        Self {
            attempt,
            outcome: Outcome::Failed,
            expired: None,
            error: Some(error),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            delegated: BTreeMap::new(),
            children: Vec::new(),
            result: None,
        }
    }
}

/// The attempt failed; another may start at `not_before`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub error: Failure,
    /// When the next may be claimed.
    pub not_before: Timestamp,
}
