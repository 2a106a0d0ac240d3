//! What holds across crates, and the behaviour of Kantoku on real servers: one binary.

mod api;
mod broken;
mod examples;
mod executor;
mod history;
mod judge;
mod layering;
mod leases;
mod pipelines;
mod presence;
mod read_model;
mod recordings;
mod stand;
