//! Claims attempts, runs them and reports what came of them.
//!
//! The claim is an append: of all executors that try, one wins. Nothing is acknowledged before the
//! outcome of the claim is known. From then on the attempt belongs to this process until it ends,
//! and its position is the fencing token that user code is given.
//!
//! Read in this order: `executor` takes what is ready, `attempt` carries it from the claim to the
//! report, `run` is what lies between. An executor that is killed leaves no process behind, see
//! [`reaper_main`].

mod attempt;
mod children;
mod claim;
mod config;
mod directory;
mod executor;
mod failure;
mod http;
mod inputs;
mod lease;
mod log;
mod metric;
mod patience;
mod proc;
mod process;
mod reaper;
mod redact;
mod result;
mod run;
mod running;
mod seen;
mod slots;
mod specifications;

pub use config::ExecutorConfig;
pub use executor::Executor;
pub use metric::describe as describe_metrics;
pub use reaper::{ReaperConfig, reaper_main};
