//! The shape of every handler, and what a handler may ask for.

use kantoku_domain::{Id, Namespace, Recorded, Timestamp, task};
use kantoku_streams::CancelOrder;

use crate::timers::Timeout;

/// Something to do. Doing it twice changes nothing: every effect is guarded, or derived, or an order
/// that is obeyed once.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Announce an attempt, guarded by the task's last event (`ready.guard`).
    Announce {
        /// Whose.
        namespace: Namespace,
        /// The queue to announce it in.
        queue: String,
        /// The context, for the event's metadata.
        context_id: Id,
        /// The event that made it due.
        cause: Id,
        /// The task's version, that of the event at `ready.guard`.
        version: u64,
        /// The announcement.
        ready: task::Ready,
    },
    /// Send a command to a task.
    Command {
        /// Whose.
        namespace: Namespace,
        /// The task.
        task_id: Id,
        /// The context, for the event's metadata.
        context_id: Id,
        /// The event that made it due; the command's id is derived from it and the task's.
        cause: Id,
        /// The command.
        command: task::Command,
    },
    /// Set the timer for an attempt.
    SetTimer(Timeout),
    /// Take back the timer for an attempt, which has ended.
    CancelTimer {
        /// The task.
        task_id: Id,
        /// The timer.
        timer: Id,
    },
    /// Tell an executor to stop an attempt.
    Order {
        /// The executor.
        service_id: String,
        /// What to stop, and why.
        order: CancelOrder,
    },
}

impl Effect {
    /// The task that it is about. Effects of one task are carried out one after another.
    pub fn task_id(&self) -> Id {
        match self {
            Self::Announce { ready, .. } => ready.task_id,
            Self::Command { task_id, .. } | Self::CancelTimer { task_id, .. } => *task_id,
            Self::SetTimer(timeout) => timeout.task_id,
            Self::Order { order, .. } => order.task_id,
        }
    }

    /// The name in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Announce { .. } => "announce",
            Self::Command { command, .. } => command.name(),
            Self::SetTimer(_) => "set-timer",
            Self::CancelTimer { .. } => "cancel-timer",
            Self::Order { .. } => "order",
        }
    }
}

/// Pure logic over the stream of events.
pub trait Handler: Send {
    /// Takes in an event. Called for every event once, in stream order.
    fn apply(&mut self, recorded: &Recorded);

    /// Takes in an event of this process ahead of its delivery, which follows: so whoever does must
    /// take the same event again, late, and change nothing.
    fn foresee(&mut self, _: &Recorded) {}

    /// Takes what is due at `now`, at most `max` effects, oldest first. What was taken and not
    /// done is due again only for a handler that folds the history anew.
    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect>;

    /// When the clock next makes something due.
    fn next_due(&self) -> Option<Timestamp> {
        None
    }
}
