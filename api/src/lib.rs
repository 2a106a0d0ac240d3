//! JSON-RPC over HTTP and WebSocket: one contract, from which server and client are both made.
//!
//! [`contract`] declares every method once: its name, what it takes and what it answers. The
//! [`Client`] calls them; the [`server`] carries them out.

mod client;
pub mod contract;
mod error;
mod feed;
mod rest;
mod schema;
pub mod server;
mod status;
pub mod tls;

pub use client::{Client, ClientError};
pub use error::{ApiError, Code, ErrorData};
pub use schema::TypeSchema;
