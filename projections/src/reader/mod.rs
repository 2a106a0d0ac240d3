//! Queries, each as of a position.

mod changes;
mod count;
mod dependencies;
mod events;
mod facts;
mod find;
mod follow;
mod graph;
mod ids;
mod list;
mod lookup;
mod moment;
mod past;
mod pauses;
mod places;
mod positions;
mod versions;

use std::{sync::Arc, time::Duration};

use kantoku_domain::Id;
use kantoku_streams::defect::{self, Defect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, Transaction};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::follow::Followed;
use crate::{Database, Error};

pub use changes::{Changes, Mark};
pub use events::EventQuery;
pub use find::{Distinct, Find, IDS_MAX, SKIP_MAX, Sort, Values};
pub use graph::{Graph, GraphResource, GraphTask};
pub use list::{Filter, Query};
pub use positions::ContextTasks;

/// A query waits for so long for Postgres to come back.
const GRACE: Duration = Duration::from_millis(500);
/// All that one query reads is as of one state.
const BEGIN_QUERY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// How long the beginning of a query may take.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(3);

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
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
    is_there: watch::Receiver<bool>,
    _follower: Arc<AbortOnDropHandle<()>>,
}

impl Reader {
    /// Starts to follow the checkpoint of `database`, on a connection of its own.
    pub async fn start(database: Database) -> Result<Self, Error> {
        let Followed { position, is_there, follower } = follow::start(&database).await?;
        let follower = Arc::new(AbortOnDropHandle::new(follower));
        Ok(Self { database, position, is_there, _follower: follower })
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

    /// Whether Postgres is there, as far as it is known here.
    pub fn is_there(&self) -> bool {
        *self.is_there.borrow()
    }

    /// Waits until the rows are as of `min_seq` at least, and returns what they are as of.
    pub async fn wait_for(&self, min_seq: u64, patience: Duration) -> Result<u64, Error> {
        if defect::has(Defect::MinSeqIgnored) {
            return Ok(self.position());
        }
        let mut position = self.position.clone();
        let reached = tokio::time::timeout(patience, position.wait_for(|at| *at >= min_seq)).await;
        match reached {
            Ok(Ok(at)) => Ok(*at),
            Ok(Err(_)) | Err(_) if !self.is_there() => Err(away()),
            Ok(Err(_)) | Err(_) => {
                Err(Error::NotReached { wanted: min_seq, reached: self.position() })
            }
        }
    }

    /// A transaction that sees one state of all tables, and the position of that state. Fails soon
    /// where Postgres is away: nobody gains by waiting for as long as a connection may take.
    async fn snapshot(&self) -> Result<(Transaction<'static, Postgres>, u64), Error> {
        self.snapshot_by(BEGIN_QUERY).await
    }

    /// The same, begun by `statements`, in one round trip.
    async fn snapshot_by(
        &self,
        statements: &'static str,
    ) -> Result<(Transaction<'static, Postgres>, u64), Error> {
        let doing = "beginning a query";
        let mut is_there = self.is_there.clone();
        if !matches!(timeout(GRACE, is_there.wait_for(|is| *is)).await, Ok(Ok(_))) {
            return Err(away());
        }
        // On its own, so that it comes to its end though the caller loses patience or goes: a
        // connection is not given back in the middle of a beginning, which the next would inherit.
        let pool = self.database.pool().clone();
        let begin = tokio::spawn(async move { pool.begin_with(statements).await });
        let begun = timeout(BEGIN_TIMEOUT, begin).await.map_err(|_| away())?;
        let mut tx = begun.map_err(|_| away())?.map_err(Error::database(doing))?;
        let as_of: i64 = sqlx::query_scalar("SELECT stream_seq FROM checkpoint")
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
        Ok((tx, as_of as u64))
    }
}

/// Postgres does not answer.
fn away() -> Error {
    let doing = "waiting for Postgres, which does not answer";
    Error::Database { doing, source: sqlx::Error::PoolTimedOut }
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
