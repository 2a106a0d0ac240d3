//! Processor nodes: each reads the stream in its own time, and forgets all when it crashes.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use kantoku_domain::{
    Id, Timestamp,
    dependency::{HttpProbe, Probed},
    task::Command,
};
use kantoku_handlers::{Effect, Handler, HandlerName, LeaseKeeper, Scheduler, Timers, Unfolder};

use super::{LEASE, World, op::Owner};
use crate::judge::Decided;

/// See the module.
pub(super) struct Node {
    names: Vec<HandlerName>,
    pub(super) handlers: Vec<(HandlerName, Box<dyn Handler>)>,
    pub(super) keeper: Option<LeaseKeeper>,
    pub(super) position: u64,
    pub(super) is_up: bool,
    /// Events that it appended itself and has not heard of yet.
    pub(super) own: VecDeque<u64>,
    /// What is due was asked for since it began.
    has_acted: bool,
    /// When each announcement was decided on since it began, by task, attempt, round and guard. One that
    /// is handed out again, as nothing came of it, keeps the slots that it has.
    announced: HashMap<(Id, u32, u32, u64), Decided>,
}

impl Node {
    /// One node that runs all handlers, or one for each; and perhaps a spare one for those of which
    /// there may be two.
    pub(super) fn all(apart: bool, spare: bool) -> Vec<Self> {
        let all = HandlerName::ALL.to_vec();
        let nodes =
            if apart { all.into_iter().map(|name| vec![name]).collect() } else { vec![all] };
        let spare = spare.then(|| vec![HandlerName::Unfolder, HandlerName::Timers]);
        nodes.into_iter().chain(spare).map(Self::new).collect()
    }

    fn new(names: Vec<HandlerName>) -> Self {
        let handler = |name: &HandlerName| -> Option<(HandlerName, Box<dyn Handler>)> {
            Some((
                *name,
                match name {
                    HandlerName::Scheduler => Box::new(Scheduler::default()),
                    HandlerName::Unfolder => Box::new(Unfolder::default()),
                    HandlerName::Timers => Box::new(Timers::new(LEASE)),
                    HandlerName::LeaseKeeper => return None,
                },
            ))
        };
        let is_keeper = names.contains(&HandlerName::LeaseKeeper);
        Self {
            handlers: names.iter().filter_map(handler).collect(),
            keeper: is_keeper.then(|| LeaseKeeper::new(LEASE)),
            names,
            position: 0,
            is_up: true,
            own: VecDeque::new(),
            has_acted: false,
            announced: HashMap::new(),
        }
    }

    pub(super) fn runs(&self, name: HandlerName) -> bool {
        self.is_up && self.names.contains(&name)
    }

    pub(super) fn handler(&self, name: HandlerName) -> Option<&dyn Handler> {
        let (_, handler) = self.handlers.iter().find(|(of, _)| *of == name)?;
        Some(&**handler)
    }
}

impl World {
    /// The node takes in the next events, at most `count`.
    pub(super) fn deliver(&mut self, index: usize, count: usize) {
        for _ in 0..count {
            let node = &mut self.nodes[index];
            let Some(recorded) = self.ledger.at(node.position + 1).map(Arc::clone) else { break };
            node.position += 1;
            for (name, handler) in &mut node.handlers {
                for event in self.broken.event(*name, &recorded, &self.ledger) {
                    handler.apply(&event);
                }
            }
            if let Some(keeper) = &mut node.keeper {
                keeper.apply(&recorded);
            }
        }
    }

    /// The node hears of an event of its own, ahead of its delivery or after it.
    pub(super) fn foresee(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let Some(seq) = node.own.pop_front() else { return };
        let Some(recorded) = self.ledger.at(seq) else { return };
        for (name, handler) in &mut node.handlers {
            for event in self.broken.event(*name, recorded, &self.ledger) {
                handler.foresee(&event);
            }
        }
    }

