//! A restart: another task takes the place of this one, once.

use std::collections::BTreeMap;

use super::{Outcome, Restarted, Revival, Status, Task, successor};
use crate::{
    Decision, Envelope, Event, Id, Reason, Rejection,
    restart::{OutputPolicy, VersionPolicy, successor_id},
    specification,
};

/// An order to restart a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restart {
    /// What becomes of its outputs.
    pub outputs: OutputPolicy,
    /// Which version of its specification the successor has.
    pub version: VersionPolicy,
    /// That version, looked up; `None` for [`VersionPolicy::Same`].
    pub specification: Option<Box<specification::Applied>>,
    /// Tasks and resources that the successor waits for and reads instead of others.
    pub rebind: BTreeMap<Id, Id>,
    /// Why.
    pub reason: String,
    /// Who ordered it; whoever sends the command unless given.
    pub by: Option<String>,
    /// The restart of a context that this is a step of. Only such a step restarts a task that is
    /// live: its inputs are replaced.
    pub step_of: Option<Id>,
    /// Tasks that were skipped because of it and wait again.
    pub revive: Vec<Revival>,
}

impl Task {
    pub(super) fn restart(&self, restart: &Restart, envelope: &Envelope) -> Decision {
        let spawned = self.spawned()?;
        let id = envelope.aggregate_id;
        let decided_by = restart.step_of.unwrap_or_else(|| envelope.event_id());
        let successor_id = successor_id(decided_by, id);
        match self.restarted_as {
            Some(winner) if winner == successor_id => return Ok(None),
            Some(winner) => return Err(already_restarted(winner)),
            None => {}
        }
        self.may_restart(restart)?;
        let held = match restart.outputs {
            OutputPolicy::Reuse => Some(&self.custody),
            OutputPolicy::Reallocate => None,
        };
        let successor = successor::of(id, spawned, held, restart, successor_id)?;
        Ok(Some(Event::TaskRestarted(Restarted {
            successor,
            outputs: restart.outputs,
            version: restart.version,
            reason: restart.reason.clone(),
            by: restart.by.clone().unwrap_or_else(|| envelope.actor.clone()),
            step_of: restart.step_of,
            revive: restart.revive.clone(),
            children: self.children.clone(),
        })))
    }

    fn may_restart(&self, restart: &Restart) -> Result<(), Rejection> {
        let wrong = |message: String| {
            Err(Rejection::new(Reason::WrongState, message).current(self.status.name()))
        };
        let is_reuse = restart.outputs == OutputPolicy::Reuse;
        match self.status {
            Status::Initialized | Status::Received if is_reuse || restart.step_of.is_none() => {
                wrong(format!(
                    "the task is {} and may still end well: cancel it first, or wait for its end",
                    self.status.name()
                ))
            }
            Status::Finished if is_reuse && self.outcome == Some(Outcome::Ok) => {
                match self.delegated.iter().next() {
                    Some((name, delegation)) => Err(not_custodian(name, delegation.child)),
                    None => wrong(
                        "the task finished ok, and an output is resolved once: \
                         restart it with outputs reallocate"
                            .into(),
                    ),
                }
            }
            _ => Ok(()),
        }
    }
}

/// The rejection of a restart when another was faster, as `winner`.
pub fn already_restarted(winner: Id) -> Rejection {
    let message = format!("the task was restarted already, as {winner}");
    Rejection::new(Reason::AlreadyRestarted, message).winner(winner)
}

/// An output is another's to resolve.
pub(crate) fn not_custodian(name: &str, custodian: Id) -> Rejection {
    let message = format!(
        "output {name:?} was delegated to task {custodian}, which is its custodian now: restart \
         that one (ktk restart task/{custodian}), or this one with outputs reallocate"
    );
    Rejection::new(Reason::NotCustodian, message).field(format!("outputs.{name}"))
}
