//! Queries, each as of a position.

mod changes;
mod dependencies;
mod events;
mod facts;
mod follow;
mod graph;
mod ids;
mod list;
mod lookup;
mod pauses;
mod positions;
mod versions;

use std::{sync::Arc, time::Duration};

use kantoku_domain::Id;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, Transaction};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::{Database, Error};

pub use changes::{Changes, Mark};
pub use events::EventQuery;
pub use graph::{Graph, GraphResource, GraphTask};
pub use list::{Filter, Query};
pub use positions::ContextTasks;

/// How many items a page may have.
pub const LIMIT_MAX: u32 = 1_000;

/// The tasks `$1`, and whatever took their places. Each once, so that it ends.
const CHAIN: &str = "\
    WITH RECURSIVE chain AS ( \
        SELECT UNNEST($1::uuid[]) AS id UNION \
        SELECT (task.document ->> 'restarted_as')::uuid FROM chain, LATERAL ( \
            SELECT document FROM tasks WHERE tasks.id = chain.id OFFSET 0) task \
        WHERE task.document ->> 'restarted_as' IS NOT NULL \
    )";

/// One document, as of a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The document.
    pub document: T,
    /// The position that it is as of.
    pub as_of_seq: u64,
}

/// Part of a list, as of a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The documents.
    pub items: Vec<T>,
    /// For the next part; `None` when there is none.
    pub next_cursor: Option<String>,
    /// The position that they are as of.
    pub as_of_seq: u64,
}

/// Answers queries over one schema. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    database: Database,
    position: watch::Receiver<u64>,
    _follower: Arc<AbortOnDropHandle<()>>,
}

impl Reader {
    /// Starts to follow the checkpoint of `database`, on a connection of its own.
    pub async fn start(database: Database) -> Result<Self, Error> {
        let (position, follower) = follow::start(&database).await?;
        Ok(Self { database, position, _follower: Arc::new(AbortOnDropHandle::new(follower)) })
    }

    /// The checkpoint, as far as it is known here.
    pub fn position(&self) -> u64 {
        *self.position.borrow()
    }

    /// The checkpoint as it moves. It goes backwards only when other tables take the place of those
    /// before.
    pub fn positions(&self) -> watch::Receiver<u64> {
        self.position.clone()
    }

    /// Waits until the rows are as of `min_seq` at least, and returns what they are as of.
    pub async fn wait_for(&self, min_seq: u64, timeout: Duration) -> Result<u64, Error> {
        let mut position = self.position.clone();
        let reached = tokio::time::timeout(timeout, position.wait_for(|at| *at >= min_seq)).await;
        match reached {
            Ok(Ok(at)) => Ok(*at),
            Ok(Err(_)) | Err(_) => {
                Err(Error::NotReached { wanted: min_seq, reached: self.position() })
            }
        }
    }

    /// A transaction that sees one state of all tables, and the position of that state.
    async fn snapshot(&self) -> Result<(Transaction<'static, Postgres>, u64), Error> {
        let doing = "beginning a query";
        let mut tx = self
            .database
            .pool()
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(Error::database(doing))?;
        let as_of: i64 = sqlx::query_scalar("SELECT stream_seq FROM checkpoint")
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
        Ok((tx, as_of as u64))
    }
}

fn uuids<'a>(ids: impl IntoIterator<Item = &'a Id>) -> Vec<Uuid> {
    ids.into_iter().map(|id| id.uuid()).collect()
}

/// `limit`, if it is one.
fn check_limit(limit: u32) -> Result<i64, Error> {
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(i64::from(limit))
    } else {
        Err(Error::Query {
            field: "limit",
            message: format!("{limit} is not between 1 and {LIMIT_MAX}"),
        })
    }
}

/// The error for a cursor that no page gave.
fn bad_cursor() -> Error {
    Error::Query {
        field: "cursor",
        message: "this is not the next_cursor of a page; start without one".into(),
    }
}
