//! One step: something happens, chosen by the seed and the number of the step alone, so that leaving
//! one out changes no other's choice.

use std::time::Duration;

use kantoku_handlers::HandlerName;

use super::{
    World,
    op::{Owner, Work},
};
use crate::rng::Rng;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Delivery,
    Foresight,
    Acting,
    Advance,
    Pull,
    End,
    Haunting,
    Beat,
    LateBeat,
    Echo,
    Order,
    Timer,
    Limbo,
    Death,
    Boot,
    Stall,
    Crash,
    Start,
    Time,
    Jump,
    Interruption,
}

impl Happened {
    const ALL: [Self; 21] = [
        Self::Delivery,
        Self::Foresight,
        Self::Acting,
        Self::Advance,
        Self::Pull,
        Self::End,
        Self::Haunting,
        Self::Beat,
        Self::LateBeat,
        Self::Echo,
        Self::Order,
        Self::Timer,
        Self::Limbo,
        Self::Death,
        Self::Boot,
        Self::Stall,
        Self::Crash,
        Self::Start,
        Self::Time,
        Self::Jump,
        Self::Interruption,
    ];
}

const fn weigh(is_possible: bool, weight: u64) -> u64 {
    if is_possible { weight } else { 0 }
}

impl World {
    /// The random numbers of a step.
    pub(super) fn turn(&mut self, step: u64) {
        self.rng = Rng::new(self.seed, step);
    }

    /// Lets something happen, unless this step is `left_out`, and says what.
    pub(crate) fn step(&mut self, step: u64, left_out: bool) -> Option<Happened> {
        self.turn(step);
        let happens = self.choose()?;
        if left_out {
            return None;
        }
        self.clock.pass(Duration::from_millis(5));
        self.happen(happens);
        Some(happens)
    }

    fn choose(&mut self) -> Option<Happened> {
        let weather = &self.weather;
        let head = self.ledger.head();
        let up = || self.nodes.iter().filter(|node| node.is_up);
        let executors = &self.executors;
        let works = executors.iter().any(super::executor::Executor::works);
        let weight = |happens: Happened| match happens {
            Happened::Delivery => weigh(up().any(|node| node.position < head), 60),
            Happened::Foresight => weigh(up().any(|node| !node.own.is_empty()), weather.foresight),
            Happened::Acting => weigh(up().next().is_some(), 10),
            Happened::Advance => weigh(!self.ops.is_empty(), 40 + 8 * self.ops.len() as u64),
            Happened::Pull => weigh(works && !self.queue.is_empty(), 60),
            Happened::End => weigh(executors.iter().any(|it| !it.running.is_empty()), 40),
            Happened::Haunting => weigh(!self.ghosts.is_empty(), 5),
            Happened::Beat => weigh(works, 8),
            Happened::LateBeat => weigh(!self.beats.is_empty(), 8),
            Happened::Echo => 5,
            Happened::Order => weather.orders,
            Happened::Timer => weigh(!self.timers.is_empty() || !self.due.is_empty(), 12),
            Happened::Limbo => weigh(!self.limbo.is_empty(), 8),
            Happened::Death => weigh(executors.iter().any(|it| it.is_up), weather.deaths),
            Happened::Boot => weigh(!executors.iter().all(|it| it.is_up), 8),
            Happened::Stall => weather.stalls,
            Happened::Crash => weigh(up().next().is_some(), weather.crashes),
            Happened::Start => weigh(up().count() < self.nodes.len(), 15),
            Happened::Time => 10,
            Happened::Jump => weather.jumps,
            Happened::Interruption => 1,
        };
        let weights = Happened::ALL.map(weight);
        self.rng.weighted(&weights).map(|index| Happened::ALL[index])
    }

