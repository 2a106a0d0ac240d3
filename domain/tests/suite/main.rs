//! Behaviour of the domain: scenarios, properties, stored names.

mod admission;
mod dependencies;
mod golden;
mod needs;
mod orders;
mod plans;
mod policies;
mod properties;
mod restarts;
mod scenario;
mod tasks;
mod waits;
