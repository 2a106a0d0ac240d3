//! The end of a run: nothing goes wrong any more, and all is let run until nothing is left to do.

use std::time::Duration;

use kantoku_domain::{Id, Standing, Timestamp};
use kantoku_handlers::HandlerName;

use super::{LEASE, World};
use crate::judge::{Life, ensure};

/// How long a run may take to come to rest, in turns.
const TURNS_MAX: usize = 20_000;
/// How far the clock may have to go for that.
const HORIZON: Duration = Duration::from_secs(6 * 60 * 60);

impl World {
    /// Comes to rest, and has what is left explained.
    pub(crate) fn rest(&mut self) {
        if self.violation.is_some() {
            return;
        }
        self.calm_down();
        // First without executors: what was ordered to stop has stopped before anybody goes on.
        self.run_handlers();
        if self.violation.is_some() {
            return;
        }
        let verdict = self.judge.check_orders();
        self.judged(verdict);
        self.check_queue();
        self.run_to_rest();
        self.check_rest();
        self.check_fresh();
    }

    fn calm_down(&mut self) {
        self.is_calm = true;
        for index in 0..self.nodes.len() {
            if !self.nodes[index].is_up {
                self.start(index);
            }
        }
        for executor in &mut self.executors {
            executor.is_stalled = false;
            if !executor.is_up {
                executor.boot();
            }
        }
        for (draft, decided) in std::mem::take(&mut self.limbo) {
            self.store(&draft, super::Owner::Gone, decided).ok();
        }
        self.beats.clear();
    }

    /// Everybody has read everything, and has done what follows; executors do nothing.
    pub(super) fn run_handlers(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.violation.is_some() {
                return;
            }
            let mut is_busy = false;
            for index in 0..self.nodes.len() {
                is_busy |= self.nodes[index].position < self.ledger.head();
                self.deliver(index, usize::MAX);
                while !self.nodes[index].own.is_empty() {
                    self.foresee(index);
                }
                is_busy |= self.act(index);
            }
            is_busy |= !self.ops.is_empty();
            for _ in 0..self.ops.len() {
                self.advance(0);
            }
            if !is_busy {
                return;
            }
        }
        self.judged(ensure(false, "a run comes to rest", || "handlers go on for ever".into()));
    }

    /// Executors work, and time goes on, until nothing is left to do.
    pub(super) fn run_to_rest(&mut self) {
        let horizon = self.clock.wall().plus(HORIZON);
        for _ in 0..TURNS_MAX {
            self.run_handlers();
            if self.violation.is_some() {
                return;
            }
            let mut is_busy = self.fire();
            while !self.ghosts.is_empty() {
                self.haunt();
                is_busy = true;
            }
            for index in 0..self.executors.len() {
                is_busy |= self.pull(index);
                is_busy |= self.end(index);
            }
            if !is_busy && !self.wait(horizon) {
                return;
            }
        }
        self.judged(ensure(false, "a run comes to rest", || {
            let (queue, due, timers) = (&self.queue, &self.due, &self.timers);
            format!("work goes on for ever: {queue:?} {due:?} {timers:?}")
        }));
    }

    /// Lets time go on until something may be due. `false`: nothing will.
    fn wait(&mut self, horizon: Timestamp) -> bool {
        let now = self.clock.wall();
        let is_held = self.judge.tasks.values().any(|entry| entry.life == Life::Held);
        let due = self.nodes.iter().flat_map(|node| &node.handlers);
        let due = due.filter_map(|(_, handler)| handler.next_due());
        let timers = self.timers.values().map(|timeout| timeout.at);
        let postponed = self.queue.iter().filter(|announced| announced.in_hand.is_none());
        let postponed = postponed.map(|announced| announced.not_before);
        let mut next = due.chain(timers).chain(postponed).min();
        if is_held {
            let beat = now.plus(LEASE / 3);
            next = Some(next.map_or(beat, |next| next.min(beat)));
        }
        let Some(next) = next.filter(|next| *next <= horizon) else { return false };
        self.clock.pass(next.since(now).max(Duration::from_millis(1)));
        if is_held {
            for index in 0..self.executors.len() {
                self.beat(index);
            }
            self.echo();
        }
        true
    }

    /// Where the scheduler says that a task stands.
    fn standing(&self, id: Id) -> Option<Standing> {
        let node = self.node_of(HandlerName::Scheduler)?;
        let scheduler = self.nodes[node].handler(HandlerName::Scheduler)?;
        scheduler.standing(id, self.clock.wall())
    }

    fn check_queue(&mut self) {
        let (now, has_jumped) = (self.clock.wall(), self.clock.jumps > 0);
        let verdict = self.judge.check_queue(now, has_jumped, |id| self.standing(id));
        self.judged(verdict);
    }

    fn check_rest(&mut self) {
        if self.violation.is_some() {
            return;
        }
        match self.judge.check_rest(self.clock.wall(), self.weather.spare, |id| self.standing(id)) {
            Ok(found) => {
                for why in found {
                    self.tally.count(match why {
                        crate::judge::Why::Paused => "at rest: paused",
                        crate::judge::Why::Waits => "at rest: waits",
                    });
                }
            }
            Err(violation) => self.judged(Err(violation)),
        }
    }

    /// Whoever folds the history anew finds nothing due.
    fn check_fresh(&mut self) {
        if self.violation.is_some() {
            return;
        }
        for index in 0..self.nodes.len() {
            self.check_snapshots(index);
            let mut fresh = self.fresh(index);
            let now = self.clock.wall();
            let due: Vec<_> = fresh
                .iter_mut()
                .flat_map(|(name, handler)| {
                    for recorded in &self.ledger.events {
                        for event in self.broken.event(*name, recorded, &self.ledger) {
                            handler.apply(&event);
                        }
                    }
                    handler.due(now, usize::MAX)
                })
                .collect();
            let is_done = |effect: &kantoku_handlers::Effect| match effect {
                kantoku_handlers::Effect::SetTimer(timeout) => {
                    self.timers.get(&super::effects::timer_of(timeout)) == Some(timeout)
                }
                // What a server answered is remembered by nobody.
                kantoku_handlers::Effect::Probe { .. } => true,
                effect => self.judge.asks(effect.lane()),
            };
            let left = due.iter().find(|effect| !is_done(effect));
            let verdict = ensure(left.is_none(), "nothing is due for whoever begins anew", || {
                format!("{left:?}")
            });
            self.judged(verdict);
        }
    }
}
