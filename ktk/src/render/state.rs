//! Where a task is, as people see it.

use kantoku_api::contract::TreeTask;
use kantoku_domain::task::Outcome;
use kantoku_projections::document::{ContextStatus, TaskStatus};

use crate::output::Paint;

/// In the order in which it matters to them: what went wrong first, what went well last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    Failed,
    Running,
    Ready,
    Waiting,
    Cancelled,
    Skipped,
    Ok,
}

impl State {
    pub(crate) const ALL: [Self; 7] = [
        Self::Failed,
        Self::Running,
        Self::Ready,
        Self::Waiting,
        Self::Cancelled,
        Self::Skipped,
        Self::Ok,
    ];

    /// The state of a task.
    pub(crate) fn of(task: &TreeTask) -> Self {
        match (task.status, task.sub_status) {
            (TaskStatus::Initialized, _) => Self::Waiting,
            (TaskStatus::Ready, _) => Self::Ready,
            (TaskStatus::Received, _) => Self::Running,
            (TaskStatus::Finished, Some(Outcome::Failed)) => Self::Failed,
            (TaskStatus::Finished, _) => Self::Ok,
            (TaskStatus::Cancelled, _) => Self::Cancelled,
            (TaskStatus::Skipped, _) => Self::Skipped,
        }
    }

    /// The state of a context.
    pub(crate) const fn of_context(status: ContextStatus) -> Self {
        match status {
            ContextStatus::Running => Self::Running,
            ContextStatus::Ok => Self::Ok,
            ContextStatus::Failed => Self::Failed,
            ContextStatus::Cancelled => Self::Cancelled,
        }
    }

    /// Whether nothing can follow.
    pub(crate) const fn has_ended(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled | Self::Skipped | Self::Ok)
    }

    /// One column wide.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Failed => "✖",
            Self::Running => "●",
            Self::Ready => "◐",
            Self::Waiting => "○",
            Self::Cancelled => "⊗",
            Self::Skipped => "⊘",
            Self::Ok => "✔",
        }
    }

    /// Always beside the symbol, so that neither shape nor colour carries the meaning alone.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Ok => "ok",
        }
    }

    /// `text` in its colour.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        match self {
            Self::Failed => paint.red(text),
            Self::Running | Self::Ready => paint.cyan(text),
            Self::Waiting => paint.dim(text),
            Self::Cancelled | Self::Skipped => paint.yellow(text),
            Self::Ok => paint.green(text),
        }
    }
}
