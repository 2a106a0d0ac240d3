//! What executors and keepers of leases hear of each other.

use kantoku_domain::{Id, Millis, task::Command};
use kantoku_handlers::HandlerName;
use kantoku_streams::Heartbeat;

use super::{
    LEASE, World,
    executor::Ghost,
    op::{Op, Order, Owner, Work},
};

impl World {
    /// The run of a service by now.
    pub(super) fn boot_id(&self, service_id: &str) -> Option<Id> {
        let executor = self.executors.iter().find(|executor| executor.service_id == service_id)?;
        Some(executor.boot_id)
    }

    /// An executor says what it holds; that may be heard, or later, or never.
    pub(super) fn beat(&mut self, index: usize) {
        let head = self.ledger.head();
        let executor = &mut self.executors[index];
        if !executor.works() {
            return;
        }
        let beat = Heartbeat {
            service_id: executor.service_id.clone(),
            boot_id: executor.boot_id,
            born: *executor.born.get_or_insert(head),
            attempts: executor.running.iter().map(|run| run.held).collect(),
            lease: Millis(LEASE.as_millis() as u64),
        };
        if !self.is_calm && self.rng.chance(self.weather.lost_beats) {
            if self.rng.chance(50) {
                self.beats.push((index, beat));
            }
            return;
        }
        self.hear(index, beat);
    }

    /// The keeper hears a heartbeat, and whoever sent it hears the reply.
    pub(super) fn hear(&mut self, index: usize, beat: Heartbeat) {
        let now = self.broken.keepers_time(self.clock.monotone());
        let Some(node) = self.node_of(HandlerName::LeaseKeeper) else { return };
        let Some(keeper) = &mut self.nodes[node].keeper else { return };
        let is_current = beat.boot_id == self.executors[index].boot_id;
        self.judge.heard(&beat, self.clock.monotone());
        let held = self.judge.held_by(&self.executors[index].service_id);
        let reply = keeper.heard(&self.broken.beat(beat, held), now);
        // What it has found out is under way before it answers.
        self.act(node);
        if !is_current || !self.executors[index].works() {
            return;
        }
        let cancelled = reply.cancelled.iter().map(|order| (order.task_id, order.attempt));
        let lost = reply.lost.iter().map(|held| (held.task_id, held.attempt));
        for (task_id, attempt) in cancelled.chain(lost).collect::<Vec<_>>() {
            let is_end = |op: &Op| {
                matches!(&op.work, Work::Command { order: Order::Task(Command::Fail { .. }), .. })
            };
            let is_ending = self.ops.iter().any(|op| op.lane == task_id && is_end(op));
            let verdict = self.judge.check_call_off(task_id, attempt, is_ending);
            self.judged(verdict);
            self.executors[index].stop(task_id, attempt);
        }
    }

    pub(super) fn stop(&mut self, service_id: &str, task_id: Id, attempt: u32) {
        let executor = self.executors.iter_mut().find(|it| it.service_id == service_id);
        if let Some(executor) = executor {
            executor.stop(task_id, attempt);
        }
    }

    /// The executor dies. What it ran may go on.
    pub(super) fn die(&mut self, index: usize) {
        self.tally.count("an executor dies");
        self.abandon(Owner::Executor(index));
        for announced in &mut self.queue {
            if announced.in_hand == Some(index) {
                announced.in_hand = None;
            }
        }
        let executor = &mut self.executors[index];
        executor.is_up = false;
        let boot_id = executor.boot_id;
        for run in std::mem::take(&mut executor.running) {
            if self.rng.chance(50) {
                self.ghosts.push(Ghost { executor: index, boot_id, run });
            }
        }
    }

    /// The keeper hears that it has heard everything so far.
    pub(super) fn echo(&mut self) {
        let now = self.broken.keepers_time(self.clock.monotone());
        if let Some(node) = self.node_of(HandlerName::LeaseKeeper)
            && let Some(keeper) = &mut self.nodes[node].keeper
        {
            keeper.echoed(now);
            self.act(node);
        }
    }
}
