//! The read models against a real Postgres.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

mod batching;
mod connection;
mod finding;
mod fuzz;
mod given;
mod kept;
mod migrations;
mod oracle;
mod poison;
mod postgres;
mod queries;
mod rebuild;
mod restarts;
mod stand;
mod standing;
mod stream;
mod throughput;
mod world;
