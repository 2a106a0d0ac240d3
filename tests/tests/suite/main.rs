//! What holds across crates, and the behaviour of Kantoku on real servers: one binary.

mod executor;
mod history;
mod layering;
mod leases;
mod pipelines;
mod presence;
mod read_model;
mod stand;
