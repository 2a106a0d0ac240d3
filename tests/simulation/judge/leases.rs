//! Leases: nobody loses an attempt who was heard of in time.

use std::{collections::HashMap, time::Duration};

use kantoku_domain::{Id, Timestamp};
use kantoku_streams::Heartbeat;

use super::{Entry, Judge, Life, Verdict, ensure};

/// When the runs of services were last heard to hold each attempt, by a clock that does not jump.
#[derive(Default)]
pub(super) struct Leases(HashMap<(Id, u32, Id), Timestamp>);

impl Judge {
    pub(crate) fn heard(&mut self, beat: &Heartbeat, now: Timestamp) {
        for held in &beat.attempts {
            self.leases.0.insert((held.task_id, held.attempt, beat.boot_id), now);
        }
    }

    /// A keeper takes an attempt away: `boot_id` is the run of its holder's service by now.
    pub(crate) fn check_loss(
        &self,
        (id, attempt): (Id, u32),
        now: Timestamp,
        lease: Duration,
        boot_id: impl Fn(&str) -> Option<Id>,
    ) -> Verdict {
        // Of one that has ended since, the word comes too late.
        let is_it = |entry: &&Entry| entry.life == Life::Held && entry.attempt == attempt;
        let Some(entry) = self.tasks.get(&id).filter(is_it) else { return Ok(()) };
        let Some(holder) = &entry.holder else { return Ok(()) };
        let heard = self.leases.0.get(&(id, attempt, holder.boot_id));
        let is_silent = heard.is_none_or(|heard| now.since(*heard) >= lease);
        let is_gone = boot_id(&holder.node) != Some(holder.boot_id);
        ensure(is_silent || is_gone, "who is heard of keeps its attempts", || {
            format!("attempt {attempt} of task {id} is lost at {now}, heard of at {heard:?}")
        })
    }
}
