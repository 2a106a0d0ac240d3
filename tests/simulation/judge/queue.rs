//! Who waits for admission, and what blocks it.

use kantoku_domain::{Id, Standing, Timestamp, admission::Blocked, dependency::Readiness};

use super::{Entry, Judge, Life, Verdict, ensure, facts::by_clock};

const IDLE: &str = "what may run is admitted, or a limit is used up";

impl Judge {
    /// Schedulers have done all that follows by now: whoever may run and is not announced is blocked
    /// by what the judge has counted, too.
    pub(crate) fn check_queue(
        &self,
        now: Timestamp,
        has_jumped: bool,
        standing: impl Fn(Id) -> Option<Standing>,
    ) -> Verdict {
        for (id, entry) in &self.tasks {
            let is_sure = !has_jumped || !entry.has(by_clock);
            if !is_sure || !self.may_be_announced(*id, entry, now) {
                continue;
            }
            let standing = standing(*id);
            let blocked = standing.as_ref().map(|standing| &standing.blocked[..]);
            let is_so = blocked.is_some_and(|blocked| !blocked.is_empty())
                && blocked.iter().copied().flatten().all(|blocked| self.is_so(blocked, now));
            ensure(is_so, IDLE, || format!("task {id}: {standing:?}"))?;
        }
        Ok(())
    }

    fn may_be_announced(&self, id: Id, entry: &Entry, now: Timestamp) -> bool {
        entry.life == Life::Waiting
            && entry.is_admitted().is_none()
            && entry.not_before <= now
            && !self.paused(entry)
            && !self.asks(id)
            && matches!(self.readiness(entry, now), Readiness::Ready { .. })
    }

    fn is_so(&self, blocked: &Blocked, now: Timestamp) -> bool {
        match blocked {
            Blocked::Concurrency { key, limit, held, .. } => {
                let counted = self.slots.held(&self.tasks, &key.policy, &key.limit, &key.value);
                counted == *held && counted >= *limit as usize
            }
            Blocked::Rate { next, .. } => now < *next,
            Blocked::Reserved { for_task, .. } => {
                self.tasks.get(for_task).is_some_and(|it| it.life == Life::Waiting)
            }
            // More than any run announces.
            Blocked::Window { .. } => false,
        }
    }
}
