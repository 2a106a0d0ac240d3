//! A pipeline: a DAG of tasks with parameters and outputs. Versions by digest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Aggregate, Decision, Envelope, Event, Kind, Name, RetryPolicy, Timeouts, TriggerRule, Type,
    aggregate::cqrs_es_adapter, dependency::Expression, digest, stored::is_default,
};

/// What a pipeline says: the `spec` of its manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What a run is given.
    #[serde(default)]
    pub params: BTreeMap<String, Type>,
    /// The steps by name.
    pub tasks: BTreeMap<String, Step>,
    /// What a run gives: references to outputs of steps.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
}

/// One task of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The specification.
    #[serde(rename = "use")]
    pub specification: Name,
    /// Its inputs: a reference, `{from, map}`, `{value}`, `{secret}`, or a literal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, Value>,
    /// Steps that come before; must have finished ok unless `when` says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// What must hold besides; tasks are named by their steps, resources as `$step.output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Expression<String>>,
    /// When it runs, by how the steps that it reads from and those in `after` have ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub when: TriggerRule,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Instead of the specification's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Instead of the specification's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
}

/// The pipeline has a new version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub name: Name,
    /// Which version this is, 1 for the first.
    pub version: u64,
    /// Its content.
    pub digest: String,
    /// What it says.
    pub definition: Definition,
}

/// What can be asked of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make `definition` the latest version, if it is not.
    Apply {
        /// The name that the aggregate's id is derived from.
        name: Name,
        /// What it says; found sound by [`crate::plan::validate`].
        definition: Box<Definition>,
    },
}

/// A pipeline, folded from its subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The version that new runs get.
    pub latest: Option<Applied>,
}

impl Aggregate for Pipeline {
    const KIND: Kind = Kind::Pipeline;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        if let Event::PipelineApplied(applied) = event {
            self.latest = Some(applied.clone());
        }
    }

    fn decide(&self, command: &Command, _: &Envelope) -> Decision {
        let Command::Apply { name, definition } = command;
        let digest = digest(definition);
        if self.latest.as_ref().is_some_and(|latest| latest.digest == digest) {
            return Ok(None);
        }
        Ok(Some(Event::PipelineApplied(Applied {
            name: name.clone(),
            version: self.latest.as_ref().map_or(1, |latest| latest.version + 1),
            digest,
            definition: (**definition).clone(),
        })))
    }
}

cqrs_es_adapter!(Pipeline);
