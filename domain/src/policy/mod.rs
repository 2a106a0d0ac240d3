//! A policy: how much of what may run at once, and who goes first. Versions by digest.

mod definition;
mod template;
mod validate;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Decision, Envelope, Event, Kind, Name, Reason, Rejection,
    aggregate::cqrs_es_adapter, digest,
};

pub use definition::{Ageing, Definition, Limit, Rate};
pub use template::{Field, Template};

/// The policy has a new version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The policy holds no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Who ordered it.
    pub by: String,
}

/// What can be asked of a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make `definition` the latest version, if it is not.
    Apply {
        /// The name that the aggregate's id is derived from.
        name: Name,
        /// What it says; found sound by [`Definition::problems`].
        definition: Box<Definition>,
    },
    /// Let it hold no longer.
    Delete,
}

/// A policy, folded from its subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The last version, whether it holds or not.
    pub latest: Option<Applied>,
    /// Whether it was deleted since.
    pub deleted: bool,
}

impl Policy {
    /// The version that holds.
    pub fn current(&self) -> Option<&Applied> {
        self.latest.as_ref().filter(|_| !self.deleted)
    }
}

impl Aggregate for Policy {
    const KIND: Kind = Kind::Policy;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::PolicyApplied(applied) => {
                self.latest = Some(applied.clone());
                self.deleted = false;
            }
            Event::PolicyDeleted(_) => self.deleted = true,
            _ => {}
        }
    }

    fn decide(&self, command: &Command, envelope: &Envelope) -> Decision {
        match command {
            Command::Apply { name, definition } => {
                let digest = digest(definition);
                if self.current().is_some_and(|current| current.digest == digest) {
                    return Ok(None);
                }
                Ok(Some(Event::PolicyApplied(Applied {
                    name: name.clone(),
                    version: self.latest.as_ref().map_or(1, |latest| latest.version + 1),
                    digest,
                    definition: (**definition).clone(),
                })))
            }
            Command::Delete if self.latest.is_none() => {
                Err(Rejection::new(Reason::NotFound, "there is no such policy"))
            }
            Command::Delete if self.deleted => Ok(None),
            Command::Delete => {
                Ok(Some(Event::PolicyDeleted(Deleted { by: envelope.actor.clone() })))
            }
        }
    }
}

cqrs_es_adapter!(Policy);
