//! What is known of the things that expressions name.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventPattern, HttpProbe};
use crate::{Id, Timestamp, task::Skipped};

/// Why something can never be.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A rule chose so, and nobody failed: a task that runs on a failure only, and there was none.
    Rule,
    /// Something failed, was cancelled, or did not come in time.
    #[default]
    Failure,
}

impl Cause {
    /// Whether somebody failed.
    pub fn is_failure(self) -> bool {
        self == Self::Failure
    }
}

/// The tasks because of which something can never be, at least one: first that at the far end of the
/// chain, then those that were skipped in between, the nearest first, and others that failed. A
/// restart of any may make it possible again. Cheap to clone, as all that comes after has them, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RootCauses(Arc<[Id]>);

impl RootCauses {
    /// Of a task that was skipped because of `root_cause` and `others`.
    pub fn all(root_cause: Id, others: &[Id]) -> Self {
        Self([root_cause].iter().chain(others).copied().collect())
    }

    /// The one to name if one is named.
    pub fn first(&self) -> Id {
        self.0.first().copied().unwrap_or_default()
    }

    /// Those because of which `skipped` was, and itself: it may be restarted, too, or have been by
    /// the time that this is heard of.
    #[must_use]
    pub fn by_way_of(&self, skipped: Id) -> Self {
        let first = self.first();
        let others = [skipped].into_iter().chain(self.iter().skip(1).filter(|id| *id != skipped));
        Self([first].into_iter().chain(others.filter(|id| *id != first)).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Id> + '_ {
        self.0.iter().copied()
    }
}

impl From<Id> for RootCauses {
    fn from(id: Id) -> Self {
        Self(Arc::new([id]))
    }
}

impl From<&Skipped> for RootCauses {
    fn from(skipped: &Skipped) -> Self {
        Self::all(skipped.root_cause, &skipped.others)
    }
}

/// What is known of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A task that may still resolve it is live or will be, or nobody knows it yet.
    Pending,
    /// It was resolved.
    Holds {
        /// When.
        at: Timestamp,
    },
    /// Nobody can resolve it any more: its custodian has ended without, and was not restarted with
    /// its outputs reused.
    Impossible {
        /// The tasks at the far ends of the chains.
        root_causes: RootCauses,
        /// Why.
        cause: Cause,
        /// When that became so.
        at: Timestamp,
    },
}

/// How a task has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// It finished ok.
    Ok,
    /// It finished, and its last attempt failed.
    Failed,
    /// It was ordered to stop.
    Cancelled,
    /// It never ran.
    Skipped {
        /// The tasks at the far ends of the chains.
        root_causes: RootCauses,
        /// Why.
        cause: Cause,
    },
}

impl From<&Skipped> for How {
    fn from(skipped: &Skipped) -> Self {
        Self::Skipped { root_causes: skipped.into(), cause: skipped.cause }
    }
}

/// The end of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which: of a task that was restarted, its successor.
    pub task: Id,
    /// How.
    pub how: How,
    /// When.
    pub at: Timestamp,
}

impl Ending {
    /// Whether it failed, was cancelled, or was skipped because of one that had.
    pub fn is_failure(&self) -> bool {
        match self.how {
            How::Ok => false,
            How::Failed | How::Cancelled => true,
            How::Skipped { cause, .. } => cause.is_failure(),
        }
    }

    /// The tasks to blame for what this end makes impossible: itself, and if it was skipped those
    /// because of which it was.
    pub fn root_causes(&self) -> RootCauses {
        match &self.how {
            How::Skipped { root_causes, .. } => root_causes.by_way_of(self.task),
            How::Ok | How::Failed | How::Cancelled => self.task.into(),
        }
    }
}

/// The last answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// When.
    pub at: Timestamp,
}

/// What is known on behalf of one task that waits.
pub trait Facts {
    /// Of a resource.
    fn resource(&self, id: Id) -> Known;

    /// The end of a task; of one that was restarted, its successor's. `None`: it has not ended.
    fn task(&self, id: Id) -> Option<Ending>;

    /// When the task that waits was spawned, or revived last.
    fn since(&self) -> Timestamp;

    /// Who has given the approval `name` to the task that waits, and when.
    fn approvals(&self, _name: &str) -> Vec<(&str, Timestamp)> {
        Vec::new()
    }

    /// When an event that matches was first recorded after [`Facts::since`].
    fn event(&self, _pattern: &EventPattern) -> Option<Timestamp> {
        None
    }

    /// The last answer to a probe.
    fn probe(&self, _probe: &HttpProbe) -> Option<Probed> {
        None
    }
}
