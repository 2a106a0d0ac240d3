//! A named type. Versions by digest.

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Decision, Envelope, Event, Kind, Name, Type, aggregate::cqrs_es_adapter, digest,
};

/// The type has a new version. References to other named types have been replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub name: Name,
    /// Which version this is, 1 for the first.
    pub version: u64,
    /// Its content.
    pub digest: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it stands for.
    pub definition: Type,
}

/// What can be asked of a named type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make `definition` the latest version, if it is not.
    Apply {
        /// The name that the aggregate's id is derived from.
        name: Name,
        /// For people.
        description: String,
        /// What it stands for.
        definition: Type,
    },
}

/// A named type, folded from its subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NamedType {
    /// The version that new specifications get.
    pub latest: Option<Applied>,
}

impl Aggregate for NamedType {
    const KIND: Kind = Kind::Type;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        if let Event::TypeApplied(applied) = event {
            self.latest = Some(applied.clone());
        }
    }

    fn decide(&self, command: &Command, _: &Envelope) -> Decision {
        let Command::Apply { name, description, definition } = command;
        let digest = digest(&(description, definition));
        if self.latest.as_ref().is_some_and(|latest| latest.digest == digest) {
            return Ok(None);
        }
        Ok(Some(Event::TypeApplied(Applied {
            name: name.clone(),
            version: self.latest.as_ref().map_or(1, |latest| latest.version + 1),
            digest,
            description: description.clone(),
            definition: definition.clone(),
        })))
    }
}

cqrs_es_adapter!(NamedType);
