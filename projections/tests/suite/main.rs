//! The read models against a real Postgres.

mod batching;
mod given;
mod postgres;
mod queries;
mod stream;
