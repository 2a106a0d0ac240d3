//! The sandbox for Rhai scripts: the preprocessors on pipeline edges and the `rhai` executable.
//!
//! A script is a pure function of its scope, and hostile until proven otherwise. Three walls stand
//! around it, each for what the one before cannot stop:
//!
//! 1. the engine ([`Limits`]) offers only functions that compute, and counts operations, depths
//!    and sizes. It cannot interrupt a built-in function, nor see the memory that one takes;
//! 2. the worker process takes memory, files and core dumps away from itself before it reads its
//!    first script ([`worker_main`]);
//! 3. the parent ([`Pool`]) holds the wall clock, and kills and replaces the worker that is late.
//!
//! Architecture invariants: nobody else knows Rhai; no script ever runs in the caller's process,
//! where [`check`] only compiles; a worker that was interrupted is never used again.

mod cache;
mod check;
mod diagnosis;
mod engine;
mod error;
mod frame;
mod json;
mod limits;
mod metric;
mod pool;
mod process;
mod sandbox;
mod worker;

pub use check::check;
pub use error::{LimitName, ScriptError};
pub use limits::Limits;
pub use metric::describe as describe_metrics;
pub use pool::{Pool, PoolConfig};
pub use worker::worker_main;
