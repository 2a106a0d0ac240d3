//! Unfolds decisions: the tasks that an event names are spawned, come back or stop, and restarts of
//! contexts are carried out.

mod stops;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use kantoku_domain::{
    Event, Id, Namespace, Recorded, Timestamp, context,
    task::{Command, Planned, Restarted, Revived, Spawned},
};
use serde::{Deserialize, Serialize};
use stops::Stops;

use crate::{
    Effect, Handler, SavedError,
    overdue::Overdue,
    saved::{self, as_json, sorted},
};

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Unfolder {
    /// The last event that was delivered.
    position: u64,
    stops: Stops,
    /// Named and not yet spawned.
    #[serde(with = "sorted")]
    named: HashMap<Id, Named>,
    /// To be revived.
    #[serde(with = "sorted")]
    revivals: HashMap<Id, Revival>,
    /// Restarts that are not settled.
    #[serde(with = "sorted")]
    restarts: HashMap<Id, Restart>,
    /// What to do, in the order in which it became due; what is done by now is passed over.
    order: VecDeque<Next>,
    #[serde(skip)]
    taken: Overdue<Next>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Next {
    Spawn(Id),
    Revive(Id),
    Restart(Id),
}

#[derive(Debug, Serialize, Deserialize)]
struct Named {
    namespace: Namespace,
    cause: Id,
    #[serde(with = "as_json")]
    task: Spawned,
}

#[derive(Debug, Serialize, Deserialize)]
struct Revival {
    namespace: Namespace,
    context_id: Id,
    cause: Id,
    #[serde(with = "as_json")]
    revived: Revived,
}

#[derive(Debug, Serialize, Deserialize)]
struct Restart {
    namespace: Namespace,
    context_id: Id,
    #[serde(with = "as_json")]
    restarted: Arc<context::Restarted>,
}

impl Unfolder {
    /// The tasks that the event names, and that nobody has spawned yet.
    fn name(&mut self, recorded: &Recorded) {
        let tasks = match &recorded.event {
            Event::ContextOpened(opened) => &opened.plan[..],
            Event::TaskFinished(finished) => &finished.children,
            Event::TaskRestarted(restarted) => std::slice::from_ref(&restarted.successor),
            _ => &[],
        };
        for Planned { id, task } in tasks {
            // It may have been foreseen.
            if self.named.contains_key(id) {
                continue;
            }
            let named = Named {
                namespace: recorded.namespace.clone(),
                cause: recorded.metadata.event_id,
                task: task.clone(),
            };
            self.named.insert(*id, named);
            self.order.push_back(Next::Spawn(*id));
        }
    }

    fn revive(&mut self, recorded: &Recorded, restarted: &Restarted) {
        let revived = Revived { root_cause: recorded.id, restarted_as: restarted.successor.id };
        for revival in &restarted.revive {
            if !self.stops.is_skipped(revival.task_id) {
                continue;
            }
            let revival_ = Revival {
                namespace: recorded.namespace.clone(),
                context_id: recorded.metadata.correlation_id,
                cause: recorded.metadata.event_id,
                revived,
            };
            self.revivals.insert(revival.task_id, revival_);
            self.order.push_back(Next::Revive(revival.task_id));
        }
    }

    fn restart(&mut self, recorded: &Recorded, restarted: &context::Restarted) {
        let restart = Restart {
            namespace: recorded.namespace.clone(),
            context_id: recorded.id,
            restarted: Arc::new(restarted.clone()),
        };
        self.restarts.insert(restarted.id, restart);
        self.order.push_back(Next::Restart(restarted.id));
    }

    fn is_due(&self, next: Next) -> bool {
        match next {
            Next::Spawn(id) => self.named.contains_key(&id),
            Next::Revive(id) => self.revivals.contains_key(&id),
            Next::Restart(id) => self.restarts.contains_key(&id),
        }
    }

    /// Drops what is done by now. What is queued more than once was queued for good last.
    fn tidy(&mut self) {
        let (mut seen, mut order) = (HashSet::new(), VecDeque::new());
        for next in std::mem::take(&mut self.order).into_iter().rev() {
            if self.is_due(next) && seen.insert(next) {
                order.push_front(next);
            }
        }
        self.order = order;
        self.stops.tidy();
    }

    fn next(&mut self, now: Timestamp) -> Option<Effect> {
        let next = self.order.pop_front()?;
        let effect = match next {
            Next::Spawn(task_id) => self.named.get(&task_id).map(|named| named.effect(task_id)),
            Next::Revive(id) => self.revivals.get(&id).map(|revival| revival.effect(id)),
            Next::Restart(id) => self.restarts.get(&id).map(Restart::effect),
        };
        if effect.is_some() {
            self.taken.taken(now, next);
        }
        effect
    }
}

impl Named {
    fn effect(&self, task_id: Id) -> Effect {
        Effect::Command {
            namespace: self.namespace.clone(),
            task_id,
            context_id: self.task.context_id,
            cause: self.cause,
            command: Command::Spawn(Box::new(self.task.clone())),
        }
    }
}

impl Revival {
    fn effect(&self, task_id: Id) -> Effect {
        Effect::Command {
            namespace: self.namespace.clone(),
            task_id,
            context_id: self.context_id,
            cause: self.cause,
            command: Command::Revive(self.revived),
        }
    }
}

impl Restart {
    fn effect(&self) -> Effect {
        Effect::Restart {
            namespace: self.namespace.clone(),
            context_id: self.context_id,
            restarted: Arc::clone(&self.restarted),
        }
    }
}

impl Handler for Unfolder {
    fn apply(&mut self, recorded: &Recorded) {
        self.position = recorded.stream_seq;
        self.name(recorded);
        match &recorded.event {
            Event::TaskSpawned(_) => {
                self.named.remove(&recorded.id);
            }
            Event::TaskRevived(_) => {
                self.revivals.remove(&recorded.id);
            }
            Event::TaskRestarted(restarted) => {
                self.revivals.remove(&recorded.id);
                self.revive(recorded, restarted);
            }
            Event::ContextRestarted(restarted) => self.restart(recorded, restarted),
            Event::ContextRestartSettled(settled) => {
                self.restarts.remove(&settled.id);
            }
            _ => {}
        }
        self.stops.apply(recorded);
    }

    /// What is named may be spawned at once. Who is to stop is decided in the order of the stream.
    fn foresee(&mut self, recorded: &Recorded) {
        if recorded.stream_seq > self.position {
            self.name(recorded);
        }
    }

    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect> {
        // What is done by now is passed over.
        while let Some(lost) = self.taken.next(now) {
            self.order.push_back(lost);
        }
        self.stops.take_up_lost(now);
        let mut effects = Vec::new();
        while effects.len() < max && (self.stops.is_due() || !self.order.is_empty()) {
            effects.extend(self.stops.next(now).or_else(|| self.next(now)));
        }
        effects
    }

    fn save(&mut self) -> Result<Vec<u8>, SavedError> {
        self.tidy();
        saved::write(self)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), SavedError> {
        *self = saved::read(saved)?;
        self.stops.tidy();
        Ok(())
    }
}

#[cfg(test)]
#[path = "unfolder_tests.rs"]
mod tests;
