//! An attempt that ends badly, and a task whose time is up.

use super::{AttemptFailed, Expired, Failure, Finished, Outcome, Status, Task};
use crate::{Decision, Envelope, Event, Millis, Reason, Rejection};

/// A time that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Nobody has claimed the attempt since it was announced: `timeouts.queue`.
    Queue {
        /// The attempt that was announced.
        attempt: u32,
        /// The round that it was announced in.
        round: u32,
    },
    /// The task has not ended since it was spawned or revived: `timeouts.total`.
    Total {
        /// How often it had been resumed or revived when the timer was set for it.
        round: u32,
    },
}

impl Expire {
    const fn kind(self) -> Expired {
        match self {
            Self::Queue { .. } => Expired::Queue,
            Self::Total { .. } => Expired::Total,
        }
    }
}

impl Task {
    pub(super) fn fail(&self, attempt: u32, error: &Failure, envelope: &Envelope) -> Decision {
        if !self.held(attempt, Outcome::Failed)? {
            return Ok(None);
        }
        let retry = &self.spawned()?.retry;
        let may_follow = if error.is_loss() {
            error.retryable && self.losses < retry.losses_max
        } else {
            retry.retries(error) && attempt.saturating_sub(self.losses) < retry.attempts
        };
        Ok(Some(if may_follow {
            let wait = retry.wait(attempt, envelope.event_id());
            Event::TaskAttemptFailed(AttemptFailed {
                attempt,
                error: error.clone(),
                not_before: envelope.at.plus(wait),
            })
        } else {
            Event::TaskFinished(Finished::failed(attempt, error.clone()))
        }))
    }

    /// Ends the task without an attempt. What runs is refused afterwards by its fence.
    pub(super) fn expire(&self, expire: Expire) -> Decision {
        let timeouts = &self.spawned()?.timeouts;
        if self.expired == Some(expire.kind()) {
            return Ok(None);
        }
        if self.status.is_terminal() {
            return Err(self.terminal("ended for its time"));
        }
        let (limit, is_current, what) = match expire {
            Expire::Queue { attempt, round } => (
                timeouts.queue,
                self.fence().claim(attempt, round).is_ok(),
                format!("nobody has claimed attempt {attempt}"),
            ),
            Expire::Total { round } => {
                (timeouts.total, round == self.round, "the task has not ended".into())
            }
        };
        let Some(limit) = limit else {
            let message = "the task has no such timeout, so it cannot be up";
            return Err(Rejection::new(Reason::WrongState, message));
        };
        if !is_current {
            return Err(Rejection::new(
                Reason::StaleAttempt,
                format!("the timer was set for another attempt or round than {}", self.attempt),
            )
            .current(self.status.name()));
        }
        Ok(Some(Event::TaskFinished(self.timed_out(expire, &what, limit))))
    }

    fn timed_out(&self, expire: Expire, what: &str, limit: Millis) -> Finished {
        let (name, running) = match expire.kind() {
            Expired::Queue => ("timeouts.queue", ""),
            Expired::Total if self.status == Status::Received => {
                ("timeouts.total", "; the attempt that runs is stopped")
            }
            Expired::Total => ("timeouts.total", ""),
        };
        let message = format!("{what} within {limit} ({name}){running}");
        let error = Failure::new(Failure::TIMEOUT, message, false);
        Finished { expired: Some(expire.kind()), ..Finished::failed(self.attempt, error) }
    }
}
