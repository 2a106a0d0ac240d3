//! A namespace, as far as it is more than a word: whether all work in it is to wait.

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Decision, Envelope, Event, Kind,
    aggregate::cqrs_es_adapter,
    pause::{self, Paused},
};

/// What can be asked of a namespace, under the id [`Id::named`](crate::Id::named) after itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let all its work wait.
    Pause {
        /// Why.
        reason: String,
    },
    /// Let it go on.
    Resume,
}

/// The state of a namespace, folded from its subject. Every namespace exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceState {
    /// Whether its work is to wait.
    pub paused: Option<Paused>,
}

impl Aggregate for NamespaceState {
    const KIND: Kind = Kind::Namespace;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::NamespacePaused(paused) => self.paused = Some(paused.clone()),
            Event::NamespaceResumed(_) => self.paused = None,
            _ => {}
        }
    }

    fn decide(&self, command: &Command, envelope: &Envelope) -> Decision {
        let paused = self.paused.as_ref();
        Ok(match command {
            Command::Pause { reason } => {
                pause::pause(paused, reason, envelope).map(Event::NamespacePaused)
            }
            Command::Resume => pause::resume(paused, envelope).map(Event::NamespaceResumed),
        })
    }
}

cqrs_es_adapter!(NamespaceState);
