//! Who may resolve a resource: one task at a time, and each resource once.

use std::collections::HashMap;

use kantoku_domain::{
    Event, Id, Recorded,
    restart::OutputPolicy,
    task::{Finished, Restarted, Spawned},
};

use super::Findings;

#[derive(Default)]
pub(super) struct Custody {
    /// The task that may resolve a resource, spawned or named already.
    custodians: HashMap<Id, Id>,
    /// Resources that nobody has custody of.
    allocated: HashMap<Id, u64>,
    /// Where a resource got its value.
    resolved: HashMap<Id, u64>,
}

impl Custody {
    /// An event of a task that was spawned so.
    pub(super) fn task(
        &mut self,
        recorded: &Recorded,
        spawned: Option<&Spawned>,
        findings: &mut Findings,
    ) {
        match (&recorded.event, spawned) {
            (Event::TaskSpawned(spawned), None) => self.spawned(recorded, spawned, findings),
            (Event::TaskFinished(finished), Some(spawned)) => {
                self.finished(recorded, finished, spawned, findings);
            }
            (Event::TaskRestarted(restarted), Some(spawned)) => {
                self.restarted(recorded, restarted, spawned);
            }
            _ => {}
        }
    }

    /// An event of a resource that no task has custody of.
    pub(super) fn resource(&mut self, recorded: &Recorded, findings: &mut Findings) {
        let id = recorded.id;
        match &recorded.event {
            Event::ResourceAllocated(_) => {
                if let Some(task) = self.custodians.get(&id) {
                    let message = format!("it is an output of task {task}");
                    findings.add("custody", recorded, message);
                }
                self.allocated.insert(id, recorded.stream_seq);
            }
            Event::ResourceInitialized(_) => self.resolve(id, recorded, "the resource", findings),
            _ => {}
        }
    }

    fn spawned(&mut self, recorded: &Recorded, spawned: &Spawned, findings: &mut Findings) {
        for (name, output) in &spawned.outputs {
            let holder = self.custodians.get(&output.id).copied();
            let is_taken = holder.is_some_and(|holder| holder != recorded.id);
            if is_taken || self.allocated.contains_key(&output.id) {
                let whose = holder.map_or_else(
                    || "belongs to no task".to_owned(),
                    |holder| format!("is in custody of task {holder}"),
                );
                let message = format!("output {name:?} is resource {}, which {whose}", output.id);
                findings.add("custody", recorded, message);
            }
            if let Some(before) = self.resolved.get(&output.id) {
                let message = format!("output {name:?} was resolved at position {before} already");
                findings.add("resolved-twice", recorded, message);
            }
            self.custodians.insert(output.id, recorded.id);
        }
    }

    fn finished(
        &mut self,
        recorded: &Recorded,
        finished: &Finished,
        spawned: &Spawned,
        findings: &mut Findings,
    ) {
        let names = finished.outputs.keys().chain(finished.delegated.keys());
        for name in names {
            let Some(output) = spawned.outputs.get(name) else { continue };
            let holder = self.custodians.get(&output.id).copied();
            if holder != Some(recorded.id) {
                let whose = holder.map_or("nobody".to_owned(), |holder| format!("task {holder}"));
                let message = format!("output {name:?} is in custody of {whose}");
                findings.add("custody", recorded, message);
            }
            match finished.delegated.get(name) {
                Some(delegation) => {
                    self.custodians.insert(output.id, delegation.child);
                }
                None => self.resolve(output.id, recorded, &format!("output {name:?}"), findings),
            }
        }
    }

    fn restarted(&mut self, recorded: &Recorded, restarted: &Restarted, spawned: &Spawned) {
        if restarted.outputs == OutputPolicy::Reallocate {
            return;
        }
        for output in spawned.outputs.values() {
            if self.custodians.get(&output.id) == Some(&recorded.id) {
                self.custodians.insert(output.id, restarted.successor.id);
            }
        }
    }

    fn resolve(&mut self, id: Id, recorded: &Recorded, what: &str, findings: &mut Findings) {
        match self.resolved.get(&id) {
            Some(before) => {
                let message = format!("{what} was resolved at position {before} already");
                findings.add("resolved-twice", recorded, message);
            }
            None => {
                self.resolved.insert(id, recorded.stream_seq);
            }
        }
    }
}
