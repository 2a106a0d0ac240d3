//! What handlers ask for, as it is carried out: see `handlers/src/hands.rs`.

use kantoku_domain::{Envelope, Id, restart::Unfolding, specification, task};
use kantoku_handlers::{Effect, Timeout};

use super::{
    World,
    op::{Op, Order, Owner, Then, Unfold, Work},
};
use crate::{judge::Decided, ledger::Draft};

/// As nodes sign.
pub(super) const NODE: &str = "node";

/// The timer that a timeout comes from.
pub(super) fn timer_of(timeout: &Timeout) -> Id {
    timeout.timer
}

impl World {
    pub(super) fn begin_effect(&mut self, owner: Owner, effect: Effect, decided: Decided) {
        let lane = effect.lane();
        let work = self.work_of(effect, decided, Then::Nothing);
        self.ops.push(Op::new(owner, lane, work));
    }

    /// A timer has fired: the node that takes it settles it once it has done what follows.
    pub(super) fn begin_timeout(&mut self, owner: Owner, timeout: Timeout) {
        let timer = timer_of(&timeout);
        let effect = timeout.effect();
        let lane = effect.lane();
        let work = self.work_of(effect, Decided::default(), Then::Settle(timer));
        self.ops.push(Op::new(owner, lane, work));
    }

    fn work_of(&mut self, effect: Effect, decided: Decided, then: Then) -> Work {
        match effect {
            Effect::Announce { context_id, cause, version, ready, .. } => {
                let key = format!("ready:{}:{}:{}", ready.task_id, ready.attempt, ready.round);
                let envelope = self.envelope(ready.task_id, context_id, cause, &key);
                let draft = Draft {
                    id: ready.task_id,
                    version,
                    guard: ready.guard,
                    metadata: envelope.metadata(ready.guard),
                    event: kantoku_domain::Event::TaskReady(ready),
                };
                Work::Announce { draft: Box::new(draft), decided }
            }
            Effect::Command { task_id, context_id, cause, command, .. } => {
                let envelope = self.envelope(task_id, context_id, cause, &key(task_id, &command));
                Work::Command { order: Order::Task(command), envelope, then }
            }
            Effect::Restart { context_id, restarted, .. } => Work::Unfold(Box::new(Unfold {
                context_id,
                cause: restarted.id,
                unfolding: Unfolding::new((*restarted).clone()),
                is_open: false,
                step: None,
            })),
            Effect::Probe { probe, .. } => Work::Probe(probe),
            Effect::SetTimer(timeout) => Work::SetTimer(timeout),
            Effect::CancelTimer { timer, .. } => Work::CancelTimer(timer),
            Effect::Order { service_id, order } => Work::Stop { service_id, order },
        }
    }

    pub(super) fn envelope(&self, id: Id, context_id: Id, cause: Id, key: &str) -> Envelope {
        Envelope {
            aggregate_id: id,
            command_id: cause.derive(key, context_id.partition()),
            at: self.clock.wall(),
            actor: NODE.into(),
            service_id: NODE.into(),
            causation_id: Some(cause),
            correlation_id: context_id,
        }
    }

    /// A version of a specification.
    pub(super) fn version(&self, of: &task::SpecificationRef) -> Option<specification::Applied> {
        let id = super::named(kantoku_domain::Kind::Specification, of.name.as_str());
        let versions = &self.ledger.specifications.get(&id)?.state.versions;
        versions.iter().find(|applied| applied.version == of.version).cloned()
    }
}

/// What tells the commands apart that one event may lead to for one task.
fn key(task_id: Id, command: &task::Command) -> String {
    let name = command.name();
    match command {
        task::Command::Fail { error, .. } => format!("{name}:{}:{task_id}", error.kind),
        task::Command::Expire(task::Expire::Queue { attempt, round }) => {
            format!("{name}:queue:{attempt}:{round}:{task_id}")
        }
        task::Command::Expire(task::Expire::Total { round }) => {
            format!("{name}:total:{round}:{task_id}")
        }
        _ => format!("{name}:{task_id}"),
    }
}
