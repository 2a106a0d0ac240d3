//! Batches of events → rows and checkpoint, in one transaction.

use std::time::Instant;

use kantoku_domain::{Event, Id, Recorded, Timestamp};
use sqlx::{PgConnection, types::time::OffsetDateTime};
use uuid::Uuid;

use crate::{
    Database, Error, fold::fold, metric_definitions as metric, rows::Rows, upsert::upsert,
};

/// The channel on which commits are announced, as `<schema> <position>`.
pub(crate) const CHANNEL: &str = "ktk_checkpoint";

/// How far a projection has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Position of the last event that was projected, 0 for none.
    pub stream_seq: u64,
    /// That event.
    pub event_id: Option<Id>,
    /// When the stream was created that it comes from.
    pub stream_created: Option<Timestamp>,
}

/// Writes one schema. Several may run on one schema: they take turns on the checkpoint, and who
/// comes late finds its events projected already.
#[derive(Clone, Debug)]
pub struct Projector {
    database: Database,
    stream_created: Timestamp,
}

impl Projector {
    /// How many events one transaction takes.
    pub const EVENTS_MAX: usize = 1_000;
    /// How many tasks the events of one transaction name, unless a single event names more.
    pub const TASKS_MAX: usize = 20_000;

    /// A projector of the stream that was created at `stream_created`.
    pub fn new(database: Database, stream_created: Timestamp) -> Self {
        metric::describe();
        Self { database, stream_created }
    }

    /// The schema that it writes.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Where it stands: the events after this are to be handed to [`Self::apply_batch`].
    pub async fn checkpoint(&self) -> Result<Checkpoint, Error> {
        let doing = "reading the checkpoint";
        let mut connection =
            self.database.pool().acquire().await.map_err(Error::database(doing))?;
        read_checkpoint(&mut connection, false).await
    }

    /// Compares the checkpoint with the stream: `at` gives the event that is at the checkpoint's
    /// position now, `None` if there is none. To be called before the first batch, as the events
    /// that follow cannot tell. Returns the checkpoint.
    pub async fn verify(&self, at: Option<&Recorded>) -> Result<Checkpoint, Error> {
        let checkpoint = self.checkpoint().await?;
        self.check_stream(&checkpoint)?;
        if let Some(expected) = checkpoint.event_id {
            let found = at
                .filter(|recorded| recorded.stream_seq == checkpoint.stream_seq)
                .map(|recorded| recorded.metadata.event_id);
            if found != Some(expected) {
                let found = found.unwrap_or_default();
                return Err(Error::Diverged { stream_seq: checkpoint.stream_seq, expected, found });
            }
        }
        Ok(checkpoint)
    }

    /// Projects `events`, in the order of the stream, and returns the position reached. Events at
    /// or below the checkpoint are skipped. Large batches are committed in parts; after an error
    /// the parts before it hold, and the same batch may be handed over again.
    pub async fn apply_batch(&self, events: &[Recorded]) -> Result<u64, Error> {
        for pair in events.windows(2) {
            let (previous, next) = (pair[0].stream_seq, pair[1].stream_seq);
            if next <= previous {
                return Err(Error::Order { previous, next });
            }
        }
        let mut rest = events;
        let mut position = None;
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(chunk_length(rest));
            position = Some(self.apply_chunk(chunk).await?);
            rest = tail;
        }
        match position {
            Some(position) => Ok(position),
            None => Ok(self.checkpoint().await?.stream_seq),
        }
    }

    async fn apply_chunk(&self, chunk: &[Recorded]) -> Result<u64, Error> {
        let started = Instant::now();
        let mut tx =
            self.database.pool().begin().await.map_err(Error::database("beginning a batch"))?;
        let checkpoint = read_checkpoint(&mut tx, true).await?;
        self.check_stream(&checkpoint)?;
        check_position(&checkpoint, chunk)?;
        let new = chunk.partition_point(|event| event.stream_seq <= checkpoint.stream_seq);
        let events = &chunk[new..];
        let Some(last) = events.last() else { return Ok(checkpoint.stream_seq) };
        let mut rows = Rows::load(&mut tx, events).await?;
        for recorded in events {
            fold(&mut rows, recorded);
        }
        upsert(&mut tx, &rows, events).await?;
        self.advance(&mut tx, last).await?;
        tx.commit().await.map_err(Error::database("committing a batch"))?;
        metrics::counter!(metric::EVENTS).increment(events.len() as u64);
        metrics::gauge!(metric::POSITION).set(last.stream_seq as f64);
        metrics::histogram!(metric::BATCH_SECONDS).record(started.elapsed().as_secs_f64());
        tracing::debug!(events = events.len(), position = last.stream_seq, "projected");
        Ok(last.stream_seq)
    }

    fn check_stream(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        match checkpoint.stream_created {
            Some(expected) if expected != self.stream_created => {
                Err(Error::OtherStream { expected, found: self.stream_created })
            }
            _ => Ok(()),
        }
    }

    /// Postgres delivers the notice with the commit, not before.
    async fn advance(&self, connection: &mut PgConnection, last: &Recorded) -> Result<(), Error> {
        sqlx::query(
            "WITH moved AS ( \
                 UPDATE checkpoint SET stream_seq = $1, event_id = $2, stream_created = $3 \
                 RETURNING stream_seq) \
             SELECT pg_notify($4, current_schema() || ' ' || stream_seq) FROM moved",
        )
        .bind(last.stream_seq as i64)
        .bind(last.metadata.event_id.uuid())
        .bind(self.stream_created.to_offset())
        .bind(CHANNEL)
        .execute(connection)
        .await
        .map_err(Error::database("moving the checkpoint"))?;
        Ok(())
    }
}

/// How many of `events` go into one transaction: at least one.
fn chunk_length(events: &[Recorded]) -> usize {
    let mut tasks = 0;
    events
        .iter()
        .take(Projector::EVENTS_MAX)
        .take_while(|recorded| {
            tasks += match &recorded.event {
                Event::ContextOpened(opened) => opened.plan.len(),
                Event::TaskFinished(finished) => finished.children.len(),
                _ => 0,
            };
            tasks <= Projector::TASKS_MAX
        })
        .count()
        .max(1)
}

fn check_position(checkpoint: &Checkpoint, events: &[Recorded]) -> Result<(), Error> {
    let at = events.iter().find(|event| event.stream_seq == checkpoint.stream_seq);
    match (at, checkpoint.event_id) {
        (Some(recorded), Some(expected)) if recorded.metadata.event_id != expected => {
            Err(Error::Diverged {
                stream_seq: checkpoint.stream_seq,
                expected,
                found: recorded.metadata.event_id,
            })
        }
        _ => Ok(()),
    }
}

async fn read_checkpoint(connection: &mut PgConnection, lock: bool) -> Result<Checkpoint, Error> {
    let sql = if lock {
        "SELECT stream_seq, event_id, stream_created FROM checkpoint FOR UPDATE"
    } else {
        "SELECT stream_seq, event_id, stream_created FROM checkpoint"
    };
    let (stream_seq, event_id, stream_created): (i64, Option<Uuid>, Option<OffsetDateTime>) =
        sqlx::query_as(sql)
            .fetch_one(connection)
            .await
            .map_err(Error::database("reading the checkpoint"))?;
    Ok(Checkpoint {
        stream_seq: stream_seq as u64,
        event_id: event_id.map(Id::from_uuid),
        stream_created: stream_created.map(Timestamp::from),
    })
}
