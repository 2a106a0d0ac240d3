//! HTTP probes that tasks wait for: asked by others, answered into memory. Tasks that wait for the
//! same share its answers.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use kantoku_domain::{
    Id, Timestamp,
    dependency::{HttpProbe, Probed},
};

/// How long an answer is waited for before the same is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Probe {
    last: Option<Probed>,
    /// When it was asked and not answered yet.
    asked: Option<Timestamp>,
    tasks: BTreeSet<Id>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Probes {
    all: HashMap<HttpProbe, Probe>,
}

impl Probes {
    /// How soon a task looks again whose probe is not answered: something else may be due.
    pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

    pub(super) fn last(&self, probe: &HttpProbe) -> Option<Probed> {
        self.all.get(probe)?.last
    }

    /// Whether an answer counts at `now`: what has answered hours ago may be gone.
    pub(super) fn is_fresh(probe: &HttpProbe, last: Probed, now: Timestamp) -> bool {
        now < last.at.plus(2 * probe.every.duration())
    }

    /// A task waits for it.
    pub(super) fn watch(&mut self, probe: &HttpProbe, task: Id) {
        if let Some(known) = self.all.get_mut(probe) {
            known.tasks.insert(task);
        } else {
            let tasks = [task].into();
            self.all.insert(probe.clone(), Probe { tasks, ..Probe::default() });
        }
    }

    /// A task waits for it no more.
    pub(super) fn leave(&mut self, probe: &HttpProbe, task: Id) {
        if let Some(known) = self.all.get_mut(probe) {
            known.tasks.remove(&task);
            if known.tasks.is_empty() {
                self.all.remove(probe);
            }
        }
    }

    /// Whether it is to be asked at `now`, which is then taken as done.
    pub(super) fn ask(&mut self, probe: &HttpProbe, now: Timestamp) -> bool {
        let Some(known) = self.all.get_mut(probe) else { return false };
        let is_over = |at: Timestamp, wait: Duration| at.plus(wait) <= now;
        let is_due = known.asked.is_none_or(|at| is_over(at, PATIENCE))
            && known.last.is_none_or(|last| is_over(last.at, probe.every.duration()));
        if is_due {
            known.asked = Some(now);
        }
        is_due
    }

    /// Takes in an answer. Who waits for it.
    pub(super) fn answer(&mut self, probe: &HttpProbe, probed: Probed) -> Vec<Id> {
        let Some(known) = self.all.get_mut(probe) else { return Vec::new() };
        (known.last, known.asked) = (Some(probed), None);
        known.tasks.iter().copied().collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
