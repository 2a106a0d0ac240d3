//! One way to run any processor: who it is, that it is here, whether it lives, whether it is ready,
//! and how it waits for what is missing.
//!
//! Liveness and readiness are two things: a service that waits for NATS is alive and not ready.

mod announce;
mod backoff;
mod health;
mod identity;

pub use announce::{announce, entry};
pub use backoff::{Backoff, wait_for};
pub use health::{Health, Ready, router};
pub use identity::{Identity, IdentityError};
