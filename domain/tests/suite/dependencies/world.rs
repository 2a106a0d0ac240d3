//! Facts for tests, by the numbers of ids.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Id, Timestamp,
    dependency::{Cause, Ending, EventPattern, Facts, How, HttpProbe, Known, Probed, Status},
};

use crate::scenario::uuid_like::id;

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) resources: BTreeMap<Id, Known>,
    pub(crate) tasks: BTreeMap<Id, Ending>,
    approvals: Vec<(String, String)>,
    events: Vec<(EventPattern, Timestamp)>,
    probes: BTreeMap<String, Probed>,
}

const AT: Timestamp = Timestamp::from_micros(1);

impl World {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }

    pub(crate) fn evaluate(&self, dependency: &Dependency) -> Status {
        dependency.evaluate(self, self.now)
    }

    pub(crate) fn resolved(mut self, resource: u64) -> Self {
        self.resources.insert(id(resource), Known::Holds { at: AT });
        self
    }

    pub(crate) fn lost(mut self, resource: u64, by: u64, cause: Cause) -> Self {
        let known = Known::Impossible { root_causes: id(by).into(), cause, at: AT };
        self.resources.insert(id(resource), known);
        self
    }

    fn ended(mut self, task: u64, how: How, at: Timestamp) -> Self {
        self.tasks.insert(id(task), Ending { task: id(task), how, at });
        self
    }

    pub(crate) fn ok(self, task: u64) -> Self {
        self.ended(task, How::Ok, AT)
    }

    pub(crate) fn ok_at(self, task: u64, at: Timestamp) -> Self {
        self.ended(task, How::Ok, at)
    }

    pub(crate) fn failed(self, task: u64) -> Self {
        self.ended(task, How::Failed, AT)
    }

    pub(crate) fn cancelled(self, task: u64) -> Self {
        self.ended(task, How::Cancelled, AT)
    }

    pub(crate) fn skipped(self, task: u64, because_of: u64, cause: Cause) -> Self {
        self.ended(task, How::Skipped { root_causes: id(because_of).into(), cause }, AT)
    }

    pub(crate) fn approved(mut self, name: &str, who: &str) -> Self {
        self.approvals.push((name.into(), who.into()));
        self
    }

    pub(crate) fn recorded(mut self, pattern: EventPattern, at: Timestamp) -> Self {
        self.events.push((pattern, at));
        self
    }

    pub(crate) fn probed(mut self, url: &str, status: Option<u16>, at: Timestamp) -> Self {
        self.probes.insert(url.into(), Probed { status, at });
        self
    }
}

impl Facts for World {
    fn resource(&self, id: Id) -> Known {
        self.resources.get(&id).cloned().unwrap_or(Known::Pending)
    }

    fn task(&self, id: Id) -> Option<Ending> {
        self.tasks.get(&id).cloned()
    }

    fn since(&self) -> Timestamp {
        Timestamp::default()
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.approvals.iter().filter(|(approval, _)| approval == name);
        given.map(|(_, who)| (who.as_str(), AT)).collect()
    }

    fn event(&self, pattern: &EventPattern) -> Option<Timestamp> {
        self.events.iter().find(|(known, _)| known == pattern).map(|(_, at)| *at)
    }

    fn probe(&self, probe: &HttpProbe) -> Option<Probed> {
        self.probes.get(&probe.url).copied()
    }
}
