//! Rules, broken on purpose: the judge has to notice each.
//!
//! They are broken where the simulation has its hands on: in the ledger, in executors, in what is
//! handed to a handler and what comes of it. Nothing of what is judged knows of them.

use std::sync::Arc;

use kantoku_domain::{
    Aggregate as _, Decision, Envelope, Event, Id, Recorded, Task, Timestamp, context,
    dependency::Needs,
    task::{Command, Finished, Outcome, Status},
};
use kantoku_handlers::{Effect, HandlerName};
use kantoku_streams::Heartbeat;

use crate::ledger::Ledger;

/// Which rule does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Broken {
    /// None: all of them hold.
    #[default]
    Nothing,
    /// An attempt that does not hold the task any more may end it.
    NoFenceCheck,
    /// Dependents are given up as soon as an attempt fails.
    EarlySkip,
    /// Of two restarts of one task, both are accepted.
    RestartWithoutGuard,
    /// Whoever has ended keeps its slots.
    SlotNotReleased,
    /// An executor claims whichever attempt is next, not the one that was announced.
    ReadyNotTiedToAttempt,
    /// A heartbeat renews what other runs of the service have claimed.
    LeaseNotTiedToBoot,
    /// Events are appended whatever else has happened to the aggregate meanwhile.
    NoGuard,
    /// An append whose outcome is unknown is made again, and not looked for.
    RetryWithoutReadingBack,
    /// Whoever folds the history anew takes all that it names as done.
    UnfoldOnce,
    /// A paused task may be claimed.
    PausedClaims,
    /// A task that has resolved its outputs may be restarted with the same.
    ReuseOfResolved,
    /// The children of a task that is stopped go on.
    CancelIgnoresChildren,
    /// What was skipped stays so.
    SkipNotRevived,
    /// Starts are not counted.
    RateNotCounted,
    /// Slots are not counted.
    LimitNotCounted,
    /// The next attempt may be claimed at once.
    BackoffNotKept,
    /// A pause of a context, a specification or a namespace is not heard of.
    PauseNotHeard,
    /// Inputs are looked for one event behind where they are.
    WrongPosition,
    /// What is cancelled was not final.
    CancelAfterEnd,
    /// The clock by which leases are judged runs twice as fast.
    LeaseCutShort,
    /// Steps of a restart are carried out whatever has happened to the task meanwhile.
    StepsForced,
    /// A restart is settled as if all its steps had been carried out.
    OvertakenNotTold,
}

impl Broken {
    pub(crate) const ALL: [Self; 22] = [
        Self::NoFenceCheck,
        Self::EarlySkip,
        Self::RestartWithoutGuard,
        Self::SlotNotReleased,
        Self::ReadyNotTiedToAttempt,
        Self::LeaseNotTiedToBoot,
        Self::NoGuard,
        Self::RetryWithoutReadingBack,
        Self::UnfoldOnce,
        Self::PausedClaims,
        Self::ReuseOfResolved,
        Self::CancelIgnoresChildren,
        Self::SkipNotRevived,
        Self::RateNotCounted,
        Self::LimitNotCounted,
        Self::BackoffNotKept,
        Self::PauseNotHeard,
        Self::WrongPosition,
        Self::CancelAfterEnd,
        Self::LeaseCutShort,
        Self::StepsForced,
        Self::OvertakenNotTold,
    ];

    /// What a command to a task comes to.
    pub(crate) fn decide(self, task: &Task, command: &Command, envelope: &Envelope) -> Decision {
        let mut wrong = task.clone();
        match (self, command) {
            (
                Self::NoFenceCheck,
                Command::Finish { attempt, .. } | Command::Fail { attempt, .. },
            ) => {
                if !task.status.is_terminal() && *attempt < task.attempt {
                    (wrong.status, wrong.attempt) = (Status::Received, *attempt);
                }
            }
            (Self::RestartWithoutGuard, Command::Restart(_)) => wrong.restarted_as = None,
            (Self::PausedClaims, Command::Receive(_)) => wrong.paused = None,
            (Self::ReuseOfResolved, Command::Restart(_)) => {
                if let (Some(Outcome::Ok), Some(spawned)) = (task.outcome, &task.spawned) {
                    let all = spawned.outputs.iter();
                    wrong.custody = all.map(|(name, it)| (name.clone(), it.id)).collect();
                    wrong.outcome = Some(Outcome::Failed);
                }
            }
            (Self::BackoffNotKept, Command::Receive(_)) => wrong.not_before = <_>::default(),
            (Self::CancelAfterEnd, Command::Cancel(_)) => {
                if task.status == Status::Finished && task.children.is_empty() {
                    wrong.status = Status::Initialized;
                }
            }
            _ => return task.decide(command, envelope),
        }
        wrong.decide(command, envelope)
    }

