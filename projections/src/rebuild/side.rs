//! A schema beside the live one, filled from the stream's first event on.

use std::time::Duration;

use futures::{StreamExt as _, future::try_join, stream::BoxStream};
use kantoku_domain::Recorded;
use kantoku_streams::{Fault, full_jitter};
use sqlx::AssertSqlSafe;

use super::Rebuild;
use crate::{Database, Error, Projector, digest::Digests};

/// One to write, one to spare.
const CONNECTIONS_MAX: u32 = 2;

/// How often in a row reading the stream may fail.
const TRIES: usize = 6;
const DELAY_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// Pages are read until so many events are in hand.
const BATCH_MIN: usize = 1_000;

pub(super) const VERIFY: &str = "verify";
pub(super) const REBUILD: &str = "rebuild";
pub(super) const PURPOSES: [&str; 2] = [VERIFY, REBUILD];

pub(super) struct Side<'a> {
    rebuild: &'a Rebuild<'a>,
    schema: String,
    database: Database,
    projector: Projector,
    /// The position to reach, as far as it is known.
    goal: u64,
}

/// The name of the schema for this purpose.
pub(super) fn schema(live: &Database, purpose: &str) -> String {
    format!("{}_{purpose}", live.schema())
}

type Pages<'a> = BoxStream<'a, Result<Vec<Recorded>, Fault>>;

impl<'a> Side<'a> {
    /// An empty schema; what a killed process left under its name is gone.
    pub(super) async fn open(
        rebuild: &'a Rebuild<'a>,
        purpose: &str,
        goal: u64,
    ) -> Result<Self, Error> {
        let schema = schema(rebuild.live, purpose);
        rebuild.live.drop_beside(&schema).await?;
        let database = rebuild.live.beside(&schema, CONNECTIONS_MAX).await?;
        let projector = Projector::new(database.clone(), rebuild.stream_created);
        Ok(Self { rebuild, schema, database, projector, goal })
    }

    /// Drops whatever has the schema's name by now. Where that fails, the next one does it.
    pub(super) async fn remove(self) {
        self.database.close().await;
        if let Err(error) = self.rebuild.live.drop_beside(&self.schema).await {
            tracing::warn!(%error, schema = self.schema, "tables were left behind");
        }
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// The digests of the tables as of `position`.
    pub(super) async fn digests_at(&self, position: u64) -> Result<Digests, Error> {
        self.catch_up(Some(position)).await?;
        self.database.digests().await
    }

    /// Projects all events up to `to_seq`, or to what is the last one now. Returns the position.
    pub(super) async fn catch_up(&self, to_seq: Option<u64>) -> Result<u64, Error> {
        let mut position = self.projector.checkpoint().await?.stream_seq;
        let mut tries = 0;
        loop {
            match self.project_from(position + 1, to_seq).await {
                Err(Error::History(fault)) if !fault.is_final() && tries < TRIES => {
                    let reached = self.projector.checkpoint().await?.stream_seq;
                    tries = if reached > position { 0 } else { tries + 1 };
                    position = reached;
                    tracing::warn!(%fault, position, "a rebuild could not read on");
                    tokio::time::sleep(full_jitter(tries, DELAY_BASE, DELAY_MAX)).await;
                }
                Ok(reached) => return Ok(reached.unwrap_or(position)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on while it writes. `None` when there was nothing to project.
    async fn project_from(&self, from_seq: u64, to_seq: Option<u64>) -> Result<Option<u64>, Error> {
        let mut pages = self.rebuild.history.pages(from_seq);
        let mut batch = next_batch(&mut pages, to_seq).await?;
        let mut position = None;
        while !batch.is_empty() {
            let (reached, next) =
                try_join(self.apply(&batch), next_batch(&mut pages, to_seq)).await?;
            (self.rebuild.progress)(reached, self.goal.max(reached));
            position = Some(reached);
            batch = next;
        }
        Ok(position)
    }

    /// What cannot be projected is passed over, as it is by the live projector.
    async fn apply(&self, batch: &[Recorded]) -> Result<u64, Error> {
        loop {
            let stream_seq = match self.projector.apply_batch(batch).await {
                Err(Error::Poison { stream_seq, .. }) => stream_seq,
                applied => return applied,
            };
            if let Some(poison) = batch.iter().find(|event| event.stream_seq == stream_seq) {
                self.projector.pass_over(poison).await?;
            }
        }
    }

    /// Lets the planner know the tables, so that the first queries after a swap are not slow.
    pub(super) async fn analyze(&self) -> Result<(), Error> {
        let tables = self.database.tables().await?;
        sqlx::query(AssertSqlSafe(format!("ANALYZE {}", tables.join(", "))))
            .execute(self.database.pool())
            .await
            .map_err(Error::database("counting rows for the planner"))?;
        Ok(())
    }
}

/// The events of as many pages as fill a batch; empty at the end.
async fn next_batch(pages: &mut Pages<'_>, to_seq: Option<u64>) -> Result<Vec<Recorded>, Error> {
    let mut batch = Vec::new();
    let last = to_seq.unwrap_or(u64::MAX);
    while batch.len() < BATCH_MIN
        && let Some(page) = pages.next().await
    {
        let page = page?;
        let is_over = page.last().is_some_and(|event| event.stream_seq >= last);
        batch.extend(page.into_iter().take_while(|event| event.stream_seq <= last));
        if is_over {
            break;
        }
    }
    Ok(batch)
}
