//! What an attempt has to say, and tasks before they have ids.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Output, Spawned, SpecificationRef};
use crate::{Binding, Datum, Envelope, Id, RetryPolicy, Timeouts, Type};

/// A child as an executable asks for it, its specification looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Unique among the children of this attempt.
    pub key: String,
    /// Everything but the ids: outputs hold types only.
    pub template: Template,
}

/// A task before it has ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What it does.
    pub specification: SpecificationRef,
    /// What it reads.
    pub inputs: BTreeMap<String, Binding>,
    /// The types of what it writes.
    pub outputs: BTreeMap<String, Type>,
    /// Where it runs.
    pub queue: String,
    /// For people and selectors.
    pub labels: BTreeMap<String, String>,
    /// How often it is tried.
    pub retry: RetryPolicy,
    /// How long it may take.
    pub timeouts: Timeouts,
}

/// What a successful attempt has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Success {
    /// The inputs that scripts made.
    pub inputs: BTreeMap<String, Datum>,
    /// The values of outputs.
    pub outputs: BTreeMap<String, Datum>,
    /// Children to spawn.
    pub children: Vec<Child>,
    /// Output to `(child's key, child's output)`.
    pub delegate: BTreeMap<String, (String, String)>,
    /// What else.
    pub result: Option<Value>,
}

impl Child {
    /// The child as its parent's event names it: own outputs, to be replaced where delegated.
    pub(super) fn spawned(&self, id: Id, parent: &Spawned, envelope: &Envelope) -> Spawned {
        self.template.clone().spawned(
            id,
            Some(self.key.clone()),
            parent.context_id,
            Some(envelope.aggregate_id),
        )
    }
}

impl Template {
    /// The task `id` made from this template, with output ids derived from its own.
    pub fn spawned(
        self,
        id: Id,
        step: Option<String>,
        context_id: Id,
        parent_id: Option<Id>,
    ) -> Spawned {
        let partition = context_id.partition();
        let output = |(name, type_): (String, Type)| {
            let output = Output { id: id.derive(&name, partition), type_ };
            (name, output)
        };
        Spawned {
            step,
            specification: self.specification,
            inputs: self.inputs,
            outputs: self.outputs.into_iter().map(output).collect(),
            depends_on: None,
            when: None,
            context_id,
            parent_id,
            restart_root: None,
            restart_parent: None,
            queue: self.queue,
            shard_key: None,
            priority: 0,
            labels: self.labels,
            retry: self.retry,
            timeouts: self.timeouts,
        }
    }
}
