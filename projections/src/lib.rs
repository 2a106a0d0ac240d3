//! Events → rows in Postgres, and the queries over them. The only crate that knows sqlx.
//!
//! A [`Projector`] folds batches of events into [`document`]s and commits them together with its
//! checkpoint; a [`Reader`] answers queries as of a position. Everything lives in one schema of a
//! [`Database`], so that a [`Rebuild`] is a projector on another schema, to be compared with the
//! live one or put in its place.

mod cache;
mod checkpoint;
mod counts;
mod database;
mod dialer;
mod digest;
pub mod document;
mod error;
mod fold;
mod load;
mod metric_definitions;
mod model;
mod part;
mod projector;
pub mod query;
pub mod reader;
mod rebuild;
mod rows;
mod transaction;
mod upsert;

pub use checkpoint::Checkpoint;
pub use database::Database;
pub use digest::Digests;
pub use error::Error;
pub use model::Model;
pub use projector::Projector;
pub use reader::Reader;
pub use rebuild::{Comparison, History, Rebuild};
