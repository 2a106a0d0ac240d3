//! Batches of events → rows and checkpoint, in one transaction.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use kantoku_domain::{Event, Recorded, Timestamp};

use crate::{
    Database, Error,
    checkpoint::{BEGIN_BATCH, Checkpoint},
    fold::fold,
    load::load,
    metric_definitions as metric,
    transaction::Transaction,
    upsert::upsert,
};

/// Writes one schema. Several may run on one schema: they take turns on the checkpoint, and who
/// comes late finds its events projected already.
#[derive(Clone, Debug)]
pub struct Projector {
    database: Database,
    stream_created: Timestamp,
    /// The position that was reached here: the tables never go back behind it by themselves.
    reached: Arc<AtomicU64>,
}

impl Projector {
    /// How many events one transaction takes.
    pub const EVENTS_MAX: usize = 1_000;
    /// How many tasks the events of one transaction name, unless a single event names more.
    pub const TASKS_MAX: usize = 20_000;

    /// A projector of the stream that was created at `stream_created`.
    pub fn new(database: Database, stream_created: Timestamp) -> Self {
        metric::describe();
        Self { database, stream_created, reached: Arc::default() }
    }

    /// The schema that it writes.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Where it stands: the events after this are to be handed to [`Self::apply_batch`].
    pub async fn checkpoint(&self) -> Result<Checkpoint, Error> {
        self.database.checkpoint().await
    }

    /// Compares the checkpoint with the stream: `at` gives the event that is at the checkpoint's
    /// position now, `None` if there is none. To be called before the first batch, and again after
    /// [`Error::Rewound`], as the events that follow cannot tell. Returns the checkpoint.
    pub async fn verify(&self, at: Option<&Recorded>) -> Result<Checkpoint, Error> {
        let checkpoint = self.checkpoint().await?;
        checkpoint.check_stream(self.stream_created)?;
        let at = at.filter(|recorded| recorded.stream_seq == checkpoint.stream_seq);
        checkpoint.check_event(at.map(|recorded| recorded.metadata.event_id))?;
        self.reached.store(checkpoint.stream_seq, Ordering::Relaxed);
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
        let mut tx = Transaction::begin(self.database.pool(), BEGIN_BATCH)
            .await
            .map_err(Error::database("beginning a batch"))?;
        let (checkpoint, mut rows) = load(&mut tx, chunk).await?;
        self.check(&checkpoint, chunk)?;
        let new = chunk.partition_point(|event| event.stream_seq <= checkpoint.stream_seq);
        let events = &chunk[new..];
        let committing = Error::database("committing a batch");
        let Some(last) = events.last() else {
            tx.commit().await.map_err(committing)?;
            return Ok(self.reach(checkpoint.stream_seq));
        };
        for recorded in events {
            fold(&mut rows, recorded);
        }
        upsert(&mut tx, &rows, events, last, self.stream_created).await?;
        tx.commit().await.map_err(committing)?;
        metrics::counter!(metric::EVENTS).increment(events.len() as u64);
        metrics::gauge!(metric::POSITION).set(last.stream_seq as f64);
        metrics::histogram!(metric::BATCH_SECONDS).record(started.elapsed().as_secs_f64());
        tracing::debug!(events = events.len(), position = last.stream_seq, "projected");
        Ok(self.reach(last.stream_seq))
    }

    fn check(&self, checkpoint: &Checkpoint, chunk: &[Recorded]) -> Result<(), Error> {
        checkpoint.check_stream(self.stream_created)?;
        let reached = self.reached.load(Ordering::Relaxed);
        if checkpoint.stream_seq < reached {
            return Err(Error::Rewound { reached, found: checkpoint.stream_seq });
        }
        match chunk.iter().find(|event| event.stream_seq == checkpoint.stream_seq) {
            Some(at) => checkpoint.check_event(Some(at.metadata.event_id)),
            None => Ok(()),
        }
    }

    fn reach(&self, position: u64) -> u64 {
        self.reached.fetch_max(position, Ordering::Relaxed);
        position
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
                Event::TaskRestarted(restarted) => restarted.children.len(),
                _ => 0,
            };
            tasks <= Projector::TASKS_MAX
        })
        .count()
        .max(1)
}
