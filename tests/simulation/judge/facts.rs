//! What the judge knows on behalf of a task that waits.

use kantoku_domain::{
    Dependency, Id, Recorded, Timestamp,
    dependency::{
        Cause, Ending, EventPattern, Facts, How, HttpProbe, Known, Needs, Probed, Readiness, Status,
    },
    task::Revived,
};

use super::{End, Entry, Judge, Verdict, ensure};

struct All<'a> {
    judge: &'a Judge,
    entry: &'a Entry,
}

impl Judge {
    /// Whether a task may run, by all that has happened.
    pub(crate) fn readiness(&self, entry: &Entry, now: Timestamp) -> Readiness {
        Needs::of(&entry.spawned).evaluate(&All { judge: self, entry }, now)
    }

    /// Whether a task waits for a server: which answers count is the scheduler's to say.
    pub(crate) fn asks(&self, id: Id) -> bool {
        self.tasks
            .get(&id)
            .is_some_and(|entry| entry.has(|leaf| matches!(leaf, Dependency::Http(_))))
    }

    /// Why a task that is skipped has to come back, if it has to.
    pub(crate) fn revival(&self, entry: &Entry, now: Timestamp) -> Option<Revived> {
        let skipped = entry.skipped.as_ref().filter(|_| entry.restarted_as.is_none())?;
        let restarted_as = |id| self.tasks.get(&id).and_then(|cause| cause.restarted_as);
        skipped.revival(&self.readiness(entry, now), restarted_as)
    }

    /// Whether something rules out that a task ever runs, though it may be waited for who else
    /// fails.
    pub(crate) fn is_hopeless(&self, entry: &Entry, now: Timestamp) -> bool {
        let explanation = Needs::of(&entry.spawned).explain(&All { judge: self, entry }, now);
        let is_failed = |status: &Status| matches!(status, Status::Failed { .. });
        is_failed(&explanation.status)
            || explanation.grounds.iter().any(|ground| is_failed(&ground.status))
    }

    fn how(entry: &Entry) -> Option<How> {
        Some(match entry.end()? {
            End::Ok => How::Ok,
            End::Failed => How::Failed,
            End::Cancelled => How::Cancelled,
            End::Skipped => match &entry.skipped {
                Some(skipped) => How::from(skipped),
                None => How::Cancelled,
            },
        })
    }

    fn ending(&self, id: Id) -> Option<Ending> {
        let entry = self.tasks.get(&id)?;
        Some(Ending { task: id, how: Self::how(entry)?, at: entry.ended_at })
    }

    /// A scheduler that knows all there is has given up a task.
    pub(crate) fn check_skip(&self, id: Id, now: Timestamp) -> Verdict {
        let Some(entry) = self.tasks.get(&id).filter(|_| !self.asks(id)) else { return Ok(()) };
        let readiness = self.readiness(entry, now);
        let is_hopeless = !entry.is_live() || matches!(readiness, Readiness::Failed(_));
        ensure(is_hopeless, "only what can never run is given up", || {
            format!("task {id}: {readiness:?}")
        })
    }

    /// A scheduler that knows all there is has announced a task.
    pub(crate) fn check_announcement(&self, id: Id, now: Timestamp, has_jumped: bool) -> Verdict {
        // What the clock had let through before it was set back is through.
        let is_sure = |entry: &Entry| !has_jumped || !entry.has(by_clock);
        let is_known = |entry: &&Entry| entry.is_live() && !self.asks(id) && is_sure(entry);
        let Some(entry) = self.tasks.get(&id).filter(is_known) else { return Ok(()) };
        let readiness = self.readiness(entry, now);
        let is_ready = matches!(readiness, Readiness::Ready { .. });
        ensure(is_ready, "only what may run is announced", || format!("task {id}: {readiness:?}"))?;
        ensure(!self.paused(entry), "what is paused is not announced", || format!("task {id}"))
    }

    /// A skip names a task that has ended, or has no hope for its own time.
    pub(super) fn check_blame(&self, recorded: &Recorded, root_cause: Id) -> Verdict {
        let blamed = self.tasks.get(&root_cause);
        let has_ended = root_cause == recorded.id
            || blamed.is_some_and(|it| !it.is_live() || it.restarted_as.is_some() || it.round > 0);
        ensure(has_ended, "who is blamed has ended", || {
            format!("task {} is skipped because of {root_cause}, which is live", recorded.id)
        })
    }
}

/// What comes and goes with the time. A clock that is set back brings it back, and nobody looks.
pub(super) fn by_clock(leaf: &Dependency) -> bool {
    matches!(leaf, Dependency::At(_) | Dependency::Window(_))
}

impl Facts for All<'_> {
    fn resource(&self, id: Id) -> Known {
        let holding = self.judge.custody.of(id);
        if let Some((_, at)) = holding.resolved {
            return Known::Holds { at };
        }
        let ending = holding.custodian.and_then(|custodian| self.judge.ending(custodian));
        match ending {
            None => Known::Pending,
            Some(ending) => Known::Impossible {
                root_causes: ending.root_causes(),
                cause: if ending.is_failure() { Cause::Failure } else { Cause::Rule },
                at: ending.at,
            },
        }
    }

    fn task(&self, id: Id) -> Option<Ending> {
        self.judge.ending(self.judge.head(id))
    }

    fn since(&self) -> Timestamp {
        self.entry.since.0
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.entry.approvals.iter().filter(|(of, ..)| of == name);
        given.map(|(_, by, at)| (by.as_str(), *at)).collect()
    }

    fn probe(&self, _: &HttpProbe) -> Option<Probed> {
        self.judge.probed
    }

    fn event(&self, pattern: &EventPattern) -> Option<Timestamp> {
        let of_type = |(name, seq, _): &&(&str, u64, Timestamp)| {
            *name == pattern.type_ && *seq > self.entry.since.1
        };
        self.judge.happenings.iter().find(of_type).map(|(.., at)| *at)
    }
}
