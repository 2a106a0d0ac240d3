//! The plan of a restart: what becomes of each task, and why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OutputPolicy, VersionPolicy};
use crate::{
    Id, context,
    plan::Specifications,
    task::{self, Revival, Revived, SpecificationRef},
};

/// What is to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One task; with fresh outputs, also what has read the old ones.
    Task(Id),
    /// One task and what comes after it.
    From(Id),
    /// What has failed.
    Failed,
    /// All of the context: with outputs reused, what did not finish ok.
    All,
}

/// What becomes of a task.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing: it stays as it is.
    Keep,
    /// Another task takes its place.
    Rerun,
    /// It was skipped, and waits again.
    Revive,
    /// It does not run: it stays skipped, or its parent spawns another in its place.
    Skip,
}

/// What becomes of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The task.
    pub task_id: Id,
    /// Its name in the pipeline, or its key under its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What becomes of it.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
    /// The `stream_seq` of the task's last event when that was decided.
    pub position: u64,
    /// The version of its specification that the successor has, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<SpecificationRef>,
    /// The outputs that fresh ones take the place of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaces: BTreeMap<String, Id>,
    /// The tasks of the plan whose fresh outputs it reads, or whose restart revives it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Id>,
    /// The restart that revives it, if that was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revived: Option<Revived>,
}

impl Entry {
    /// Whether something is to be done.
    pub const fn acts(&self) -> bool {
        matches!(self.action, Action::Rerun | Action::Revive)
    }
}

/// What a restart comes to, task by task, in an order in which it can be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The context.
    pub context_id: Id,
    /// What was asked for.
    pub target: Target,
    /// What becomes of outputs.
    pub outputs: OutputPolicy,
    /// Which versions run.
    pub version: VersionPolicy,
    /// Every task of the context that was not restarted before.
    pub entries: Vec<Entry>,
    /// The outputs of the pipeline that other resources will hold, by name: whose those are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, Moved>,
    /// Whether the context was ordered to stop, and goes on with this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reopens: bool,
}

/// An output of a pipeline that a fresh resource will hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The task that runs again.
    pub task_id: Id,
    /// Its output.
    pub output: String,
}

/// Whom to ask for a restart.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// The task, as it is the only one that runs again.
    Task(Id, task::Command),
    /// The context.
    Context(Id, context::Command),
}

impl Plan {
    /// How many tasks a plan may restart or revive.
    pub const STEPS_MAX: usize = 50_000;

    /// The entries of which something is to be done.
    pub fn steps(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.acts())
    }

    /// The order that carries out just this plan. `specifications` are those that it was made with.
    pub fn order(
        &self,
        reason: &str,
        by: Option<String>,
        specifications: &Specifications,
    ) -> Order {
        let mut reruns = self.steps().filter(|entry| entry.action == Action::Rerun);
        let (Some(only), None) = (reruns.next(), reruns.next()) else {
            return self.context_order(reason, by);
        };
        let is_of_another = |entry: &Entry| entry.revived.is_some();
        // What is live is stopped by a restart of its context only.
        let may_be_live = self.target == Target::All && self.outputs == OutputPolicy::Reallocate;
        if may_be_live
            || !self.results.is_empty()
            || self.reopens
            || self.steps().any(is_of_another)
        {
            return self.context_order(reason, by);
        }
        let specification = only.specification.as_ref();
        let specification = specification.and_then(|it| specifications.get(&it.name)).cloned();
        let revive = self.steps().filter(|entry| entry.action == Action::Revive);
        let revival = |entry: &Entry| Revival { task_id: entry.task_id, position: entry.position };
        let restart = task::Restart {
            outputs: self.outputs,
            version: if specification.is_some() { self.version } else { VersionPolicy::Same },
            specification: specification.map(Box::new),
            rebind: BTreeMap::new(),
            reason: reason.to_owned(),
            by,
            step_of: None,
            revive: revive.map(revival).collect(),
        };
        Order::Task(only.task_id, task::Command::Restart(Box::new(restart)))
    }

    fn context_order(&self, reason: &str, by: Option<String>) -> Order {
        let restart = context::Restart { plan: self.clone(), reason: reason.to_owned(), by };
        Order::Context(self.context_id, context::Command::Restart(Box::new(restart)))
    }
}
