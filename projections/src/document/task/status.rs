//! Where a task is, and what of it is waited for.

use kantoku_domain::Dependency as Expression;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// It waits.
    #[default]
    Initialized,
    /// It may be claimed.
    Ready,
    /// An attempt runs.
    Received,
    /// It has ended.
    Finished,
    /// It was stopped.
    Cancelled,
    /// It will not run.
    Skipped,
}

impl TaskStatus {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialized => "initialized",
            Self::Ready => "ready",
            Self::Received => "received",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing can follow but a restart.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Skipped)
    }
}

/// Whether what a task waits for has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DependencyStatus {
    /// It may happen yet.
    Pending,
    /// It has.
    Ready,
    /// It cannot any more.
    Failed,
}

/// One thing that a task waits for. When all are ready it may run, and when one has failed it never
/// will, unless a restart brings what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AwaitedPart")]
pub struct Dependency {
    /// The input's name, `when: ` and the task's rule, or `depends_on`.
    pub name: String,
    /// What: of an input, `{"resource": id}`; of a rule, an expression that says the same.
    pub data: Expression,
    /// Whether it has happened. An input that the task's rule lets it do without is ready, too, as
    /// soon as the rule holds.
    pub status: DependencyStatus,
}
