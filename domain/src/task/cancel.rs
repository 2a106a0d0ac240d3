//! Orders to stop, to wait, to go on, and to give up.

use super::{Cancelled, ChildrenCancelled, Revived, Skipped, Status, Task};
use crate::{Decision, Envelope, Event, Id, Reason, Rejection};

/// An order to stop. It reaches the task, or the children of one that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancel {
    /// Why.
    pub reason: String,
    /// Who ordered it; whoever sends the command unless given.
    pub by: Option<String>,
    /// Tasks that wait for it, and are to be stopped with it: all of them, those at the far end
    /// included.
    pub dependents: Vec<Id>,
    /// How often the task was resumed or revived when that was ordered, if whoever passes the order
    /// on knows: one that came back since is not meant by it.
    pub round: Option<u32>,
}

impl Cancel {
    /// How many dependents may be stopped with a task.
    pub const DEPENDENTS_MAX: usize = 50_000;

    /// An order for this reason, by whoever sends it, for the task alone and what it spawned.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

impl Task {
    pub(super) fn cancel(&self, cancel: &Cancel, envelope: &Envelope) -> Decision {
        self.spawned()?;
        let Cancel { reason, by, dependents, round } = cancel.clone();
        if dependents.len() > Cancel::DEPENDENTS_MAX {
            let (found, max) = (dependents.len(), Cancel::DEPENDENTS_MAX);
            let message = format!("{found} dependents are more than {max}");
            return Err(Rejection::new(Reason::Invalid, message).field("dependents"));
        }
        let by = Some(by.unwrap_or_else(|| envelope.actor.clone()));
        match self.status {
            Status::Cancelled => Ok(None),
            Status::Finished if self.children_cancelled => Ok(None),
            // Its end stands; what it spawned is still its work.
            Status::Finished if !self.children.is_empty() => {
                let children = self.children.clone();
                Ok(Some(Event::TaskChildrenCancelled(ChildrenCancelled {
                    reason,
                    by,
                    children,
                    dependents,
                })))
            }
            status if status.is_terminal() => Err(self.terminal("cancelled")),
            status if round.is_some_and(|round| round != self.round) => {
                let message = "the task was resumed or revived since that was ordered";
                Err(Rejection::new(Reason::StaleAttempt, message).current(status.name()))
            }
            _ => Ok(Some(Event::TaskCancelled(Cancelled { reason, by, dependents }))),
        }
    }

    pub(super) fn skip(&self, skipped: &Skipped) -> Decision {
        self.spawned()?;
        match self.status {
            Status::Skipped => Ok(None),
            Status::Initialized => Ok(Some(Event::TaskSkipped(skipped.clone()))),
            _ => Err(Rejection::new(
                Reason::WrongState,
                format!("a task that is {} is not skipped", self.status.name()),
            )
            .current(self.status.name())),
        }
    }

    /// A task that is not skipped has no need to be revived.
    pub(super) fn revive(&self, revived: Revived) -> Decision {
        self.spawned()?;
        let Some(skipped) = &self.skipped else { return Ok(None) };
        if skipped.is_because_of(revived.root_cause) && self.restarted_as.is_none() {
            return Ok(Some(Event::TaskRevived(revived)));
        }
        let message = match self.restarted_as {
            Some(successor) => format!("the task was restarted as {successor} already"),
            None => format!(
                "the task was skipped because of {}, not because of {}",
                skipped.root_cause, revived.root_cause
            ),
        };
        Err(Rejection::new(Reason::WrongState, message).current(self.status.name()))
    }

    pub(super) fn pause(&self, reason: &str, envelope: &Envelope) -> Decision {
        self.spawned()?;
        if self.status.is_terminal() {
            return Err(self.terminal("paused"));
        }
        Ok(crate::pause::pause(self.paused.as_ref(), reason, envelope).map(Event::TaskPaused))
    }

    pub(super) fn resume(&self, envelope: &Envelope) -> Decision {
        self.spawned()?;
        Ok(crate::pause::resume(self.paused.as_ref(), envelope).map(Event::TaskResumed))
    }
}
