//! `ktk serve` with real servers: parts as processes of their own, their ends, and their absence.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod apart;
mod ends;
mod ground;
mod keys;
mod missing;
mod tls;
