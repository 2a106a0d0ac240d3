//! What the tasks of a context come to.

use kantoku_domain::task::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{TaskState, TaskStatus};

/// What the tasks of a context come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContextStatus {
    /// A task may still run.
    #[default]
    Running,
    /// All tasks finished ok.
    Ok,
    /// All tasks have ended, and one failed.
    Failed,
    /// All tasks have ended, and some were ordered to.
    Cancelled,
}

impl ContextStatus {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How many tasks are in which state. A task that has ended counts if it is current: nothing took
/// its place, nor that of a task that it descends from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCounts {
    /// Waiting.
    pub initialized: u64,
    /// To be claimed.
    pub ready: u64,
    /// Running.
    pub received: u64,
    /// Finished well.
    pub ok: u64,
    /// Finished badly.
    pub failed: u64,
    /// Stopped.
    pub cancelled: u64,
    /// Never to run.
    pub skipped: u64,
    /// Of these, those that a rule chose not to run, though nobody failed.
    pub skipped_by_rule: u64,
}

impl TaskCounts {
    /// How many tasks have not ended.
    pub const fn live(&self) -> u64 {
        self.initialized + self.ready + self.received
    }

    /// How many tasks have ended, in whatever way.
    pub const fn ended(&self) -> u64 {
        self.ok + self.failed + self.cancelled + self.skipped
    }

    /// How many failed, were stopped, or could not run because of such a task.
    pub const fn unwell(&self) -> u64 {
        self.failed + self.cancelled + self.skipped.saturating_sub(self.skipped_by_rule)
    }

    /// Takes in that a task is in this state, or is not any more.
    pub(super) fn count(&mut self, state: TaskState, by: i64) {
        let count = self.of(state);
        *count = count.saturating_add_signed(by);
        if state.status == TaskStatus::Skipped && state.is_by_rule {
            self.skipped_by_rule = self.skipped_by_rule.saturating_add_signed(by);
        }
    }

    fn of(&mut self, state: TaskState) -> &mut u64 {
        match (state.status, state.outcome) {
            (TaskStatus::Initialized, _) => &mut self.initialized,
            (TaskStatus::Ready, _) => &mut self.ready,
            (TaskStatus::Received, _) => &mut self.received,
            (TaskStatus::Finished, Some(Outcome::Failed)) => &mut self.failed,
            (TaskStatus::Finished, _) => &mut self.ok,
            (TaskStatus::Cancelled, _) => &mut self.cancelled,
            (TaskStatus::Skipped, _) => &mut self.skipped,
        }
    }
}
