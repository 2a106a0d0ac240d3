//! The processor nodes' logic: what follows from an event.
//!
//! A handler takes in events and says what is due; a thin loop appends it. Due work is state folded
//! from the stream like everything else: an event that shows that somebody did it takes it off
//! again. So a handler that starts anew folds the history, and what is still due at its end is what
//! a crash left undone.

mod effect;
mod folded;
mod hands;
mod hearing;
mod lanes;
mod lease_keeper;
mod logic;
mod metric;
mod name;
mod node;
mod overdue;
mod poison;
mod probe;
mod projecting;
mod restart;
mod saved;
mod scheduler;
mod sealer;
mod snapshot;
mod snapshotter;
#[cfg(test)]
mod testing;
mod timeout;
mod timers;
mod unfolder;

pub use effect::{Effect, Handler};
pub use lease_keeper::LeaseKeeper;
pub use metric::describe as describe_metrics;
pub use name::HandlerName;
pub use node::{Node, NodeConfig};
pub use projecting::project;
pub use saved::SavedError;
pub use scheduler::Scheduler;
pub use sealer::seal;
pub use timeout::{Limited, Timeout};
pub use timers::Timers;
pub use unfolder::Unfolder;
