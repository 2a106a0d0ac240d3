//! The shape of every handler, and what a handler may ask for.

use kantoku_domain::{Id, Namespace, Recorded, Timestamp, task};

/// Something to append. Appending it twice changes nothing: every effect is guarded, or derived.
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
}

/// Pure logic over the stream of events.
pub trait Handler: Send {
    /// The name in `--only`, in metrics and in dead letters.
    const NAME: &'static str;

    /// Takes in an event. Called for every event in stream order; once more changes nothing.
    fn apply(&mut self, recorded: &Recorded);

    /// Takes what is due at `now`, at most `max` effects, oldest first. What was taken and not
    /// done is due again only for a handler that folds the history anew.
    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect>;
}
