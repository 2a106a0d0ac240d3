//! What a task is to limits, and what limits count by.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    Id, Name, Namespace, Partition,
    policy::{Field, Limit},
    task::Spawned,
};

/// What of a task matters for admission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The task.
    pub task_id: Id,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its context, and that as text.
    pub context_id: Id,
    context: String,
    /// What it does.
    pub specification: Name,
    /// Where it is announced.
    pub queue: String,
    /// Its name in the pipeline, or its key under its parent.
    pub step: Option<String>,
    /// What keeps related tasks on one shard.
    pub shard_key: Option<String>,
    /// Higher goes first.
    pub priority: i32,
    /// For selectors.
    pub labels: BTreeMap<String, String>,
}

impl Profile {
    /// Of the task `id`, which was spawned so.
    pub fn of(namespace: &Namespace, id: Id, spawned: &Spawned) -> Self {
        Self {
            task_id: id,
            namespace: namespace.clone(),
            context_id: spawned.context_id,
            context: spawned.context_id.to_string(),
            specification: spawned.specification.name.clone(),
            queue: spawned.queue.clone(),
            step: spawned.step.clone(),
            shard_key: spawned.shard_key.clone(),
            priority: spawned.priority,
            labels: spawned.labels.clone(),
        }
    }

    fn field(&self, field: &Field) -> Option<&str> {
        match field {
            Field::Specification => Some(self.specification.as_str()),
            Field::Context => Some(&self.context),
            Field::Queue => Some(&self.queue),
            Field::Step => self.step.as_deref(),
            Field::ShardKey => self.shard_key.as_deref(),
            Field::Label(name) => self.labels.get(name).map(String::as_str),
        }
    }

    /// What the task is counted by under `limit`; `None`: it is not.
    pub(super) fn counted_by(&self, limit: &Limit) -> Option<String> {
        if let Some(name) = &limit.specification {
            return (*name == self.specification).then(|| name.to_string());
        }
        if let Some(label) = &limit.label {
            let value = self.labels.get(label)?;
            let is_meant = limit.value.as_ref().is_none_or(|only| only == value);
            return is_meant.then(|| value.clone());
        }
        limit.key.as_ref()?.fill(|field| self.field(field))
    }
}

/// One count: of a limit, for one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Whose policy.
    pub namespace: Namespace,
    /// The policy.
    pub policy: Name,
    /// The limit in it.
    pub limit: String,
    /// What is counted apart: a specification, the value of a label, a custom text.
    pub value: String,
}

impl Key {
    /// The partition whose scheduler counts it, so that one place does.
    pub fn partition(&self) -> Partition {
        let Self { namespace, policy, limit, value } = self;
        let text = serde_json::json!([namespace, policy, limit, value]).to_string();
        // The last byte is the partition of the id itself.
        let id = Id::default().derive(&text, Partition::default());
        Partition::of(id.uuid().as_bytes()[0])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of policy {} for {:?}", self.limit, self.policy, self.value)
    }
}
