//! Behaviour of the domain: scenarios, properties, stored names.

mod golden;
mod plans;
mod properties;
mod scenario;
mod tasks;