    /// The node asks its handlers what is due, and begins with it.
    pub(super) fn act(&mut self, index: usize) -> bool {
        let now = self.clock.wall();
        let is_first = !std::mem::replace(&mut self.nodes[index].has_acted, true);
        let mut all: Vec<(HandlerName, Vec<Effect>)> = Vec::new();
        let node = &mut self.nodes[index];
        for (name, handler) in &mut node.handlers {
            all.push((*name, handler.due(now, usize::MAX)));
        }
        if let Some(keeper) = &mut node.keeper {
            all.push((HandlerName::LeaseKeeper, keeper.due(now, usize::MAX)));
        }
        let mut has_begun = false;
        for (name, mut effects) in all {
            // The order among tasks is that of a hash map at times, and says nothing.
            effects.sort_by_key(Effect::lane);
            for effect in effects {
                let Some(effect) = self.broken.effect(effect, is_first) else { continue };
                match name {
                    HandlerName::Scheduler => self.check_effect(index, &effect, now),
                    HandlerName::LeaseKeeper => self.check_loss(&effect),
                    _ => {}
                }
                let decided = self.decided(index, now, &effect);
                self.begin_effect(Owner::Node(index), effect, decided);
                has_begun = true;
            }
        }
        has_begun
    }

    fn decided(&mut self, index: usize, at: Timestamp, effect: &Effect) -> Decided {
        self.decisions += 1;
        let position = self.nodes[index].position;
        let decided = Decided { number: self.decisions, position, at, jumps: self.clock.jumps };
        let Effect::Announce { ready, .. } = effect else { return decided };
        let announcement = (ready.task_id, ready.attempt, ready.round, ready.guard);
        *self.nodes[index].announced.entry(announcement).or_insert(decided)
    }

    /// A keeper takes an attempt away, and may.
    fn check_loss(&mut self, effect: &Effect) {
        let Effect::Command { command: Command::Fail { attempt, .. }, task_id, .. } = effect else {
            return;
        };
        self.tally.count("a lease is lost");
        let now = self.clock.monotone();
        let boot_id = |service_id: &str| self.boot_id(service_id);
        let verdict = self.judge.check_loss((*task_id, *attempt), now, LEASE, boot_id);
        self.judged(verdict);
    }

    /// A scheduler that knows all there is has decided something: the judge would have, too.
    fn check_effect(&mut self, index: usize, effect: &Effect, now: Timestamp) {
        if self.nodes[index].position != self.ledger.head() {
            return;
        }
        let id = effect.lane();
        let verdict = match effect {
            Effect::Announce { .. } => self.judge.check_announcement(id, now, self.clock.jumps > 0),
            Effect::Command { command: Command::Skip(_), .. } => self.judge.check_skip(id, now),
            _ => Ok(()),
        };
        self.judged(verdict);
    }

    /// The node dies. Of what was under way some has been done and is done once more when it is
    /// found due, and some was not.
    pub(super) fn crash(&mut self, index: usize) {
        self.tally.count("a node crashes");
        self.abandon(Owner::Node(index));
        if self.nodes[index].runs(HandlerName::Scheduler) {
            self.judge.probed = None;
        }
        let names = std::mem::take(&mut self.nodes[index].names);
        self.nodes[index] = Self::down(names);
    }

    fn down(names: Vec<HandlerName>) -> Node {
        Node { is_up: false, ..Node::new(names) }
    }

    /// A node starts: it folds the history since its last snapshot before it acts.
    pub(super) fn start(&mut self, index: usize) {
        self.nodes[index].is_up = true;
        self.restore(index);
        self.deliver(index, usize::MAX);
    }

    /// A server is asked; who has asked is told, unless it is gone.
    pub(super) fn probe(&mut self, probe: &HttpProbe, owner: Owner) {
        let Owner::Node(index) = owner else { return };
        let status = if self.is_calm || self.rng.chance(50) { Some(probe.expect) } else { None };
        let probed = Probed { status, at: self.clock.wall() };
        self.judge.probed = Some(probed);
        for (_, handler) in &mut self.nodes[index].handlers {
            handler.probed(probe, probed);
        }
    }

    /// The handlers of a node, as they begin.
    pub(super) fn fresh(&self, index: usize) -> Vec<(HandlerName, Box<dyn Handler>)> {
        self.anew(index).handlers
    }

    pub(super) fn anew(&self, index: usize) -> Node {
        Node::new(self.nodes[index].names.clone())
    }

    /// The node that runs a handler.
    pub(super) fn node_of(&self, name: HandlerName) -> Option<usize> {
        self.nodes.iter().position(|node| node.runs(name))
    }
}
