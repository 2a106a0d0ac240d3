//! Orders to stop, and whom they reach: the task itself, what it spawned, what it was restarted as,
//! what is to stop with it.
//!
//! An order reaches what was ordered before it, whether that is there yet or not, and nothing that
//! somebody orders later. So everything has an *origin*: the position of the order that it descends
//! from, which is the start of its context or a restart.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use kantoku_domain::{
    Event, Id, Namespace, Recorded, Timestamp,
    task::{Cancel, Command, Planned, Restarted},
};

use serde::{Deserialize, Serialize};

use crate::{Effect, overdue::Overdue, saved::sorted};

/// Who is to stop, and has not yet.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Stops {
    /// Tasks that live, or through which an order reaches others.
    #[serde(with = "sorted")]
    tasks: HashMap<Id, Life>,
    /// Tasks that live, by context.
    #[serde(with = "sorted")]
    live: HashMap<Id, BTreeSet<Id>>,
    /// Where restarts were ordered that are not settled yet.
    #[serde(with = "sorted")]
    restarts: HashMap<Id, u64>,
    /// The contexts that these are of.
    #[serde(with = "sorted")]
    restarting: HashMap<Id, Restarting>,
    /// The last order to each context.
    #[serde(with = "sorted")]
    contexts: HashMap<Id, Arc<Order>>,
    /// The last order to each task that has not obeyed.
    #[serde(with = "sorted")]
    orders: HashMap<Id, Arc<Order>>,
    #[serde(skip)]
    due: VecDeque<Id>,
    #[serde(skip)]
    queued: HashSet<Id>,
    #[serde(skip)]
    taken: Overdue<Id>,
}

/// An order to stop.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    position: u64,
    namespace: Namespace,
    context_id: Id,
    cause: Id,
    reason: String,
    by: Option<String>,
}

/// Restarts of a context that are not settled yet.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Restarting {
    open: usize,
    /// The last order to each task that has ended: what a restart that was ordered before puts in its
    /// place is meant, too.
    #[serde(with = "sorted")]
    orders: HashMap<Id, Arc<Order>>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Life {
    /// It will be spawned.
    Named { origin: u64 },
    /// It has not ended. `round` is how often it was resumed or revived.
    Live { origin: u64, round: u32 },
    /// It may come back.
    Skipped { round: u32 },
    /// It has finished and left children.
    Parent,
    /// Another has its place.
    Restarted { successor: Id, origin: u64 },
}

