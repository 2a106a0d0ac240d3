//! New tables in the place of the live ones, without losing or repeating an event.
//!
//! 1. A lock on the live checkpoint stops projectors between two batches: the lock is the first
//!    thing that a batch takes. Readers go on.
//! 2. The side schema catches up with what was committed last.
//! 3. The lock is made exclusive: running queries end, new ones wait some milliseconds.
//! 4. The schemas change names. Whoever waited finds the new tables: projectors read the new
//!    checkpoint, which is not lower than the old one was, and skip what is below it.

use std::time::Duration;

use futures::StreamExt as _;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{Rebuild, Side};
use crate::{
    Error,
    checkpoint::{self, CHANNEL, Checkpoint},
    transaction::Transaction,
};

const BEGIN_SWAP: &str =
    "BEGIN; SET LOCAL lock_timeout = '5s'; LOCK TABLE checkpoint IN EXCLUSIVE MODE";

/// How long the live projector is held up for the side schema to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(30);

/// How often locks are tried for: a long query may be in the way.
const TRIES: usize = 5;

/// What Postgres says when a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Rebuild<'_> {
    /// Puts the tables of `side` in the place of the live ones, and the live ones in theirs.
    pub(super) async fn swap(&self, side: &Side<'_>) -> Result<u64, Error> {
        for _ in 1..TRIES {
            // So that little is left to do while the projector is held up.
            side.catch_up(None).await?;
            match self.try_swap(side).await {
                Err(error) if is_locked(&error) => {
                    tracing::warn!("a long query is in the way of swapping tables");
                }
                done => return done,
            }
        }
        self.try_swap(side).await
    }

    async fn try_swap(&self, side: &Side<'_>) -> Result<u64, Error> {
        let doing = "swapping schemas";
        let mut tx = Transaction::begin(self.live.pool(), BEGIN_SWAP)
            .await
            .map_err(Error::database(doing))?;
        let live = checkpoint::read(&mut tx).await?;
        let reached = tokio::time::timeout(CATCH_UP_MAX, side.catch_up(None)).await;
        let behind = |reached| Error::Behind { rebuilt: reached, live: live.stream_seq };
        let reached = reached.map_err(|_| behind(0))??;
        if reached < live.stream_seq && self.holds(&live).await? {
            return Err(behind(reached));
        }
        execute(&mut tx, "LOCK TABLE checkpoint IN ACCESS EXCLUSIVE MODE").await?;
        self.rename(&mut tx, side).await?;
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(format!("{} {reached} anew", self.live.schema()))
            .execute(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
        tx.commit().await.map_err(Error::database(doing))?;
        tracing::info!(position = reached, "the read model was made anew");
        Ok(reached)
    }

    /// Whether the tables come from this stream, as far as its checkpoint tells.
    async fn holds(&self, checkpoint: &Checkpoint) -> Result<bool, Error> {
        if checkpoint.check_stream(self.stream_created).is_err() {
            return Ok(false);
        }
        let mut pages = self.history.pages(checkpoint.stream_seq);
        let page = pages.next().await.transpose()?.unwrap_or_default();
        let at = page.iter().find(|event| event.stream_seq == checkpoint.stream_seq);
        Ok(checkpoint.check_event(at.map(|event| event.metadata.event_id)).is_ok())
    }

    async fn rename(&self, connection: &mut PgConnection, side: &Side<'_>) -> Result<(), Error> {
        let (live, side) = (self.live.schema(), side.schema());
        let aside = format!("{live}_aside");
        for (from, to) in [(live, aside.as_str()), (side, live), (aside.as_str(), side)] {
            execute(connection, format!("ALTER SCHEMA {from} RENAME TO {to}")).await?;
        }
        Ok(())
    }
}

async fn execute(connection: &mut PgConnection, sql: impl Into<String>) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(sql.into()))
        .execute(connection)
        .await
        .map_err(Error::database("swapping schemas"))?;
    Ok(())
}

fn is_locked(error: &Error) -> bool {
    let Error::Database { source, .. } = error else { return false };
    source
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(LOCK_NOT_AVAILABLE))
}
