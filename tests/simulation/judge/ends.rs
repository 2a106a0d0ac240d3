//! Claims, and ends of attempts.

use std::sync::Arc;

use kantoku_domain::{Event, Recorded, task::Received};

use super::{
    Decided, Entry, Judge, Life, Verdict, ensure,
    entry::{Announcement, Holder},
};

impl Entry {
    pub(super) fn check_claim(
        &self,
        recorded: &Recorded,
        received: &Received,
        at: impl Fn(u64) -> Option<Arc<Recorded>>,
    ) -> Verdict {
        let (id, attempt, round) = (recorded.id, received.attempt, received.round);
        let is_next = self.life == Life::Waiting && attempt == self.attempt + 1;
        ensure(is_next, "one attempt at a time", || {
            format!("attempt {attempt} of task {id}, which is {:?} at {}", self.life, self.attempt)
        })?;
        ensure(!self.paused, "what is paused is not claimed", || format!("task {id}"))?;
        ensure(recorded.metadata.at >= self.not_before, "no claim before its time", || {
            format!("attempt {attempt} of task {id}, which has to wait until {}", self.not_before)
        })?;
        let announced = at(received.ready_seq);
        let is_announced = announced.is_some_and(|announced| {
            matches!(&announced.event, Event::TaskReady(ready)
                if (ready.task_id, ready.attempt, ready.round) == (id, attempt, self.round))
        });
        ensure(is_announced && round == self.round, "a claim follows its announcement", || {
            let of = received.ready_seq;
            format!("attempt {attempt} of task {id} in round {round}: announced at {of}?")
        })
    }

    /// The end of an attempt, or of a task whose time is up.
    pub(super) fn check_end(&self, recorded: &Recorded) -> Verdict {
        let attempt = match &recorded.event {
            Event::TaskAttemptFailed(failed) => failed.attempt,
            Event::TaskFinished(finished) if finished.expired.is_some() => return Ok(()),
            Event::TaskFinished(finished) => finished.attempt,
            _ => return Ok(()),
        };
        let id = recorded.id;
        let is_current = self.life == Life::Held && attempt == self.attempt;
        ensure(is_current, "only the attempt that holds a task ends it", || {
            let (life, held) = (self.life, self.attempt);
            format!("attempt {attempt} of task {id}, which is {life:?} by attempt {held}")
        })?;
        let metadata = &recorded.metadata;
        // Executors sign with the run of theirs.
        let is_holder = |holder: &Holder| metadata.actor == holder.boot_id.to_string();
        let by_executor = metadata.service_id.starts_with(crate::world::EXECUTOR);
        ensure(
            !by_executor || self.holder.as_ref().is_some_and(is_holder),
            "only the run of a service that holds a task ends it",
            || format!("attempt {attempt} of task {id} ends by {}", metadata.actor),
        )
    }
}

impl Judge {
    /// What all runs of a service hold: task, attempt, fence and run.
    pub(crate) fn held_by<'a>(
        &'a self,
        service_id: &'a str,
    ) -> impl Iterator<Item = (kantoku_domain::Id, u32, u64, kantoku_domain::Id)> + 'a {
        self.tasks.iter().filter_map(move |(id, entry)| {
            let holder = entry.holder.as_ref().filter(|holder| holder.node == service_id)?;
            Some((*id, entry.attempt, holder.fence, holder.boot_id))
        })
    }

    /// An executor is told to stop an attempt; `is_ending` if somebody is about to say so.
    pub(crate) fn check_call_off(
        &self,
        id: kantoku_domain::Id,
        attempt: u32,
        is_ending: bool,
    ) -> Verdict {
        let is_held = self
            .tasks
            .get(&id)
            .is_some_and(|entry| entry.life == Life::Held && entry.attempt == attempt);
        ensure(!is_held || is_ending, "work that is well goes on", || {
            format!("attempt {attempt} of task {id} is called off")
        })
    }

    pub(super) fn announced(
        &mut self,
        recorded: &Recorded,
        ready: &kantoku_domain::task::Ready,
        decided: Option<Decided>,
        at: impl Fn(u64) -> Option<Arc<Recorded>>,
    ) -> Verdict {
        let id = ready.task_id;
        let Some(entry) = self.tasks.get(&id) else {
            return ensure(false, "only what exists is announced", || format!("task {id}"));
        };
        let is_next = entry.life == Life::Waiting
            && ready.guard == entry.last_seq
            && (ready.attempt, ready.round) == (entry.attempt + 1, entry.round);
        ensure(is_next, "an announcement is of the next attempt", || {
            let (attempt, round) = (ready.attempt, ready.round);
            let (life, last, now) = (entry.life, entry.attempt, entry.round);
            format!("attempt {attempt} round {round} of {id}: {life:?} at {last} round {now}")
        })?;
        self.custody.check_inputs(entry, ready, at)?;
        let decided = decided.unwrap_or_default();
        let known = entry
            .announcement
            .filter(|known| (known.attempt, known.round) == (ready.attempt, ready.round));
        // The same once more takes nothing.
        if known.is_none() {
            self.slots.check(&self.tasks, id, entry, decided, recorded)?;
        }
        if let Some(entry) = self.tasks.get_mut(&id) {
            let (attempt, round) = (ready.attempt, ready.round);
            entry.announcement = known.or(Some(Announcement { attempt, round, decided }));
        }
        Ok(())
    }
}
