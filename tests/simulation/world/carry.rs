//! What takes more than one command, and what becomes of it when somebody goes.

use kantoku_domain::{Context, Reason, Rejection, Task};

use super::{
    World,
    op::{Came, Op, Order, Ordered as _, Owner, Unfold, Work},
};
use crate::{judge::Decided, ledger::Ledger};

/// How often somebody who is going tries.
const GONE_TRIES: usize = 4;

impl World {
    /// A step of a step: the restart of a context goes on.
    pub(super) fn unfold(&mut self, unfold: &mut Unfold, op: &mut Op) -> Came {
        if let Some((loaded, command, envelope)) = unfold.step.take() {
            let id = envelope.aggregate_id;
            match loaded.state.decided(self.broken, &command, &envelope) {
                Ok(Some(event)) => {
                    let draft = Ledger::draft(&loaded, event, &envelope);
                    // Whatever came of it, it is looked at again.
                    self.append(&draft, op.owner, Decided::default());
                }
                Ok(None) => {
                    let nothing =
                        Rejection::new(Reason::WrongState, "there was nothing left to do");
                    unfold.unfolding.refused(id, &nothing);
                }
                Err(rejection) => unfold.unfolding.refused(id, &rejection),
            }
            return Came::Open;
        }
        if !unfold.is_open {
            let context = self.ledger.load::<Context>(unfold.context_id);
            unfold.is_open = context.state.restarting.contains(&unfold.cause);
            return if unfold.is_open { Came::Open } else { Came::Done(None) };
        }
        if let Some(command) = unfold.unfolding.settled() {
            let envelope =
                self.envelope(unfold.context_id, unfold.context_id, unfold.cause, "settle");
            let command = self.broken.settled(command);
            return self.send(&Order::Context(command), &envelope, op);
        }
        let free = unfold.unfolding.next(8);
        let Some(step) = self.rng.pick(&free) else { return Came::Done(None) };
        let (task_id, decided) = (step.task_id, step.position);
        let version = step.specification.as_ref().and_then(|of| self.version(of));
        let loaded = self.ledger.load::<Task>(task_id);
        let look = {
            let position = self.broken.position(loaded.stream_seq, decided);
            unfold.unfolding.look(task_id, position, &loaded.state, version)
        };
        if let Some(command) = look {
            let key = format!("step:{task_id}");
            let envelope = self.envelope(task_id, unfold.context_id, unfold.cause, &key);
            unfold.step = Some((loaded, command, envelope));
        }
        Came::Open
    }

    /// Somebody is gone. What was under way is done at once, or never; or it arrives late, unless it
    /// is an announcement: what a scheduler has decided is void when another decides.
    pub(super) fn abandon(&mut self, owner: Owner) {
        let (mut abandoned, rest) =
            std::mem::take(&mut self.ops).into_iter().partition(|op| op.owner == owner);
        self.ops = rest;
        for op in &mut abandoned {
            op.owner = Owner::Gone;
        }
        for mut op in abandoned {
            match self.rng.below(3) {
                0 => {}
                1 if !matches!(op.work, Work::Announce { .. } | Work::Unfold(_)) => {
                    self.ops.push(op);
                }
                _ => {
                    for _ in 0..GONE_TRIES {
                        if !matches!(self.work(&mut op), Came::Open) {
                            break;
                        }
                    }
                }
            }
        }
        if matches!(owner, Owner::Node(_)) {
            let limbo = std::mem::take(&mut self.limbo);
            let (announcements, rest): (Vec<_>, _) =
                limbo.into_iter().partition(|(draft, _)| draft.is_announcement());
            self.limbo = rest;
            for (draft, decided) in announcements {
                if self.rng.chance(50) {
                    self.store(&draft, Owner::Gone, decided).ok();
                }
            }
        }
    }
}