    /// What a handler gets to see of an event.
    pub(crate) fn event(
        self,
        handler: HandlerName,
        recorded: &Arc<Recorded>,
        ledger: &Ledger,
    ) -> Vec<Arc<Recorded>> {
        let is_scheduler = handler == HandlerName::Scheduler;
        let as_is = || vec![Arc::clone(recorded)];
        let instead = |event: Event| vec![Arc::new(Recorded { event, ..(**recorded).clone() })];
        match (self, &recorded.event) {
            (Self::EarlySkip, Event::TaskAttemptFailed(failed)) if is_scheduler => {
                instead(Event::TaskFinished(failed_for_good(failed)))
            }
            (Self::SlotNotReleased, Event::TaskFinished(_) | Event::TaskCancelled(_))
                if is_scheduler && !is_awaited(recorded.id, ledger) =>
            {
                Vec::new()
            }
            (Self::RateNotCounted | Self::LimitNotCounted, Event::PolicyApplied(applied)) => {
                let mut applied = applied.clone();
                for limit in applied.definition.limits.values_mut() {
                    if self == Self::RateNotCounted {
                        limit.rate = None;
                    } else {
                        limit.concurrency = None;
                    }
                }
                instead(Event::PolicyApplied(applied))
            }
            (
                Self::PauseNotHeard,
                Event::ContextPaused(_) | Event::SpecificationPaused(_) | Event::NamespacePaused(_),
            ) => Vec::new(),
            _ => as_is(),
        }
    }

    /// Whether an effect is carried out, perhaps changed.
    pub(crate) fn effect(self, effect: Effect, after_crash: bool) -> Option<Effect> {
        match (self, effect) {
            (Self::UnfoldOnce, _) if after_crash => None,
            (Self::CancelIgnoresChildren, Effect::Command { command: Command::Cancel(_), .. })
            | (Self::SkipNotRevived, Effect::Command { command: Command::Revive(_), .. }) => None,
            (
                Self::WrongPosition,
                Effect::Announce { mut ready, namespace, queue, context_id, cause, version },
            ) => {
                for resolved in ready.inputs.values_mut() {
                    resolved.seq -= 1;
                }
                Some(Effect::Announce { ready, namespace, queue, context_id, cause, version })
            }
            (_, effect) => Some(effect),
        }
    }

    /// The time by a keeper's clock.
    pub(crate) fn keepers_time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::LeaseCutShort => Timestamp::from_micros(2 * now.micros()),
            _ => now,
        }
    }

    /// A task as whoever carries a restart out sees it: with the position of its last event.
    pub(crate) fn position(self, last: u64, step: u64) -> u64 {
        if self == Self::StepsForced { step.min(last) } else { last }
    }

    /// How a restart is settled.
    pub(crate) fn settled(self, mut command: context::Command) -> context::Command {
        if let (Self::OvertakenNotTold, context::Command::SettleRestart(settled)) =
            (self, &mut command)
        {
            settled.superseded.clear();
        }
        command
    }

    /// A heartbeat as the keeper hears it.
    pub(crate) fn beat(
        self,
        mut beat: Heartbeat,
        held: impl Iterator<Item = (Id, u32, u64, Id)>,
    ) -> Heartbeat {
        if self == Self::LeaseNotTiedToBoot {
            for (task_id, attempt, fence, boot_id) in held {
                beat.boot_id = boot_id;
                beat.attempts.push(kantoku_streams::HeldAttempt { task_id, attempt, fence });
            }
        }
        beat
    }
}

fn failed_for_good(failed: &kantoku_domain::task::AttemptFailed) -> Finished {
    Finished {
        attempt: failed.attempt,
        outcome: Outcome::Failed,
        expired: None,
        error: Some(failed.error.clone()),
        inputs: [].into(),
        outputs: [].into(),
        delegated: [].into(),
        children: Vec::new(),
        result: None,
    }
}

/// Whether the end of a task means anything to another.
fn is_awaited(id: Id, ledger: &Ledger) -> bool {
    let outputs = ledger.task(id).and_then(|task| task.spawned.as_ref()).map(|it| &it.outputs);
    let outputs = outputs.into_iter().flat_map(|outputs| outputs.values());
    let about: Vec<Id> = outputs.map(|output| output.id).chain([id]).collect();
    let others = ledger.tasks.values().filter_map(|loaded| loaded.state.spawned.as_ref());
    others
        .map(|spawned| Needs::of(spawned).named())
        .any(|named| about.iter().any(|id| named.contains(id)))
}
