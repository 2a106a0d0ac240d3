//! What is known on behalf of one task: the facts that its needs are evaluated with.

use kantoku_domain::{
    Id, Timestamp,
    dependency::{Ending, EventPattern, Facts, HttpProbe, Known, Probed, Readiness},
};

use super::{knowledge::Knowledge, probes::Probes, tally::Counted, task::Waiting};

/// See the module.
pub(super) struct View<'a> {
    pub(super) knowledge: &'a Knowledge,
    pub(super) probes: &'a Probes,
    pub(super) task: &'a Waiting,
    /// At which time answers to probes have to be fresh; `None`: any answer will do.
    pub(super) fresh_at: Option<Timestamp>,
}

impl View<'_> {
    /// Whether the task may run at `now`.
    pub(super) fn readiness(&self, now: Timestamp) -> Readiness {
        match self.task.tally.counted() {
            Counted::Ready => Readiness::Ready { absent: Vec::new() },
            Counted::Pending => Readiness::Pending { next: None },
            Counted::Unknown => self.task.needs.evaluate(self, now),
        }
    }
}

impl Facts for View<'_> {
    fn resource(&self, id: Id) -> Known {
        self.knowledge.resource(id)
    }

    fn task(&self, id: Id) -> Option<Ending> {
        self.knowledge.ending(id)
    }

    fn since(&self) -> Timestamp {
        self.task.since
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.task.heard.iter().flat_map(|heard| &heard.approvals);
        given.filter(|(of, ..)| of == name).map(|(_, by, at)| (by.as_str(), *at)).collect()
    }

    fn event(&self, pattern: &EventPattern) -> Option<Timestamp> {
        let events = &self.task.heard.as_ref()?.events;
        events.iter().find(|(awaited, _)| awaited == pattern)?.1
    }

    fn probe(&self, probe: &HttpProbe) -> Option<Probed> {
        let last = self.probes.last(probe)?;
        let is_fresh = self.fresh_at.is_none_or(|now| Probes::is_fresh(probe, last, now));
        is_fresh.then_some(last)
    }
}
