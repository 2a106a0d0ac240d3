//! What a task waits for besides its inputs: an expression over facts.
//!
//! [`Expression`] is what is written and stored, [`Facts`] is what is known, and
//! [`Expression::evaluate`] and [`Expression::explain`] bring both together: the code that decides
//! is the code that answers why.

mod evaluate;
mod explain;
mod facts;
mod leaf;
mod needs;
mod readiness;
mod trigger;
mod validate;
mod why;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Id, Millis, Timestamp};

pub use evaluate::Status;
pub use explain::{Explanation, Ground};
pub use facts::{Cause, Ending, Facts, How, Known, Probed, RootCauses};
pub use leaf::{Approval, EventPattern, HttpProbe, Timezone, Window};
pub(crate) use leaf::{LongApproval, LongProbe};
pub use needs::Needs;
pub use readiness::{Hopeless, Readiness};
pub use trigger::{Counts, Trigger, TriggerRule, Triggered, Upstream};

/// An expression over facts whose tasks and resources are ids: as tasks hold it.
pub type Dependency = Expression<Id>;

/// An expression over facts. A task may run when all its inputs are resolved and this holds.
///
/// `R` is how tasks and resources are named: by ids in a task, by texts in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "Expression_over_{R}")]
pub enum Expression<R> {
    /// Every part holds. Empty: holds.
    All(Vec<Self>),
    /// One part holds.
    Any(Vec<Self>),
    /// Some of the parts hold.
    AtLeast {
        /// How many.
        count: u32,
        /// The parts.
        of: Vec<Self>,
    },
    /// The part does not hold. Of something that settles (a resource, a task, `within`): it cannot
    /// hold any more. Of something that comes and goes or has just not come yet (a window, a probe,
    /// a time, an approval, an event): it does not hold now.
    Not(Box<Self>),
    /// The part holds before `time` has passed since the task began to wait; later it never will.
    Within {
        /// How long.
        time: Millis,
        /// What.
        of: Box<Self>,
    },
    /// The resource is resolved.
    Resource(R),
    /// The task has finished ok. Of a task that was restarted, its successor's end counts.
    Task(R),
    /// The task has ended, in whatever way.
    Done(R),
    /// The task has failed or was cancelled, or was skipped because of one that had.
    Failed(R),
    /// The time has come.
    At(Timestamp),
    /// It is now within a window that opens again and again.
    Window(Window),
    /// People have said yes.
    Approval(Approval),
    /// An event of this kind was recorded after the task was.
    Event(EventPattern),
    /// An HTTP server answers as expected.
    Http(HttpProbe),
}

impl<R> Expression<R> {
    /// How many leaves an expression may have.
    pub const LEAVES_MAX: usize = 10_000;

    /// How deep an expression may nest; 1 is a leaf.
    pub const DEPTH_MAX: usize = 16;

    /// The facts that the expression is made of, left to right.
    pub fn leaves(&self) -> Vec<&Self> {
        match self.parts() {
            Some(parts) => parts.iter().flat_map(Self::leaves).collect(),
            None => vec![self],
        }
    }

    /// The parts of a node; `None` of a leaf.
    pub fn parts(&self) -> Option<&[Self]> {
        match self {
            Self::All(parts) | Self::Any(parts) | Self::AtLeast { of: parts, .. } => Some(parts),
            Self::Not(part) | Self::Within { of: part, .. } => Some(std::slice::from_ref(part)),
            _ => None,
        }
    }

    /// Shows `visit` each node and leaf with its path from `path` on, as it is written, and its
    /// depth; parts only of those for which it says yes.
    pub(crate) fn walk<'a>(
        &'a self,
        path: &[impl AsRef<str>],
        visit: &mut impl FnMut(&'a Self, &[String], usize) -> bool,
    ) {
        let mut path = path.iter().map(|key| key.as_ref().to_owned()).collect();
        self.walk_at(&mut path, 1, visit);
    }

    fn walk_at<'a>(
        &'a self,
        path: &mut Vec<String>,
        depth: usize,
        visit: &mut impl FnMut(&'a Self, &[String], usize) -> bool,
    ) {
        let length = path.len();
        path.push(self.key().into());
        if visit(self, path, depth) {
            if matches!(self, Self::AtLeast { .. } | Self::Within { .. }) {
                path.push("of".into());
            }
            let is_list = !matches!(self, Self::Not(_) | Self::Within { .. });
            for (index, part) in self.parts().unwrap_or_default().iter().enumerate() {
                let inner = path.len();
                path.extend(is_list.then(|| index.to_string()));
                part.walk_at(path, depth + 1, visit);
                path.truncate(inner);
            }
        }
        path.truncate(length);
    }

    /// The task or the resource that a leaf names, if it names one.
    pub const fn named(&self) -> Option<&R> {
        match self {
            Self::Resource(name) | Self::Task(name) | Self::Done(name) | Self::Failed(name) => {
                Some(name)
            }
            _ => None,
        }
    }

    /// The same expression with other names: each leaf that has one goes through `rename`, which
    /// is given the leaf and its name. The first error ends it.
    pub fn rename<S, E>(
        &self,
        rename: &mut impl FnMut(&Self, &R) -> Result<S, E>,
    ) -> Result<Expression<S>, E> {
        let mut all = |parts: &[Self]| -> Result<Vec<_>, E> {
            parts.iter().map(|part| part.rename(rename)).collect()
        };
        Ok(match self {
            Self::All(parts) => Expression::All(all(parts)?),
            Self::Any(parts) => Expression::Any(all(parts)?),
            Self::AtLeast { count, of } => Expression::AtLeast { count: *count, of: all(of)? },
            Self::Not(part) => Expression::Not(Box::new(part.rename(rename)?)),
            Self::Within { time, of } => {
                Expression::Within { time: *time, of: Box::new(of.rename(rename)?) }
            }
            Self::Resource(name) => Expression::Resource(rename(self, name)?),
            Self::Task(name) => Expression::Task(rename(self, name)?),
            Self::Done(name) => Expression::Done(rename(self, name)?),
            Self::Failed(name) => Expression::Failed(rename(self, name)?),
            Self::At(at) => Expression::At(*at),
            Self::Window(window) => Expression::Window(window.clone()),
            Self::Approval(approval) => Expression::Approval(approval.clone()),
            Self::Event(pattern) => Expression::Event(pattern.clone()),
            Self::Http(probe) => Expression::Http(probe.clone()),
        })
    }
}

impl Dependency {
    /// The same dependency with each task and resource that `by` knows replaced.
    #[must_use]
    pub fn rebind(&self, by: &impl Fn(Id) -> Id) -> Self {
        let renamed: Result<_, std::convert::Infallible> = self.rename(&mut |_, id| Ok(by(*id)));
        match renamed {
            Ok(dependency) => dependency,
            Err(never) => match never {},
        }
    }

    /// The leaves that are approvals.
    pub fn approvals(&self) -> Vec<&Approval> {
        let leaves = self.leaves().into_iter();
        leaves
            .filter_map(|leaf| match leaf {
                Self::Approval(approval) => Some(approval),
                _ => None,
            })
            .collect()
    }
}
