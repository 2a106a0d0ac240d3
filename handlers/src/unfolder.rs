//! Unfolds decisions: the tasks that a plan or a finished task names are spawned, and all tasks of
//! a cancelled context are cancelled, those not yet spawned included.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use kantoku_domain::{Event, Id, Namespace, Recorded, Timestamp, task};

use crate::{Effect, Handler};

/// See the module.
#[derive(Debug, Default)]
pub struct Unfolder {
    /// Named and not yet spawned.
    named: HashMap<Id, Named>,
    /// The order in which they were named; ids no longer in `named` are passed over.
    order: VecDeque<Id>,
    /// Spawned and not yet over, by context.
    live: HashMap<Id, BTreeMap<Id, Namespace>>,
    /// Cancelled contexts, with the event that said so and why.
    cancelled: HashMap<Id, (Id, String)>,
    /// Tasks to cancel, with their contexts.
    to_cancel: VecDeque<(Id, Id)>,
    queued_to_cancel: HashSet<Id>,
}

#[derive(Debug)]
struct Named {
    namespace: Namespace,
    cause: Id,
    task: task::Spawned,
}

impl Unfolder {
    fn name(&mut self, recorded: &Recorded, tasks: &[task::Planned]) {
        for planned in tasks {
            let named = Named {
                namespace: recorded.namespace.clone(),
                cause: recorded.metadata.event_id,
                task: planned.task.clone(),
            };
            if self.named.insert(planned.id, named).is_none() {
                self.order.push_back(planned.id);
            }
        }
    }

    fn spawned(&mut self, recorded: &Recorded, context_id: Id) {
        self.named.remove(&recorded.id);
        let tasks = self.live.entry(context_id).or_default();
        tasks.insert(recorded.id, recorded.namespace.clone());
        // A child that comes after the order to stop: it is stopped, too.
        if self.cancelled.contains_key(&context_id) {
            self.cancel(context_id, recorded.id);
        }
    }

    fn cancel(&mut self, context_id: Id, task_id: Id) {
        if self.queued_to_cancel.insert(task_id) {
            self.to_cancel.push_back((context_id, task_id));
        }
    }

    fn ended(&mut self, recorded: &Recorded) {
        self.queued_to_cancel.remove(&recorded.id);
        let context_id = recorded.metadata.correlation_id;
        if let Some(tasks) = self.live.get_mut(&context_id) {
            tasks.remove(&recorded.id);
            if tasks.is_empty() {
                self.live.remove(&context_id);
            }
        }
    }

    fn next_cancel(&mut self) -> Option<Effect> {
        let (context_id, task_id) = self.to_cancel.pop_front()?;
        let namespace = self.live.get(&context_id)?.get(&task_id)?.clone();
        let (cause, reason) = self.cancelled.get(&context_id)?.clone();
        let command = task::Command::Cancel(task::Cancel::because(reason));
        Some(Effect::Command { namespace, task_id, context_id, cause, command })
    }

    fn next_spawn(&mut self) -> Option<Effect> {
        let task_id = self.order.pop_front()?;
        let named = self.named.get(&task_id)?;
        Some(Effect::Command {
            namespace: named.namespace.clone(),
            task_id,
            context_id: named.task.context_id,
            cause: named.cause,
            command: task::Command::Spawn(Box::new(named.task.clone())),
        })
    }
}

impl Handler for Unfolder {
    fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::ContextOpened(opened) => self.name(recorded, &opened.plan),
            Event::TaskSpawned(spawned) => self.spawned(recorded, spawned.context_id),
            Event::TaskFinished(finished) => {
                self.name(recorded, &finished.children);
                self.ended(recorded);
            }
            Event::TaskCancelled(_) | Event::TaskSkipped(_) => self.ended(recorded),
            Event::ContextCancelled(cancelled) => {
                let order = (recorded.metadata.event_id, cancelled.reason.clone());
                self.cancelled.insert(recorded.id, order);
                let tasks = self.live.get(&recorded.id);
                for task_id in tasks.into_iter().flat_map(|t| t.keys().copied()).collect::<Vec<_>>()
                {
                    self.cancel(recorded.id, task_id);
                }
            }
            _ => {}
        }
    }

    fn foresee(&mut self, recorded: &Recorded) {
        self.apply(recorded);
    }

    fn due(&mut self, _: Timestamp, max: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        while effects.len() < max && !(self.to_cancel.is_empty() && self.order.is_empty()) {
            effects.extend(self.next_cancel().or_else(|| self.next_spawn()));
        }
        effects
    }
}
