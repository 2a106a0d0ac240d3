//! A context: one execution, all tasks that descend from one spawn.

mod restart;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Aggregate, Decision, Envelope, Event, Id, Kind, Name, Reason, Rejection,
    aggregate::cqrs_es_adapter,
    pause::{self, Paused},
    task,
};

pub use restart::{Claimed, Restart, RestartSettled, Restarted, Superseded};

/// A version of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// All that belongs to the context was ordered to stop, children not yet unfolded included. What
/// a later restart spawns is not meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why.
    pub reason: String,
    /// Who ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
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
    /// Let all of it wait.
    Pause {
        /// Why.
        reason: String,
    },
    /// Let it go on.
    Resume,
    /// Run some of it again.
    Restart(Box<Restart>),
    /// Note that a restart was carried out.
    SettleRestart(RestartSettled),
}

/// A context, folded from its subject. A single task's context has no events of its own until
/// something is ordered for all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// What was started, by digest of the pipeline.
    pub opened: Option<PipelineRef>,
    /// Whether it was ordered to stop, and nothing of it to run again since.
    pub cancelled: bool,
    /// Whether it is to wait.
    pub paused: Option<Paused>,
    /// Which tasks were to be restarted, on which state of theirs, and as what.
    pub restarted: BTreeMap<Id, Claimed>,
    /// Restarts that are not carried out yet.
    pub restarting: BTreeSet<Id>,
}

impl Context {
    fn open(&self, opened: &Opened) -> Decision {
        match &self.opened {
            None if self.cancelled => Err(Rejection::new(
                Reason::Terminal,
                "the context was cancelled before it was opened",
            )),
            None => Ok(Some(Event::ContextOpened(opened.clone()))),
            Some(known) if *known == opened.pipeline => Ok(None),
            Some(known) => Err(Rejection::new(
                Reason::AlreadyExists,
                format!("the context runs {} version {} already", known.name, known.version),
            )),
        }
    }
}

impl Aggregate for Context {
    const KIND: Kind = Kind::Context;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ContextOpened(opened) => self.opened = Some(opened.pipeline.clone()),
            Event::ContextCancelled(_) => self.cancelled = true,
            Event::ContextPaused(paused) => self.paused = Some(paused.clone()),
            Event::ContextResumed(_) => self.paused = None,
            Event::ContextRestarted(restarted) => self.restarted(restarted),
            Event::ContextRestartSettled(settled) => self.settled(settled),
            _ => {}
        }
    }

    fn decide(&self, command: &Command, envelope: &Envelope) -> Decision {
        let paused = self.paused.as_ref();
        match command {
            Command::Open(opened) => self.open(opened),
            Command::Cancel { .. } if self.cancelled => Ok(None),
            Command::Cancel { reason } => {
                let by = Some(envelope.actor.clone());
                Ok(Some(Event::ContextCancelled(Cancelled { reason: reason.clone(), by })))
            }
            Command::Pause { reason } => {
                Ok(pause::pause(paused, reason, envelope).map(Event::ContextPaused))
            }
            Command::Resume => Ok(pause::resume(paused, envelope).map(Event::ContextResumed)),
            Command::Restart(restart) => self.restart(restart, envelope),
            Command::SettleRestart(settled) => Ok(self.settle(settled)),
        }
    }
}

cqrs_es_adapter!(Context);
