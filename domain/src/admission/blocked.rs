//! Why a task is not admitted yet.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Key;
use crate::{Id, Millis, Timestamp};

/// One thing that a task waits for besides its own needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// As many as may be are announced or run.
    Concurrency {
        /// What is counted.
        key: Arc<Key>,
        /// How many may be.
        limit: u32,
        /// How many are.
        held: usize,
        /// Some of them, lowest ids first, at most [`Blocked::TOLD_MAX`].
        held_by: Vec<Id>,
    },
    /// As many as may start in a while have.
    Rate {
        /// What is counted.
        key: Arc<Key>,
        /// How many may.
        count: u32,
        /// In how long.
        per: Millis,
        /// When another may.
        next: Timestamp,
    },
    /// What is free is kept for a task that has waited longer, and needs more than that.
    Reserved {
        /// What is counted.
        key: Arc<Key>,
        /// The other task.
        for_task: Id,
    },
    /// Enough of the queue is announced; executors have to claim some first.
    Window {
        /// The queue.
        queue: String,
        /// How many are announced and not claimed at most.
        window: usize,
    },
}

impl Blocked {
    /// How many holders are told.
    pub const TOLD_MAX: usize = 10;

    /// When the clock alone ends it.
    pub(super) const fn next(&self) -> Option<Timestamp> {
        match self {
            Self::Rate { next, .. } => Some(*next),
            Self::Concurrency { .. } | Self::Reserved { .. } | Self::Window { .. } => None,
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concurrency { key, limit, held, held_by } => {
                write!(f, "limit {key}: {held} of {limit} held by ")?;
                for (index, id) in held_by.iter().enumerate() {
                    write!(f, "{}{id}", if index == 0 { "" } else { ", " })?;
                }
                match held.saturating_sub(held_by.len()) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Rate { key, count, per, next } => {
                write!(f, "rate {key}: {count} in {per} have started; the next may at {next}")
            }
            Self::Reserved { key, for_task } => {
                write!(
                    f,
                    "limit {key}: what is free is kept for task {for_task}, which waits longer"
                )
            }
            Self::Window { queue, window } => {
                write!(f, "queue {queue}: {window} tasks are announced and not claimed yet")
            }
        }
    }
}
