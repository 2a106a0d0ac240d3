//! Work that is to wait: of a task, a context, a specification, a namespace.
//!
//! A pause is a predicate of the scheduler. What was announced or runs already goes on, except that
//! an attempt of a task that is paused itself cannot be claimed.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Envelope, Event, Id, Kind, Name, Namespace, Recorded, Timestamp};

/// It is to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paused {
    /// Who ordered it.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// It goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// Who ordered it.
    pub by: String,
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is paused by {} since {}", self.by, self.since)?;
        match self.reason.as_str() {
            "" => Ok(()),
            reason => write!(f, ": {reason}"),
        }
    }
}

/// What a pause comes to; nothing if there is one.
pub(crate) fn pause(now: Option<&Paused>, reason: &str, envelope: &Envelope) -> Option<Paused> {
    let (by, reason, since) = (envelope.actor.clone(), reason.to_owned(), envelope.at);
    now.is_none().then_some(Paused { by, reason, since })
}

/// What a resumption comes to; nothing if there is no pause.
pub(crate) fn resume(now: Option<&Paused>, envelope: &Envelope) -> Option<Resumed> {
    now.map(|_| Resumed { by: envelope.actor.clone() })
}

/// All pauses there are, folded from the stream: the scheduler's predicate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    by_id: BTreeMap<Id, (Kind, Paused)>,
}

impl Pauses {
    /// Takes in an event. `true`: it ended a pause, or began one.
    pub fn apply(&mut self, recorded: &Recorded) -> bool {
        match &recorded.event {
            Event::TaskPaused(paused)
            | Event::ContextPaused(paused)
            | Event::SpecificationPaused(paused)
            | Event::NamespacePaused(paused) => {
                self.by_id.insert(recorded.id, (recorded.aggregate, paused.clone()));
                true
            }
            Event::TaskResumed(_)
            | Event::ContextResumed(_)
            | Event::SpecificationResumed(_)
            | Event::NamespaceResumed(_) => self.by_id.remove(&recorded.id).is_some(),
            // What has ended waits for nothing, and will not be resumed.
            Event::TaskFinished(_)
            | Event::TaskCancelled(_)
            | Event::TaskSkipped(_)
            | Event::TaskRestarted(_) => {
                self.by_id.remove(&recorded.id);
                false
            }
            _ => false,
        }
    }

    /// What a task is to wait for, and what is paused: the widest there is.
    pub fn of(
        &self,
        namespace: &Namespace,
        specification: &Name,
        context_id: Id,
        task_id: Id,
    ) -> Option<(Kind, &Paused)> {
        if self.by_id.is_empty() {
            return None;
        }
        let ids = [
            Id::named(namespace, Kind::Namespace, namespace.as_str()),
            Id::named(namespace, Kind::Specification, specification.as_str()),
            context_id,
            task_id,
        ];
        ids.iter().find_map(|id| self.by_id.get(id)).map(|(kind, paused)| (*kind, paused))
    }
}
