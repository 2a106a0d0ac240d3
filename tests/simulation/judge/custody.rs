//! Who may resolve what: at most one at any time, and once.

use std::{collections::HashMap, sync::Arc};

use kantoku_domain::{
    Binding, Event, Id, Recorded, Timestamp,
    restart::OutputPolicy,
    task::{Outcome, Ready, Spawned},
};

use super::{Entry, Verdict, ensure};

/// Who has a resource, and where it was resolved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    /// The task that is its custodian, spawned or named only; `None`: it belongs to none.
    pub(super) custodian: Option<Id>,
    pub(super) resolved: Option<(u64, Timestamp)>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Custody(HashMap<Id, Holding>);

const UNIQUE: &str = "a resource has one custodian";
const ONCE: &str = "an output is resolved once, by its custodian";
const INPUTS: &str = "inputs are where the announcement says";

impl Custody {
    pub(super) fn of(&self, resource: Id) -> Holding {
        self.0.get(&resource).copied().unwrap_or_default()
    }

    /// A new task has what nobody else has, or what was passed to it.
    pub(super) fn spawned(&mut self, id: Id, spawned: &Spawned) -> Verdict {
        for (name, output) in &spawned.outputs {
            let holding = self.0.entry(output.id).or_default();
            let (known, is_open) = (holding.custodian, holding.resolved.is_none());
            ensure(is_open && known.is_none_or(|known| known == id), UNIQUE, || {
                format!("output {name} of task {id} belongs to {known:?}, open: {is_open}")
            })?;
            holding.custodian = Some(id);
        }
        Ok(())
    }

    pub(super) fn initialized(&mut self, recorded: &Recorded) -> Verdict {
        let holding = self.0.entry(recorded.id).or_default();
        let is_free = holding.custodian.is_none() && holding.resolved.is_none();
        holding.resolved = Some((recorded.stream_seq, recorded.metadata.at));
        ensure(is_free, ONCE, || format!("resource {}: {holding:?}", recorded.id))
    }

    pub(super) fn moved(&mut self, recorded: &Recorded, spawned: &Spawned) -> Verdict {
        let id = recorded.id;
        match &recorded.event {
            Event::TaskFinished(finished) => {
                for name in finished.outputs.keys() {
                    let holding = self.held(id, spawned, name, ONCE)?;
                    holding.resolved = Some((recorded.stream_seq, recorded.metadata.at));
                }
                for (name, delegation) in &finished.delegated {
                    self.held(id, spawned, name, UNIQUE)?.custodian = Some(delegation.child);
                }
                let is_ok = finished.outcome == Outcome::Ok;
                let is_kept = |name: &String| {
                    finished.outputs.contains_key(name) || finished.delegated.contains_key(name)
                };
                let is_complete = !is_ok || spawned.outputs.keys().all(is_kept);
                ensure(is_complete, "a task that ends well leaves no output open", || {
                    format!("task {id}")
                })
            }
            Event::TaskRestarted(restarted) if restarted.outputs == OutputPolicy::Reuse => {
                let successor = &restarted.successor;
                for (name, output) in &successor.task.outputs {
                    // A new version may have one more.
                    if !self.0.contains_key(&output.id) {
                        continue;
                    }
                    let holding = self.held(id, spawned, name, UNIQUE)?;
                    holding.custodian = Some(successor.id);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What `id` holds under `name`, and nobody has resolved.
    fn held(
        &mut self,
        id: Id,
        spawned: &Spawned,
        name: &str,
        invariant: &'static str,
    ) -> Result<&mut Holding, super::Violation> {
        let resource = spawned.outputs.get(name).map(|output| output.id).unwrap_or_default();
        let holding = self.0.entry(resource).or_default();
        let is_held = holding.custodian == Some(id) && holding.resolved.is_none();
        ensure(is_held, invariant, || format!("output {name} of task {id}: {holding:?}"))?;
        Ok(holding)
    }

    /// What is announced was resolved, just where it says.
    pub(super) fn check_inputs(
        &self,
        entry: &Entry,
        ready: &Ready,
        at: impl Fn(u64) -> Option<Arc<Recorded>>,
    ) -> Verdict {
        let id = ready.task_id;
        let inputs = entry.spawned.inputs.iter();
        let resource = |(name, it): (_, &Binding)| Some((name, it.resource()?));
        for (name, resource) in inputs.filter_map(resource) {
            let Some(told) = ready.inputs.get(name) else {
                let is_governed = entry.spawned.when.iter().any(|when| {
                    when.rule.tolerates_absence()
                        && when.upstream.iter().any(|it| it.inputs.contains(name))
                });
                ensure(is_governed, INPUTS, || format!("input {name} of task {id} is missing"))?;
                continue;
            };
            let resolved = self.of(resource).resolved.map(|(seq, _)| seq);
            let is_there = resolved == Some(told.seq);
            let is_named = at(told.seq).is_some_and(|by| match (&by.event, &told.output) {
                (Event::TaskFinished(finished), Some(output)) => {
                    finished.outputs.contains_key(output)
                }
                (Event::ResourceInitialized(_), None) => by.id == resource,
                _ => false,
            });
            ensure(is_there && is_named, INPUTS, || {
                format!("input {name} of task {id}: {told:?}, and it was resolved at {resolved:?}")
            })?;
        }
        let is_asked_for = |name: &String| entry.spawned.inputs.contains_key(name);
        ensure(ready.inputs.keys().all(is_asked_for), INPUTS, || format!("task {id}: {ready:?}"))
    }
}
