//! What a timer of the server's is set for, and what follows when it fires.

use kantoku_domain::{
    Id, Millis, Namespace, Timestamp,
    task::{Command, Expire, Failure},
};
use serde::{Deserialize, Serialize};

use crate::Effect;

/// What a timer was set for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// The timer: the event that began what is limited, or the task's last resumption since.
    pub timer: Id,
    /// When to look.
    pub at: Timestamp,
    /// Whose.
    pub namespace: Namespace,
    /// The context.
    pub context_id: Id,
    /// The task.
    pub task_id: Id,
    /// How long it may take.
    pub limit: Millis,
    /// What may.
    pub of: Limited,
}

/// What may take so long and no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limited {
    /// From an attempt's claim to its end.
    Attempt {
        /// The attempt.
        attempt: u32,
    },
    /// From an announcement to its claim.
    Queue {
        /// The attempt that was announced.
        attempt: u32,
        /// The round that it was announced in.
        round: u32,
    },
    /// From the spawn or the revival of a task to its end.
    Total {
        /// How often it was resumed or revived.
        round: u32,
    },
}

/// Which of the limits of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Which {
    Attempt,
    Queue,
    Total,
}

impl Timeout {
    /// The kind of these timers.
    pub const KIND: &str = "timeout";

    /// What follows when what it limits is not over by then. An end that came meanwhile refuses it.
    pub fn effect(self) -> Effect {
        let command = match self.of {
            Limited::Attempt { attempt } => {
                let limit = self.limit;
                let message = format!(
                    "the attempt took longer than {limit}, and its executor did not end it"
                );
                Command::Fail { attempt, error: Failure::new(Failure::TIMEOUT, message, true) }
            }
            Limited::Queue { attempt, round } => Command::Expire(Expire::Queue { attempt, round }),
            Limited::Total { round } => Command::Expire(Expire::Total { round }),
        };
        Effect::Command {
            namespace: self.namespace,
            task_id: self.task_id,
            context_id: self.context_id,
            cause: self.timer,
            command,
        }
    }
}

impl Limited {
    pub(crate) const fn which(self) -> Which {
        match self {
            Self::Attempt { .. } => Which::Attempt,
            Self::Queue { .. } => Which::Queue,
            Self::Total { .. } => Which::Total,
        }
    }
}