impl Stops {
    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let (id, seq) = (recorded.id, recorded.stream_seq);
        match &recorded.event {
            Event::ContextOpened(opened) => self.name(&opened.plan, seq),
            Event::ContextCancelled(cancelled) => {
                let order = Order::of(recorded, cancelled.reason.clone(), cancelled.by.clone());
                self.stop_context(id, &Arc::new(order));
            }
            Event::ContextRestarted(restarted) => {
                self.restarts.insert(restarted.id, seq);
                self.restarting.entry(id).or_default().open += 1;
            }
            Event::ContextRestartSettled(settled) => self.settled(id, settled.id),
            Event::TaskSpawned(_) => {
                let origin = match self.tasks.get(&id) {
                    Some(Life::Named { origin }) => *origin,
                    _ => seq,
                };
                self.live(recorded, origin, 0);
            }
            Event::TaskResumed(_) => self.resumed(id),
            Event::TaskFinished(finished) => self.finished(recorded, &finished.children),
            Event::TaskCancelled(cancelled) => {
                self.over(recorded, None);
                let order = Order::of(recorded, cancelled.reason.clone(), cancelled.by.clone());
                self.stop_all(&cancelled.dependents, order);
            }
            Event::TaskChildrenCancelled(cancelled) => {
                self.over(recorded, None);
                let order = Order::of(recorded, cancelled.reason.clone(), cancelled.by.clone());
                self.stop_all(
                    [&cancelled.children[..], &cancelled.dependents].concat().iter(),
                    order,
                );
            }
            Event::TaskSkipped(_) => {
                let round = self.round(id);
                self.ended(recorded, Some(Life::Skipped { round }));
            }
            Event::TaskRevived(revived) => {
                let origin = match self.tasks.get(&revived.root_cause) {
                    Some(Life::Restarted { origin, .. }) => *origin,
                    _ => seq,
                };
                self.live(recorded, origin, self.round(id) + 1);
            }
            Event::TaskRestarted(restarted) => self.restarted(recorded, restarted),
            _ => {}
        }
    }

    /// Whether the task was given up and may come back.
    pub(super) fn is_skipped(&self, id: Id) -> bool {
        matches!(self.tasks.get(&id), Some(Life::Skipped { .. }))
    }

    /// All who were told to stop, and have not, are due, those first who were told first.
    pub(super) fn tidy(&mut self) {
        let mut all: Vec<_> = self.orders.iter().map(|(id, it)| (it.position, *id)).collect();
        all.sort_unstable();
        self.due = all.iter().map(|(_, id)| *id).collect();
        self.queued = all.into_iter().map(|(_, id)| id).collect();
    }

    /// Whether somebody may be due to stop.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Queues those again who were told to stop a while ago and have not. Who has is passed over.
    pub(super) fn take_up_lost(&mut self, now: Timestamp) {
        while let Some(id) = self.taken.next(now) {
            self.queue(id);
        }
    }

    /// The next order to pass on, unless it is not needed any more. Whoever is not there yet is
    /// stopped once it is.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Effect> {
        let task_id = self.due.pop_front()?;
        self.queued.remove(&task_id);
        let order = self.orders.get(&task_id)?;
        let round = match self.tasks.get(&task_id)? {
            Life::Live { round, .. } => Some(*round),
            Life::Parent => None,
            Life::Named { .. } | Life::Skipped { .. } | Life::Restarted { .. } => return None,
        };
        self.taken.taken(now, task_id);
        let cancel = Cancel {
            reason: order.reason.clone(),
            by: order.by.clone(),
            dependents: Vec::new(),
            round,
        };
        Some(Effect::Command {
            namespace: order.namespace.clone(),
            task_id,
            context_id: order.context_id,
            cause: order.cause,
            command: Command::Cancel(cancel),
        })
    }

    fn name(&mut self, tasks: &[Planned], origin: u64) {
        self.tasks.extend(tasks.iter().map(|task| (task.id, Life::Named { origin })));
    }

    fn round(&self, id: Id) -> u32 {
        match self.tasks.get(&id) {
            Some(Life::Live { round, .. } | Life::Skipped { round }) => *round,
            _ => 0,
        }
    }

    /// The task lives from now on. An order may have come before.
    fn live(&mut self, recorded: &Recorded, origin: u64, round: u32) {
        let (id, context_id) = (recorded.id, recorded.metadata.correlation_id);
        self.tasks.insert(id, Life::Live { origin, round });
        self.live.entry(context_id).or_default().insert(id);
        match self.orders.get(&id) {
            Some(order) if origin < order.position => self.queue(id),
            Some(_) => {
                self.orders.remove(&id);
            }
            None => {}
        }
        if let Some(order) = self.contexts.get(&context_id).map(Arc::clone)
            && origin < order.position
        {
            self.stop(id, &order);
        }
    }

    fn settled(&mut self, context_id: Id, restart_id: Id) {
        if self.restarts.remove(&restart_id).is_some()
            && let Some(restarting) = self.restarting.get_mut(&context_id)
        {
            restarting.open -= 1;
            if restarting.open == 0 {
                self.restarting.remove(&context_id);
            }
        }
    }

    fn resumed(&mut self, id: Id) {
        if let Some(Life::Live { round, .. }) = self.tasks.get_mut(&id) {
            *round += 1;
            // An order that is on its way was meant for the round before.
            if self.orders.contains_key(&id) {
                self.queue(id);
            }
        }
    }

    /// What it has spawned is its work still.
    fn finished(&mut self, recorded: &Recorded, children: &[Planned]) {
        if children.is_empty() {
            self.over(recorded, None);
            return;
        }
        let origin = match self.tasks.get(&recorded.id) {
            Some(Life::Live { origin, .. }) => *origin,
            _ => recorded.stream_seq,
        };
        self.name(children, origin);
        self.ended(recorded, Some(Life::Parent));
        if self.orders.contains_key(&recorded.id) {
            self.queue(recorded.id);
        }
    }

    fn restarted(&mut self, recorded: &Recorded, restarted: &Restarted) {
        let ordered = restarted.step_of.and_then(|restart| self.restarts.get(&restart));
        let origin = ordered.copied().unwrap_or(recorded.stream_seq);
        let successor = restarted.successor.id;
        self.name(std::slice::from_ref(&restarted.successor), origin);
        self.over(recorded, Some(Life::Restarted { successor, origin }));
        let restarting = self.restarting.get_mut(&recorded.metadata.correlation_id);
        if let Some(order) = restarting.and_then(|it| it.orders.remove(&recorded.id))
            && origin < order.position
        {
            self.stop(successor, &order);
        }
        let reason = format!("its parent, task {}, was restarted as {successor}", recorded.id);
        self.stop_all(&restarted.children, Order::of(recorded, reason, Some(restarted.by.clone())));
    }

    /// The task does not live any more, and nobody needs to tell it to stop.
    fn over(&mut self, recorded: &Recorded, life: Option<Life>) {
        self.ended(recorded, life);
        if let Some(order) = self.orders.remove(&recorded.id) {
            self.remember(recorded.id, &order);
        }
    }

    /// The order may be meant for what takes the place of the task.
    fn remember(&mut self, id: Id, order: &Arc<Order>) {
        if let Some(restarting) = self.restarting.get_mut(&order.context_id) {
            restarting.orders.insert(id, Arc::clone(order));
        }
    }

    fn ended(&mut self, recorded: &Recorded, life: Option<Life>) {
        match life {
            Some(life) => self.tasks.insert(recorded.id, life),
            None => self.tasks.remove(&recorded.id),
        };
        let context_id = recorded.metadata.correlation_id;
        if let Some(tasks) = self.live.get_mut(&context_id) {
            tasks.remove(&recorded.id);
            if tasks.is_empty() {
                self.live.remove(&context_id);
            }
        }
    }

    fn stop_context(&mut self, context_id: Id, order: &Arc<Order>) {
        self.contexts.insert(context_id, Arc::clone(order));
        let tasks = self.live.get(&context_id).into_iter().flatten().copied();
        for id in tasks.collect::<Vec<_>>() {
            self.stop(id, order);
        }
    }

    fn stop_all<'a>(&mut self, ids: impl IntoIterator<Item = &'a Id>, order: Order) {
        let order = Arc::new(order);
        for id in ids {
            self.stop(*id, &order);
        }
    }

    /// An order for a task, or for what has its place. What has ended for good has obeyed.
    fn stop(&mut self, mut id: Id, order: &Arc<Order>) {
        while let Some(Life::Restarted { successor, origin }) = self.tasks.get(&id) {
            if *origin >= order.position {
                return;
            }
            id = *successor;
        }
        if self.tasks.contains_key(&id) {
            self.orders.insert(id, Arc::clone(order));
            self.queue(id);
        } else {
            self.remember(id, order);
        }
    }

    fn queue(&mut self, id: Id) {
        if self.queued.insert(id) {
            self.due.push_back(id);
        }
    }
}

impl Order {
    fn of(recorded: &Recorded, reason: String, by: Option<String>) -> Self {
        Self {
            position: recorded.stream_seq,
            namespace: recorded.namespace.clone(),
            context_id: recorded.metadata.correlation_id,
            cause: recorded.metadata.event_id,
            reason,
            by,
        }
    }
}
