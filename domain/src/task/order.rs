//! What people and rules decide about a task besides running it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Planned;
use crate::{
    Id,
    dependency::{Cause, Hopeless, Readiness},
    restart::{OutputPolicy, VersionPolicy},
    stored::is_default,
};

/// The task was ordered to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why.
    pub reason: String,
    /// Who ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Tasks that wait for it, and are to be stopped with it instead of being skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<Id>,
}

/// The tasks that a task had spawned before it ended were ordered to stop, and what they were
/// restarted as. Its own end stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildrenCancelled {
    /// Why.
    pub reason: String,
    /// Who ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// All of them, ended or not.
    pub children: Vec<Id>,
    /// Tasks that wait for it, and are to be stopped with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<Id>,
}

/// The task will never run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The task whose end made it impossible, at the far end of the chain; itself, if its own
    /// time was up.
    pub root_cause: Id,
    /// Other tasks whose restart may make it possible again: those skipped in between, and others
    /// that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Id>,
    /// Whether anybody failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cause: Cause,
    /// What cannot arrive any more, e.g. `input page`.
    pub missing: String,
}

impl Skipped {
    /// The tasks to blame, each sufficient.
    pub fn causes(&self) -> impl Iterator<Item = Id> {
        [self.root_cause].into_iter().chain(self.others.iter().copied())
    }

    /// What is to be said of the task now: it waits again if one of those to blame was restarted
    /// and it may run yet, or would be given up by a rule only, which may satisfy whoever comes
    /// after. Asked whenever `now`, its readiness, changes: so one that was given up before the
    /// restart was seen comes back, too, and one that still lacks something else stays.
    pub fn revival(
        &self,
        now: &Readiness,
        restarted_as: impl Fn(Id) -> Option<Id>,
    ) -> Option<Revived> {
        if matches!(now, Readiness::Failed(hopeless) if !self.is_milder(hopeless)) {
            return None;
        }
        self.causes().find_map(|root_cause| {
            let restarted_as = restarted_as(root_cause)?;
            Some(Revived { root_cause, restarted_as })
        })
    }

    /// Whether nobody is to blame any more, and somebody was.
    pub(crate) fn is_milder(&self, now: &Hopeless) -> bool {
        self.cause.is_failure() && !now.cause.is_failure()
    }

    /// Whether `id` is one of them.
    pub fn is_because_of(&self, id: Id) -> bool {
        self.causes().any(|cause| cause == id)
    }
}

/// Somebody has said yes to an approval that the task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Which approval.
    pub name: String,
    /// Who.
    pub by: String,
}

/// The task was restarted: another takes its place. Accepted once, so of any number of restarts at
/// once one wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restarted {
    /// The task that takes its place.
    pub successor: Planned,
    /// What became of its outputs.
    pub outputs: OutputPolicy,
    /// Which version of the specification was asked for; the successor says which it is.
    pub version: VersionPolicy,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// The restart of a context that this is a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_of: Option<Id>,
    /// Tasks that were skipped because of it, and wait again for the same outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revive: Vec<Revival>,
    /// Its children, which the successor spawns anew: those that are live are stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Id>,
}

/// A task to be revived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revival {
    /// Which.
    pub task_id: Id,
    /// The `stream_seq` of its last event when that was decided.
    pub position: u64,
}

/// A task that was skipped waits again, as the task because of which it was skipped was restarted
/// with its outputs reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revived {
    /// That task.
    pub root_cause: Id,
    /// What it was restarted as.
    pub restarted_as: Id,
}
