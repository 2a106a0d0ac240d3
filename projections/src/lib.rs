//! Events → rows in Postgres, and the queries over them. The only crate that knows sqlx.
//!
//! A [`Projector`] folds batches of events into [`document`]s and commits them together with its
//! checkpoint; a [`Reader`] answers queries as of a position. Everything lives in one schema of a
//! [`Database`], so that a rebuild is a projector on another schema, compared with
//! [`Database::digests`] and put in place with [`Database::swap`].

mod database;
pub mod document;
mod error;
mod fold;
mod metric_definitions;
mod projector;
pub mod reader;
mod rows;
mod upsert;

pub use database::Database;
pub use error::Error;
pub use projector::{Checkpoint, Projector};
pub use reader::Reader;
