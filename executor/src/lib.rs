//! Claims attempts, runs them and reports what came of them.
//!
//! The claim is an append: of all executors that try, one wins. Nothing is acknowledged before the
//! outcome of the claim is known. From then on the attempt belongs to this process until it ends,
//! and its position is the fencing token that user code is given.

mod executor;
mod inputs;
mod process;
mod result;
mod run;

pub use executor::{Executor, ExecutorConfig};
