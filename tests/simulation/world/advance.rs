//! One step of what is under way: load, decide, append, and look whether an append was stored.

use kantoku_domain::{
    Context, Envelope, Id, NamespaceState, Policy, Resource, Specification, Task, task,
};

use super::{
    World,
    effects::timer_of,
    op::{Came, Op, Order, Ordered, Owner, Seen, Stage, Then, Work},
};
use crate::{
    broken::Broken,
    judge::Decided,
    ledger::{Conflict, Draft, Ledger},
};

/// What came of an append, as far as whoever made it can tell.
pub(super) enum Answer {
    Stored(u64),
    Conflict,
    None,
}

impl World {
    /// Goes on with the first thing that the owner of the `index`th has to do in its lane.
    pub(super) fn advance(&mut self, index: usize) {
        let (owner, lane) = (self.ops[index].owner, self.ops[index].lane);
        let is_first = |op: &Op| op.owner == owner && op.lane == lane;
        let Some(first) = self.ops.iter().position(is_first) else { return };
        let mut op = self.ops.remove(first);
        if self.is_telling {
            self.told = Some(op.told());
        }
        op.tries += 1;
        match self.work(&mut op) {
            Came::Open => self.ops.insert(first.min(self.ops.len()), op),
            came => self.finished(&op, &came),
        }
    }

    pub(super) fn work(&mut self, op: &mut Op) -> Came {
        match &op.work {
            Work::Command { order, envelope, .. } => {
                let (order, envelope) = (order.clone(), envelope.clone());
                self.send(&order, &envelope, op)
            }
            Work::Announce { draft, decided } => {
                let (draft, decided) = (draft.clone(), *decided);
                match self.append(&draft, op.owner, decided) {
                    Answer::Stored(seq) => Came::Done(Some(seq)),
                    Answer::Conflict => Came::Done(None),
                    // It is not looked for: a second one does no harm.
                    Answer::None => Came::Open,
                }
            }
            Work::Unfold(unfold) => {
                let mut unfold = unfold.clone();
                let came = self.unfold(&mut unfold, op);
                op.work = Work::Unfold(unfold);
                came
            }
            Work::Probe(probe) => {
                let probe = probe.clone();
                self.probe(&probe, op.owner);
                Came::Done(None)
            }
            Work::SetTimer(timeout) => {
                self.timers.insert(timer_of(timeout), timeout.clone());
                Came::Done(None)
            }
            Work::CancelTimer(timer) => {
                self.timers.remove(timer);
                Came::Done(None)
            }
            Work::Stop { service_id, order } => {
                if self.is_calm || !self.rng.chance(self.weather.lost_orders) {
                    let (service_id, order) = (service_id.clone(), order.clone());
                    self.stop(&service_id, order.task_id, order.attempt);
                }
                Came::Done(None)
            }
        }
    }

    pub(super) fn send(&mut self, order: &Order, envelope: &Envelope, op: &mut Op) -> Came {
        match order {
            Order::Task(_) => self.execute::<Task>(order, envelope, op),
            Order::Context(_) => self.execute::<Context>(order, envelope, op),
            Order::Resource(_) => self.execute::<Resource>(order, envelope, op),
            Order::Specification(_) => self.execute::<Specification>(order, envelope, op),
            Order::Policy(_) => self.execute::<Policy>(order, envelope, op),
            Order::Namespace(_) => self.execute::<NamespaceState>(order, envelope, op),
        }
    }

