//! How each kind is shown in a list.

mod context;
mod dead_letter;
mod definition;
mod event;
mod namespace;
mod operation;
mod policy;
mod resource;
mod secret;
mod service;
mod task;

pub(crate) use context::status as context_status;
pub(crate) use policy::{allowed, counted};
pub(crate) use resource::{status as resource_status, value as resource_value};
pub(crate) use task::status as task_status;
