//! What is known, read from the whole log at each question: slow, plain, and without anything of
//! the scheduler.

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Id, Recorded, Timestamp,
    dependency::{Cause, Ending, Facts, How, Known, Needs, Readiness},
    restart::OutputPolicy,
    task::{Outcome, Spawned},
};

/// What is known on behalf of one task.
pub(in crate::scheduler) struct Oracle<'a> {
    pub(in crate::scheduler) log: &'a [Recorded],
    pub(in crate::scheduler) task: Id,
}

impl Oracle<'_> {
    pub(in crate::scheduler) fn readiness(&self, spawned: &Spawned, now: Timestamp) -> Readiness {
        Needs::of(spawned).evaluate(self, now)
    }

    pub(in crate::scheduler) fn successor(&self, id: Id) -> Option<Id> {
        self.log.iter().find_map(|recorded| match &recorded.event {
            Event::TaskRestarted(restarted) if recorded.id == id => Some(restarted.successor.id),
            _ => None,
        })
    }

    /// How a task itself has ended.
    fn end(&self, id: Id) -> Option<(How, Timestamp)> {
        let mut end = None;
        for recorded in self.log.iter().filter(|recorded| recorded.id == id) {
            let how = match &recorded.event {
                Event::TaskFinished(finished) if finished.outcome == Outcome::Ok => How::Ok,
                Event::TaskFinished(_) => How::Failed,
                Event::TaskCancelled(_) => How::Cancelled,
                Event::TaskSkipped(skipped) => skipped.into(),
                Event::TaskRestarted(_) if end.is_none() => How::Cancelled,
                Event::TaskRevived(_) => {
                    end = None;
                    continue;
                }
                _ => continue,
            };
            end = Some((how, recorded.metadata.at));
        }
        end
    }

    /// Who is to resolve a resource, if a task is.
    fn custodian(&self, resource: Id) -> Option<Id> {
        let mut custodian = None;
        for recorded in self.log {
            match &recorded.event {
                Event::TaskSpawned(spawned) if custodian.is_none() => {
                    let mut outputs = spawned.outputs.values();
                    custodian = outputs.any(|output| output.id == resource).then_some(recorded.id);
                }
                Event::TaskFinished(finished) if custodian == Some(recorded.id) => {
                    let mut children = finished.children.iter();
                    let child = children.find(|child| {
                        child.task.outputs.values().any(|output| output.id == resource)
                    });
                    custodian = child.map(|child| child.id).or(custodian);
                }
                Event::TaskRestarted(restarted)
                    if custodian == Some(recorded.id)
                        && restarted.outputs == OutputPolicy::Reuse =>
                {
                    custodian = Some(restarted.successor.id);
                }
                _ => {}
            }
        }
        custodian
    }
}

impl Facts for Oracle<'_> {
    fn resource(&self, id: Id) -> Known {
        let mut outputs: BTreeMap<Id, BTreeMap<&String, Id>> = BTreeMap::new();
        for recorded in self.log {
            match &recorded.event {
                Event::TaskSpawned(spawned) => {
                    let of = spawned.outputs.iter().map(|(name, output)| (name, output.id));
                    outputs.insert(recorded.id, of.collect());
                }
                Event::TaskFinished(finished) => {
                    let mut resolved = finished.outputs.keys();
                    if resolved.any(|name| outputs[&recorded.id].get(name) == Some(&id)) {
                        return Known::Holds { at: recorded.metadata.at };
                    }
                }
                _ => {}
            }
        }
        let Some(custodian) = self.custodian(id) else { return Known::Pending };
        match self.end(custodian) {
            None | Some((How::Ok, _)) => Known::Pending,
            Some((How::Skipped { root_causes, cause }, at)) => {
                Known::Impossible { root_causes: root_causes.by_way_of(custodian), cause, at }
            }
            Some((_, at)) => {
                Known::Impossible { root_causes: custodian.into(), cause: Cause::Failure, at }
            }
        }
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let mut task = id;
        while let Some(next) = self.successor(task) {
            task = next;
        }
        self.end(task).map(|(how, at)| Ending { task, how, at })
    }

    fn since(&self) -> Timestamp {
        let began = self.log.iter().rfind(|recorded| {
            let is_it = matches!(recorded.event, Event::TaskSpawned(_) | Event::TaskRevived(_));
            recorded.id == self.task && is_it
        });
        began.map_or_else(Timestamp::default, |recorded| recorded.metadata.at)
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.log.iter().filter(|recorded| recorded.id == self.task);
        given
            .filter_map(|recorded| match &recorded.event {
                Event::TaskApproved(approved) if approved.name == name => {
                    Some((approved.by.as_str(), recorded.metadata.at))
                }
                _ => None,
            })
            .collect()
    }
}
