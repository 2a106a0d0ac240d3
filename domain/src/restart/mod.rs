//! Restarts: which tasks run again, and what that means for all others.
//!
//! A restart makes a new task that takes the place of another in the same context. One planner
//! decides for one task, from a task downward, for a whole context or for what failed; its plan is
//! what a preview shows and what the event holds.

mod choose;
mod graph;
mod outlook;
mod plan;
mod planner;
mod policy;
mod unfold;

use crate::Id;

pub use graph::{Graph, Node};
pub use plan::{Action, Entry, Moved, Order, Plan, Target};
pub use planner::{Request, plan};
pub use policy::{OutputPolicy, VersionPolicy};
pub use unfold::Unfolding;

/// The id of the task that takes the place of `task_id`: it follows from the event that decides the
/// restart, the `TaskRestarted` of the task or the `ContextRestarted` that has it as a step.
pub fn successor_id(decided_by: Id, task_id: Id) -> Id {
    decided_by.derive(&format!("restart:{task_id}"), task_id.partition())
}
