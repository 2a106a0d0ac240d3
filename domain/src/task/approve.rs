//! Approvals that a task waits for.

use super::{Approved, Status, Task};
use crate::{Decision, Dependency, Event, Reason, Rejection};

impl Task {
    /// Who has said yes to `name`.
    pub fn approvals(&self, name: &str) -> impl Iterator<Item = &str> {
        self.approvals.get(name).into_iter().flatten().map(String::as_str)
    }

    /// A word that changes nothing, as it was given before or others were enough, is no event.
    pub(super) fn approve(&self, approved: &Approved) -> Decision {
        let Approved { name, by } = approved;
        let dependency = self.spawned()?.depends_on.as_ref();
        let asked = dependency.map(Dependency::approvals).unwrap_or_default();
        let Some(approval) = asked.iter().find(|approval| approval.name == *name) else {
            return Err(unknown(name, &asked));
        };
        if self.approvals(name).any(|who| who == by) {
            return Ok(None);
        }
        if !approval.may(by) {
            let names = approval.by.join(", ");
            let message =
                format!("{by} may not give approval {name:?}; it may be given by {names}");
            return Err(Rejection::new(Reason::NotAllowed, message).field("by"));
        }
        if self.approvals(name).count() >= approval.count as usize {
            return Ok(None);
        }
        match self.status {
            Status::Initialized => Ok(Some(Event::TaskApproved(approved.clone()))),
            status if status.is_terminal() => Err(self.terminal("approved")),
            _ => Err(Rejection::new(Reason::WrongState, "the task runs, and waits for nothing")
                .current(self.status.name())),
        }
    }
}

fn unknown(name: &str, asked: &[&crate::dependency::Approval]) -> Rejection {
    let names: Vec<_> = asked.iter().map(|approval| format!("{:?}", approval.name)).collect();
    let what = match names.as_slice() {
        [] => "it waits for none".to_owned(),
        names => format!("it waits for {}", names.join(", ")),
    };
    let message = format!("the task does not wait for approval {name:?}; {what}");
    Rejection::new(Reason::NotFound, message).field("name")
}