    fn happen(&mut self, happens: Happened) {
        match happens {
            Happened::Delivery => {
                let head = self.ledger.head();
                let Some(node) = self.some_node(|node| node.position < head) else { return };
                let count = 1 + self.rng.below(10);
                self.deliver(node, count);
                if self.rng.chance(70) {
                    self.act(node);
                }
            }
            Happened::Foresight => {
                let Some(node) = self.some_node(|node| !node.own.is_empty()) else { return };
                self.foresee(node);
                if self.rng.chance(70) {
                    self.act(node);
                }
            }
            Happened::Acting => {
                let Some(node) = self.some_node(|_| true) else { return };
                self.act(node);
            }
            Happened::Advance => {
                let index = self.rng.below(self.ops.len());
                self.advance(index);
            }
            Happened::Order => self.order_something(),
            Happened::Timer => {
                self.fire();
            }
            Happened::Limbo => {
                let index = self.rng.below(self.limbo.len());
                let (draft, decided) = self.limbo.swap_remove(index);
                if self.store(&draft, Owner::Gone, decided).is_ok() {
                    self.tally.count("an append arrives late");
                }
            }
            Happened::Crash => {
                if let Some(node) = self.some_node(|_| true) {
                    self.crash(node);
                }
            }
            Happened::Start => {
                let down = (0..self.nodes.len()).filter(|node| !self.nodes[*node].is_up);
                let down: Vec<usize> = down.collect();
                if let Some(node) = self.rng.pick(&down).copied() {
                    self.start(node);
                }
            }
            Happened::Time => {
                let spans = [20, 200, 1_000, 3_000, 3_000, 12_000, 40_000];
                let span = spans[self.rng.below(spans.len())];
                self.clock.pass(Duration::from_millis(span));
                // Mostly, whoever works is heard of meanwhile.
                if self.rng.chance(60) {
                    for index in 0..self.executors.len() {
                        self.beat(index);
                    }
                    self.echo();
                }
            }
            Happened::Jump => {
                self.tally.count("the clock jumps");
                let seconds = self.rng.between(0, 120) as i64 - 60;
                self.clock.jump(seconds * 1_000_000);
            }
            _ => self.happen_to_executor(happens),
        }
    }

    fn happen_to_executor(&mut self, happens: Happened) {
        let index = self.rng.below(self.executors.len());
        match happens {
            Happened::Pull => {
                self.pull(index);
            }
            Happened::End => {
                self.end(index);
            }
            Happened::Haunting => self.haunt(),
            Happened::Beat => self.beat(index),
            Happened::LateBeat => {
                let at = self.rng.below(self.beats.len());
                let (index, beat) = self.beats.swap_remove(at);
                self.hear(index, beat);
            }
            Happened::Echo => self.echo(),
            Happened::Interruption => {
                if let Some(node) = self.node_of(HandlerName::LeaseKeeper)
                    && let Some(keeper) = &mut self.nodes[node].keeper
                {
                    keeper.interrupted();
                }
            }
            Happened::Death if self.executors[index].is_up => self.die(index),
            Happened::Boot if !self.executors[index].is_up => self.executors[index].boot(),
            Happened::Stall => {
                let executor = &mut self.executors[index];
                executor.is_stalled = !executor.is_stalled;
            }
            _ => {}
        }
    }

    fn some_node(&mut self, is_meant: impl Fn(&super::node::Node) -> bool) -> Option<usize> {
        let nodes = (0..self.nodes.len()).filter(|index| {
            let node = &self.nodes[*index];
            node.is_up && is_meant(node)
        });
        let nodes: Vec<usize> = nodes.collect();
        self.rng.pick(&nodes).copied()
    }

    /// A timer of the server fires, and the node takes what is due.
    pub(super) fn fire(&mut self) -> bool {
        let now = self.clock.wall();
        let fired = self.timers.iter().filter(|(_, timeout)| timeout.at <= now);
        let fired: Vec<_> = fired.map(|(id, _)| *id).collect();
        for id in &fired {
            self.due.extend(self.timers.remove(id));
        }
        let Some(node) = self.node_of(HandlerName::Timers) else { return !fired.is_empty() };
        let is_taken = |timer| {
            self.ops.iter().any(|op| {
                matches!(&op.work, Work::Command { then: super::op::Then::Settle(of), .. }
                    if *of == timer && op.owner == Owner::Node(node))
            })
        };
        let open =
            |timeout: &&kantoku_handlers::Timeout| !is_taken(super::effects::timer_of(timeout));
        let Some(timeout) = self.due.iter().find(open).cloned() else { return !fired.is_empty() };
        self.tally.count("a timer fires");
        self.begin_timeout(Owner::Node(node), timeout);
        true
    }
}
