//! The read models against a real Postgres.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

mod batching;
mod connection;
mod given;
mod postgres;
mod queries;
mod rebuild;
mod stream;
mod throughput;
