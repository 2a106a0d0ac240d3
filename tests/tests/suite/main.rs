//! What holds across crates, and the behaviour of Kantoku on real servers: one binary.

#![allow(clippy::match_wild_err_arm, reason = "a time limit has one way to fail")]

mod api;
mod broken;
mod examples;
mod executor;
mod flood;
mod guarantees;
mod history;
mod judge;
mod layering;
mod leases;
mod nats_roles;
mod pipelines;
mod presence;
mod processes;
mod read_model;
mod recordings;
mod replay;
mod secrets;
mod semantics;
mod stand;
mod tap;
