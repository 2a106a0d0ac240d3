//! The judge: folds every event by rules of its own, and says at once which invariant is broken.
//!
//! Nothing here asks the aggregates: what they decide is what is judged.

mod custody;
mod ends;
mod entry;
mod facts;
mod leases;
mod orders;
mod queue;
mod quiet;
mod restarts;
mod slots;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use kantoku_domain::{
    Event, Id, Recorded, Timestamp,
    dependency::Probed,
    task::{Planned, Spawned},
};

pub(crate) use entry::{End, Entry, Life};
pub(crate) use quiet::Why;

use custody::Custody;
use slots::Slots;

/// A broken invariant, and how it was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

pub(crate) type Verdict = Result<(), Violation>;

/// What is wrong, if `is_well` is not so.
pub(crate) fn ensure(
    is_well: bool,
    invariant: &'static str,
    what: impl FnOnce() -> String,
) -> Verdict {
    if is_well { Ok(()) } else { Err(Violation { invariant, what: what() }) }
}

/// The decision of a scheduler that an announcement follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decided {
    /// Decisions are numbered.
    pub(crate) number: u64,
    /// Up to here the scheduler knew the stream.
    pub(crate) position: u64,
    /// By its clock.
    pub(crate) at: Timestamp,
    /// How often that clock had jumped.
    pub(crate) jumps: u32,
}

/// A task that an event names and that is not spawned yet.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) spawned: Arc<Spawned>,
    /// The order that it descends from: the start of its context, or a restart.
    pub(crate) origin: u64,
}

