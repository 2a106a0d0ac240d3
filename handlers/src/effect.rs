//! The shape of every handler, and what a handler may ask for.

use std::sync::Arc;

use kantoku_domain::{
    Id, Namespace, Recorded, Standing, Timestamp, context,
    dependency::{HttpProbe, Probed},
    task,
};
use kantoku_streams::CancelOrder;

use crate::{SavedError, Timeout};

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
    /// Carry out the restart of a context: append what each step comes to, guarded by the position
    /// that it was looked at, then settle it.
    Restart {
        /// Whose.
        namespace: Namespace,
        /// The context.
        context_id: Id,
        /// What was decided; its id is that of the event.
        restarted: Arc<context::Restarted>,
    },
    /// Set a timer, or replace it.
    SetTimer(Timeout),
    /// Take back a timer: what it was to end has ended.
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
    /// Ask a probe once. The handlers are told the answer by [`Handler::probed`].
    Probe {
        /// A task that waits for it.
        task_id: Id,
        /// Where to ask.
        probe: HttpProbe,
    },
}

impl Effect {
    /// The task that it is about, or the context. Effects of one are carried out one after another.
    pub fn lane(&self) -> Id {
        match self {
            Self::Announce { ready, .. } => ready.task_id,
            Self::Command { task_id, .. }
            | Self::CancelTimer { task_id, .. }
            | Self::Probe { task_id, .. } => *task_id,
            Self::Restart { context_id, .. } => *context_id,
            Self::SetTimer(timeout) => timeout.task_id,
            Self::Order { order, .. } => order.task_id,
        }
    }

    /// The name in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Announce { .. } => "announce",
            Self::Command { command, .. } => command.name(),
            Self::Restart { .. } => "restart-context",
            Self::SetTimer(_) => "set-timer",
            Self::CancelTimer { .. } => "cancel-timer",
            Self::Order { .. } => "order",
            Self::Probe { .. } => "probe",
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

    /// Acts no more for now, as another does: what was handed out counts as not done, for all that
    /// no event shows. Called again and again until [`Handler::due`] is.
    fn stand_by(&mut self) {}

    /// When the clock next makes something due.
    fn next_due(&self) -> Option<Timestamp> {
        None
    }

    /// Where a task stands and why, for whoever asks. `None`: it is not for this handler to say, or
    /// the task is over or unknown.
    fn standing(&self, _task_id: Id, _now: Timestamp) -> Option<Standing> {
        None
    }

    /// Takes in the answer to a probe that it asked for by [`Effect::Probe`]. What was asked before
    /// the process ended is never answered: a handler that starts anew asks again.
    fn probed(&mut self, _probe: &HttpProbe, _probed: Probed) {}

    /// Writes down what it has folded: the same state as the same bytes. Only asked of a handler to
    /// which nothing has happened but [`Handler::apply`] and [`Handler::restore`]: what was handed
    /// out, foreseen or answered is no part of it, so that whoever goes on from what was written has
    /// the same due as whoever folds the history anew. What is over may be dropped meanwhile.
    fn save(&mut self) -> Result<Vec<u8>, SavedError>;

    /// Takes the place of all that it holds with what [`Handler::save`] wrote. Whatever is not about
    /// events (leases, windows, what was heard) begins as for a new handler. Fails when it cannot be
    /// read, and is as it was then.
    fn restore(&mut self, saved: &[u8]) -> Result<(), SavedError>;
}
