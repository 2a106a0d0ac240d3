//! Behaviour of the domain: scenarios, properties, stored names.

mod dependencies;
mod golden;
mod needs;
mod plans;
mod properties;
mod scenario;
mod tasks;
mod waits;