    /// A command, as the ledger carries it out: decided on what is known, which may be old; any
    /// other answer than an event is given on what there is.
    fn execute<A: Ordered>(&mut self, order: &Order, envelope: &Envelope, op: &mut Op) -> Came {
        let Some(command) = A::command(order) else { return Came::Done(None) };
        let id = envelope.aggregate_id;
        if let Stage::Unknown(draft) = &op.stage {
            let draft = draft.clone();
            return self.look_for(*draft, op);
        }
        let known = match &op.stage {
            Stage::Loaded(seen) => A::seen(seen).cloned(),
            _ => None,
        };
        if known.is_none() && self.is_late() && self.load(order, id, op) {
            return Came::Open;
        }
        for loaded in known.into_iter().chain([self.ledger.load::<A>(id)]) {
            if let Some(known) = self.ledger.event_of(id, envelope.command_id) {
                return Came::Done(Some(known.stream_seq));
            }
            match loaded.state.decided(self.broken, command, envelope) {
                Ok(Some(event)) => {
                    let draft = Ledger::draft(&loaded, event, envelope);
                    return match self.append(&draft, op.owner, Decided::default()) {
                        Answer::Stored(seq) => Came::Done(Some(seq)),
                        Answer::Conflict => {
                            op.stage = Stage::Fresh;
                            Came::Open
                        }
                        Answer::None => {
                            op.stage = Stage::Unknown(Box::new(draft));
                            Came::Open
                        }
                    };
                }
                Ok(None) if loaded.stream_seq == self.ledger.load::<A>(id).stream_seq => {
                    return Came::Done(None);
                }
                Err(rejection) if loaded.stream_seq == self.ledger.load::<A>(id).stream_seq => {
                    return Came::Rejected(rejection);
                }
                _ => {}
            }
        }
        Came::Done(None)
    }

    fn is_late(&mut self) -> bool {
        !self.is_calm && self.rng.chance(self.weather.late_decisions)
    }

    fn load(&self, order: &Order, id: Id, op: &mut Op) -> bool {
        op.stage = match order {
            Order::Task(_) => Stage::Loaded(Seen::Task(self.ledger.load(id))),
            Order::Context(_) => Stage::Loaded(Seen::Context(self.ledger.load(id))),
            _ => return false,
        };
        true
    }

    /// No answer had come: was it stored?
    fn look_for(&mut self, mut draft: Draft, op: &mut Op) -> Came {
        let known = self.ledger.event_of(draft.id, draft.metadata.command_id);
        if self.broken == Broken::RetryWithoutReadingBack {
            draft.guard = self.ledger.last(&draft);
        } else if let Some(known) = known {
            return Came::Done(Some(known.stream_seq));
        }
        match self.append(&draft, op.owner, Decided::default()) {
            Answer::Stored(seq) => Came::Done(Some(seq)),
            Answer::Conflict => {
                op.stage = Stage::Fresh;
                Came::Open
            }
            Answer::None => Came::Open,
        }
    }

    /// An append, of which the answer may be lost, and the message with it, or late.
    pub(super) fn append(&mut self, draft: &Draft, owner: Owner, decided: Decided) -> Answer {
        if self.is_calm || !self.rng.chance(self.weather.lost_answers) {
            return match self.store(draft, owner, decided) {
                Ok(seq) => Answer::Stored(seq),
                Err(Conflict) => Answer::Conflict,
            };
        }
        self.tally.count("an answer is lost");
        match self.rng.below(3) {
            // Then nobody hears of it ahead of its delivery.
            0 => {
                self.store(draft, Owner::Gone, decided).ok();
            }
            1 => self.limbo.push((draft.clone(), decided)),
            _ => {}
        }
        Answer::None
    }

    /// What follows.
    fn finished(&mut self, op: &Op, came: &Came) {
        let Work::Command { then, order, .. } = &op.work else { return };
        if let Came::Rejected(_) = came {
            self.tally.count(match order {
                Order::Task(task::Command::Restart(_)) => "a restart is refused",
                Order::Task(task::Command::Receive(_)) => "a claim is refused",
                Order::Task(task::Command::Finish { .. } | task::Command::Fail { .. }) => {
                    "an end is refused"
                }
                _ => "a command is refused",
            });
        }
        match (then, op.owner) {
            (Then::Run(seq), Owner::Executor(index)) => self.claimed(index, *seq, came),
            (Then::Leave(task_id, attempt), Owner::Executor(index)) => {
                self.executors[index].leave(*task_id, *attempt);
            }
            (Then::Settle(timer), _) => self.due.retain(|timeout| timer_of(timeout) != *timer),
            _ => {}
        }
    }
}
