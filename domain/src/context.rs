//! A context: one execution, all tasks that descend from one spawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Aggregate, Decision, Envelope, Event, Id, Kind, Name, Reason, Rejection,
    aggregate::cqrs_es_adapter, task,
};

/// A version of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineRef {
    /// Its name.
    pub name: Name,
    /// Which version, 1 for the first.
    pub version: u64,
    /// Its content.
    pub digest: String,
}

/// A pipeline was started. The plan names every task, so running a pipeline of any size is one
/// event; a handler unfolds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// What runs.
    pub pipeline: PipelineRef,
    /// With which parameters.
    pub params: BTreeMap<String, Value>,
    /// The tasks, with their ids.
    pub plan: Vec<task::Planned>,
    /// The pipeline's outputs: the resources that will hold them.
    pub outputs: BTreeMap<String, Id>,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// All that belongs to the context was ordered to stop, children not yet unfolded included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why.
    pub reason: String,
}

/// What can be asked of a context.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Start a pipeline.
    Open(Box<Opened>),
    /// Stop all of it.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// A context, folded from its subject. A single task's context has no events of its own until it
/// is cancelled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// What was started, by digest of the pipeline.
    pub opened: Option<PipelineRef>,
    /// Whether it was ordered to stop.
    pub cancelled: bool,
}

impl Aggregate for Context {
    const KIND: Kind = Kind::Context;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ContextOpened(opened) => self.opened = Some(opened.pipeline.clone()),
            Event::ContextCancelled(_) => self.cancelled = true,
            _ => {}
        }
    }

    fn decide(&self, command: &Command, _: &Envelope) -> Decision {
        match command {
            Command::Open(opened) => match &self.opened {
                None if self.cancelled => Err(Rejection::new(
                    Reason::Terminal,
                    "the context was cancelled before it was opened",
                )),
                None => Ok(Some(Event::ContextOpened((**opened).clone()))),
                Some(known) if *known == opened.pipeline => Ok(None),
                Some(known) => Err(Rejection::new(
                    Reason::AlreadyExists,
                    format!("the context runs {} version {} already", known.name, known.version),
                )),
            },
            Command::Cancel { .. } if self.cancelled => Ok(None),
            Command::Cancel { reason } => {
                Ok(Some(Event::ContextCancelled(Cancelled { reason: reason.clone() })))
            }
        }
    }
}

cqrs_es_adapter!(Context);
