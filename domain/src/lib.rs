//! The rules of Kantoku: what may happen to a task, a resource, a context, and what happened.
//!
//! This crate does no IO, reads no clock and draws no random numbers: time and identity arrive
//! inside commands ([`Envelope`]). Every aggregate is one file of one shape: its events, its state
//! with [`Aggregate::evolve`], its commands with [`Aggregate::decide`].
//!
//! Read in this order: [`Event`] lists everything that can happen, [`task`] holds the life of a
//! task and the custody of its outputs, [`plan`](mod@plan) turns a pipeline into tasks,
//! [`dependency`] says what a task waits for and why, [`restart`] what runs again, [`admission`] what
//! may run now.

pub mod access;
pub mod admission;
mod aggregate;
mod binding;
mod by_name;
pub mod context;
mod cron;
mod datum;
pub mod dependency;
mod digest;
mod envelope;
mod event;
mod id;
pub mod manifest;
mod millis;
mod name;
pub mod namespace;
pub mod pause;
pub mod pipeline;
pub mod plan;
pub mod policy;
mod problem;
mod reference;
mod rejection;
pub mod resource;
pub mod restart;
mod retry;
mod schema;
mod secret;
pub mod specification;
pub mod standing;
mod stored;
pub mod task;
mod timestamp;
pub mod typename;
mod types;

pub use aggregate::{Aggregate, Decision};
pub use binding::{Binding, Source};
pub use by_name::{ByName, by_name};
pub use context::Context;
pub use cron::Cron;
pub use datum::{BlobRef, Datum};
pub use dependency::{Dependency, TriggerRule};
pub use digest::digest;
pub use envelope::{Envelope, Metadata, Recorded};
pub use event::{Event, Kind};
pub use id::{Id, Partition};
pub use millis::Millis;
pub use name::{Name, NameError, Namespace};
pub use namespace::NamespaceState;
pub use pipeline::Pipeline;
pub use policy::Policy;
pub use problem::{Problem, nearest};
pub use reference::Reference;
pub use rejection::{Reason, Rejection};
pub use resource::Resource;
pub use retry::{RetryPolicy, Timeouts};
pub use secret::{SecretName, SecretNameError, SecretValue, SecretValueError};
pub use specification::{Executable, Specification};
pub use standing::Standing;
pub use task::Task;
pub use timestamp::Timestamp;
pub use typename::NamedType;
pub use types::{Type, TypeError};
