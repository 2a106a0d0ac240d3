//! Who may claim an attempt, and who may end it: guard and fence.

use super::{Outcome, Received, Status, Task};
use crate::{Decision, Envelope, Event, Reason, Rejection};

/// What decides about claims and ends: the whole of the rule, in four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// Where the task is.
    pub status: Status,
    /// The attempt that runs or ran last; 0 before the first.
    pub attempt: u32,
    /// How often the task was resumed or revived.
    pub round: u32,
    /// Whether it is to wait.
    pub paused: bool,
}

/// Why a claim or an end is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such task.
    Absent,
    /// It has ended.
    Terminal,
    /// Another attempt, or another announcement, is the current one.
    Stale,
    /// It is to wait.
    Paused,
}

impl Fence {
    /// Whether `attempt`, announced in `round`, may be claimed now: the next one, by nobody yet.
    pub const fn claim(self, attempt: u32, round: u32) -> Result<(), Refusal> {
        match self.status {
            Status::Absent => Err(Refusal::Absent),
            status if status.is_terminal() => Err(Refusal::Terminal),
            Status::Initialized if attempt == self.attempt + 1 && round == self.round => {
                if self.paused { Err(Refusal::Paused) } else { Ok(()) }
            }
            _ => Err(Refusal::Stale),
        }
    }

    /// Whether `attempt` may end the task or be ended: the one that holds it.
    pub const fn end(self, attempt: u32) -> Result<(), Refusal> {
        match self.status {
            Status::Absent => Err(Refusal::Absent),
            status if status.is_terminal() => Err(Refusal::Terminal),
            Status::Received if attempt == self.attempt => Ok(()),
            _ => Err(Refusal::Stale),
        }
    }
}

impl Task {
    /// What decides about claims and ends.
    pub fn fence(&self) -> Fence {
        Fence {
            status: self.status,
            attempt: self.attempt,
            round: self.round,
            paused: self.paused.is_some(),
        }
    }

    pub(super) fn receive(&self, claim: &Received, envelope: &Envelope) -> Decision {
        self.spawned()?;
        if self.holder.as_ref() == Some(claim) {
            return Ok(None);
        }
        match self.fence().claim(claim.attempt, claim.round) {
            Ok(()) => {}
            Err(Refusal::Paused) => return Err(self.is_paused()),
            Err(Refusal::Stale) => return Err(self.is_stale(claim)),
            Err(Refusal::Terminal | Refusal::Absent) => return Err(self.terminal("claimed")),
        }
        if envelope.at < self.not_before {
            return Err(Rejection::new(
                Reason::TooEarly,
                format!("attempt {} may not start before {}", claim.attempt, self.not_before),
            ));
        }
        Ok(Some(Event::TaskReceived(claim.clone())))
    }

    fn is_stale(&self, claim: &Received) -> Rejection {
        let holder = self.holder.as_ref().map_or("nobody", |holder| &holder.node);
        let message = if claim.attempt == self.attempt + 1 && self.status == Status::Initialized {
            format!(
                "attempt {} was announced before the task was resumed or revived: it will be again",
                claim.attempt
            )
        } else {
            format!(
                "attempt {} cannot be claimed: attempt {} is {}, by {holder}",
                claim.attempt,
                self.attempt,
                self.status.name()
            )
        };
        Rejection::new(Reason::StaleAttempt, message).current(self.status.name())
    }

    fn is_paused(&self) -> Rejection {
        let by = self.paused.as_ref().map_or_else(String::new, ToString::to_string);
        Rejection::new(Reason::Paused, format!("the task {by}")).current(self.status.name())
    }

    /// The fence: only the attempt that holds the lease may end it.
    /// `false` when it has ended it in just this way before.
    pub(super) fn held(&self, attempt: u32, outcome: Outcome) -> Result<bool, Rejection> {
        self.spawned()?;
        if self.closed == Some((attempt, outcome)) && self.status != Status::Received {
            return Ok(false);
        }
        let reason = match self.fence().end(attempt) {
            Ok(()) => return Ok(true),
            Err(Refusal::Terminal) if self.attempt == attempt => {
                return Err(self.terminal("finished"));
            }
            Err(Refusal::Terminal) => Reason::Terminal,
            Err(_) => Reason::StaleAttempt,
        };
        let (last, status) = (self.attempt, self.status.name());
        let message =
            format!("attempt {attempt} does not hold the task: attempt {last} is {status}");
        Err(Rejection::new(reason, message).current(status))
    }
}
