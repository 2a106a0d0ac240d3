//! Whether a task may run, and if it never will, because of whom.

use std::collections::BTreeSet;

use super::{Cause, Status};
use crate::{Id, Timestamp, task::Skipped};

/// Whether a task may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet.
    Pending {
        /// When the clock alone may change that, at the earliest.
        next: Option<Timestamp>,
    },
    /// It may.
    Ready {
        /// The inputs that are not there, as its rule allows: they are null.
        absent: Vec<String>,
    },
    /// It never will.
    Failed(Hopeless),
}

/// Why a task will never run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hopeless {
    /// The tasks to blame, those that failed first, at most [`Status::ROOT_CAUSES_MAX`]; none if
    /// the clock is.
    pub root_causes: Vec<Id>,
    /// Whether anybody failed.
    pub cause: Cause,
    /// What cannot be, e.g. `input page`.
    pub missing: String,
    /// Whether its own time is up, whoever else is to blame.
    pub is_late: bool,
}

impl Hopeless {
    /// What is to be said of the task `id` for this reason.
    pub fn skipped(self, id: Id) -> Skipped {
        // Those that come after it wait for a restart of this very task then.
        let own = self.is_late.then_some(id);
        let mut root_causes = own.into_iter().chain(self.root_causes);
        Skipped {
            root_cause: root_causes.next().unwrap_or(id),
            others: root_causes.collect(),
            cause: self.cause,
            missing: self.missing,
        }
    }

    /// Takes in another reason, each sufficient: what is told is the first, who is to blame all.
    pub(super) fn merge(&mut self, also: Self) {
        if also.cause > self.cause {
            self.root_causes.splice(0..0, also.root_causes);
        } else {
            self.root_causes.extend(also.root_causes);
        }
        self.cause = self.cause.max(also.cause);
        self.is_late |= also.is_late;
    }

    pub(super) fn tidy(mut self) -> Self {
        let mut seen = BTreeSet::new();
        self.root_causes.retain(|id| seen.insert(*id));
        self.root_causes.truncate(Status::ROOT_CAUSES_MAX);
        self
    }
}