/// What is known of a context.
#[derive(Clone, Debug, Default)]
pub(crate) struct Execution {
    pub(crate) tasks: BTreeSet<Id>,
    pub(crate) outputs: BTreeMap<String, Id>,
    /// Where it was ordered to stop last.
    pub(crate) cancelled: Option<u64>,
    /// Restarts of it, by their ids.
    restarts: BTreeMap<Id, restarts::Restart>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Judge {
    pub(crate) tasks: BTreeMap<Id, Entry>,
    pub(crate) named: BTreeMap<Id, Named>,
    pub(crate) contexts: BTreeMap<Id, Execution>,
    /// Paused contexts, specifications and namespaces, since which position.
    pub(crate) pauses: HashMap<Id, u64>,
    /// The last answer to the one probe there is, as the scheduler has heard it.
    pub(crate) probed: Option<Probed>,
    custody: Custody,
    slots: Slots,
    orders: orders::Orders,
    leases: leases::Leases,
    /// What tasks may wait for: the names of such events, where and when.
    happenings: Vec<(&'static str, u64, Timestamp)>,
}

impl Judge {
    /// Takes in the event that was just appended. `at` finds any earlier one.
    pub(crate) fn observe(
        &mut self,
        recorded: &Recorded,
        decided: Option<Decided>,
        at: impl Fn(u64) -> Option<Arc<Recorded>>,
    ) -> Verdict {
        let id = recorded.id;
        match &recorded.event {
            Event::ContextOpened(opened) => {
                let context = self.contexts.entry(id).or_default();
                context.outputs.clone_from(&opened.outputs);
                self.name(&opened.plan, recorded.stream_seq);
                Ok(())
            }
            Event::ContextCancelled(_) => {
                self.contexts.entry(id).or_default().cancelled = Some(recorded.stream_seq);
                Ok(())
            }
            Event::ContextRestarted(restarted) => {
                let context = self.contexts.entry(id).or_default();
                context.outputs.extend(restarted.results.clone());
                let restart = restarts::Restart::new(recorded.stream_seq, restarted);
                context.restarts.insert(restarted.id, restart);
                Ok(())
            }
            Event::ContextRestartSettled(settled) => self.settled(id, settled),
            Event::ContextPaused(_) | Event::SpecificationPaused(_) | Event::NamespacePaused(_) => {
                self.pauses.insert(id, recorded.stream_seq);
                Ok(())
            }
            Event::ContextResumed(_)
            | Event::SpecificationResumed(_)
            | Event::NamespaceResumed(_) => {
                self.pauses.remove(&id);
                Ok(())
            }
            Event::SpecificationApplied(_) => {
                let name = recorded.event.name();
                self.happenings.push((name, recorded.stream_seq, recorded.metadata.at));
                Ok(())
            }
            Event::PolicyApplied(applied) => {
                let definition = Some(applied.definition.clone());
                self.slots.set_policy(&applied.name, definition, id, recorded.stream_seq);
                Ok(())
            }
            Event::PolicyDeleted(_) => {
                self.slots.delete_policy(id, recorded.stream_seq);
                Ok(())
            }
            Event::ResourceInitialized(_) => self.custody.initialized(recorded),
            Event::TaskReady(ready) => self.announced(recorded, ready, decided, at),
            Event::TaskSpawned(spawned) => self.spawned(recorded, spawned),
            _ => self.moved(recorded, at),
        }
    }

    fn name(&mut self, tasks: &[Planned], origin: u64) {
        for planned in tasks {
            let spawned = Arc::new(planned.task.clone());
            self.named.insert(planned.id, Named { spawned, origin });
        }
    }

    fn spawned(&mut self, recorded: &Recorded, spawned: &Spawned) -> Verdict {
        let id = recorded.id;
        ensure(!self.tasks.contains_key(&id), "a task is spawned once", || format!("task {id}"))?;
        let named = self.named.remove(&id);
        let is_told = named.as_ref().is_none_or(|named| *named.spawned == *spawned);
        ensure(is_told, "a task is spawned as it was named", || format!("task {id}"))?;
        let origin = named.as_ref().map_or(recorded.stream_seq, |named| named.origin);
        self.contexts.entry(spawned.context_id).or_default().tasks.insert(id);
        let spawned = named.map_or_else(|| Arc::new(spawned.clone()), |named| named.spawned);
        self.custody.spawned(id, &spawned)?;
        self.tasks.insert(id, Entry::new(recorded, spawned, origin));
        Ok(())
    }

    /// An event of a task that exists.
    fn moved(&mut self, recorded: &Recorded, at: impl Fn(u64) -> Option<Arc<Recorded>>) -> Verdict {
        let Some(entry) = self.tasks.get(&recorded.id) else {
            let is_task = recorded.aggregate == kantoku_domain::Kind::Task;
            return ensure(!is_task, "nothing happens to a task that is not there", || {
                format!("{} of {}", recorded.event.name(), recorded.id)
            });
        };
        entry.check(recorded, at)?;
        if let Event::TaskSkipped(skipped) = &recorded.event {
            self.check_blame(recorded, skipped.root_cause)?;
        }
        self.check_step(recorded)?;
        let Some(entry) = self.tasks.get_mut(&recorded.id) else { return Ok(()) };
        self.custody.moved(recorded, &entry.spawned)?;
        let origin = entry.origin;
        entry.take(recorded);
        if let Event::TaskRevived(revived) = &recorded.event {
            // It comes back by the order that the other was restarted by.
            let origin = self.origin(revived.restarted_as).unwrap_or(recorded.stream_seq);
            if let Some(entry) = self.tasks.get_mut(&recorded.id) {
                entry.origin = origin;
            }
        }
        match &recorded.event {
            Event::TaskFinished(finished) => self.name(&finished.children, origin),
            Event::TaskRestarted(restarted) => {
                let context = self.contexts.entry(restarted.successor.task.context_id).or_default();
                let ordered = restarted.step_of.and_then(|id| context.restarts.get(&id));
                let origin = ordered.map_or(recorded.stream_seq, |restart| restart.ordered);
                self.name(std::slice::from_ref(&restarted.successor), origin);
            }
            _ => {}
        }
        self.orders.take(recorded);
        Ok(())
    }

    fn origin(&self, id: Id) -> Option<u64> {
        let spawned = self.tasks.get(&id).map(|entry| entry.origin);
        spawned.or_else(|| self.named.get(&id).map(|named| named.origin))
    }

    /// The task that has the place of `id` by now.
    pub(crate) fn head(&self, id: Id) -> Id {
        let mut head = id;
        while let Some(next) = self.tasks.get(&head).and_then(|entry| entry.restarted_as) {
            head = next;
        }
        head
    }

    /// Whether the task is to wait, by whatever is paused.
    pub(crate) fn paused(&self, entry: &Entry) -> bool {
        entry.paused || self.paused_since(entry).is_some()
    }

    /// Since when the context, the specification or the namespace of the task is paused.
    pub(crate) fn paused_since(&self, entry: &Entry) -> Option<u64> {
        if self.pauses.is_empty() {
            return None;
        }
        let ids = [entry.spawned.context_id, entry.specification_id, entry.namespace_id];
        ids.iter().filter_map(|id| self.pauses.get(id)).min().copied()
    }
}
