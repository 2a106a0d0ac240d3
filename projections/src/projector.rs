//! Batches of events → rows and checkpoint, in one transaction.

use std::{
    borrow::Borrow,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use kantoku_domain::{Event, Recorded, Timestamp};
use kantoku_streams::defect::{self, Defect};

use crate::{
    Database, Error,
    cache::{Cache, Shelf},
    checkpoint::{self, Checkpoint},
    fold::fold,
    load::load,
    metric_definitions as metric,
    part::{Part, named},
    rows::Rows,
    upsert::upsert,
};

/// Writes one schema. Several may run on one schema: they take turns on the checkpoint, and who
/// comes late finds its events projected already.
#[derive(Clone, Debug)]
pub struct Projector {
    database: Database,
    stream_created: Timestamp,
    tasks_max: usize,
    /// The position that was reached here: the tables never go back behind it by themselves.
    reached: Arc<AtomicU64>,
    /// What was written here lately.
    shelf: Arc<Shelf>,
}

impl Projector {
    /// How many events one transaction takes.
    pub const EVENTS_MAX: usize = 4_000;
    /// How many tasks have events in one transaction: each has some rows.
    const ALIVE_MAX: usize = 2_000;
    /// How many tasks the events of one transaction name. An event that names more is taken in
    /// parts of so many, all of them in one transaction.
    pub const TASKS_MAX: usize = 1_000;

    /// A projector of the stream that was created at `stream_created`.
    pub fn new(database: Database, stream_created: Timestamp) -> Self {
        metric::describe();
        Self {
            database,
            stream_created,
            tasks_max: Self::TASKS_MAX,
            reached: Arc::default(),
            shelf: Arc::default(),
        }
    }

    /// The same with another [`Self::TASKS_MAX`], at least 1: it changes what it costs, and no row.
    #[must_use]
    pub fn with_tasks_max(self, tasks_max: usize) -> Self {
        Self { tasks_max: tasks_max.max(1), ..self }
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
    /// the parts before it hold, and the same batch may be handed over again: after
    /// [`Error::Poison`] once that event was [passed over](Self::pass_over).
    pub async fn apply_batch<E: Borrow<Recorded>>(&self, events: &[E]) -> Result<u64, Error> {
        let events: Vec<&Recorded> = events.iter().map(Borrow::borrow).collect();
        self.apply(&events).await
    }

    async fn apply(&self, events: &[&Recorded]) -> Result<u64, Error> {
        for pair in events.windows(2) {
            let (previous, next) = (pair[0].stream_seq, pair[1].stream_seq);
            if next <= previous {
                return Err(Error::Order { previous, next });
            }
        }
        let mut rest = events;
        let mut position = None;
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(chunk_length(rest, self.tasks_max));
            position = Some(self.apply_parts(chunk).await?);
            rest = tail;
        }
        match position {
            Some(position) => Ok(position),
            None => Ok(self.checkpoint().await?.stream_seq),
        }
    }

    /// Moves the checkpoint over an event that cannot be projected. Whoever makes the tables anew
    /// stumbles over the same event and passes it over as well, so that they are equal.
    pub async fn pass_over(&self, recorded: &Recorded) -> Result<u64, Error> {
        let (mut tx, checkpoint, _) = self.database.begin_batch().await?;
        self.check(&checkpoint, &[recorded])?;
        let committing = Error::database("passing over an event");
        if recorded.stream_seq <= checkpoint.stream_seq {
            tx.commit().await.map_err(committing)?;
            return Ok(self.reach(checkpoint.stream_seq));
        }
        let batch = (&[][..], recorded, self.stream_created);
        upsert(&mut tx, Rows::default(), batch, &mut Cache::default()).await?;
        tx.commit().await.map_err(committing)?;
        tracing::error!(position = recorded.stream_seq, "an event was passed over");
        Ok(self.reach(recorded.stream_seq))
    }

    /// Refuses events of another stream than that which this was made for.
    pub fn check_stream(&self, stream_created: Timestamp) -> Result<(), Error> {
        if stream_created == self.stream_created {
            return Ok(());
        }
        Err(Error::OtherStream { expected: self.stream_created, found: stream_created })
    }

    /// As a whole or, where that is refused, in ever smaller parts, to find out what is to blame.
    async fn apply_parts(&self, chunk: &[&Recorded]) -> Result<u64, Error> {
        let mut rest = chunk;
        let mut length = rest.len();
        let mut position = 0;
        while let Some(first) = rest.first() {
            match self.apply_chunk(&rest[..length]).await {
                Ok(reached) => {
                    position = reached;
                    rest = &rest[length..];
                    length = length.min(rest.len());
                }
                Err(error) if error.is_refusal() && length > 1 => length /= 2,
                Err(error) if error.is_refusal() => {
                    let stream_seq = first.stream_seq;
                    return Err(Error::Poison { stream_seq, reason: error.to_string() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(position)
    }

    async fn apply_chunk(&self, chunk: &[&Recorded]) -> Result<u64, Error> {
        let started = Instant::now();
        let committing = Error::database("committing a batch");
        let (mut tx, checkpoint, mark) = self.database.begin_batch().await?;
        self.check(&checkpoint, chunk)?;
        let is_new = |event: &Recorded| {
            event.stream_seq > checkpoint.stream_seq || defect::has(Defect::ProjectedTwice)
        };
        let events = &chunk[chunk.partition_point(|event| !is_new(event))..];
        let Some(last) = events.last() else {
            tx.commit().await.map_err(committing)?;
            return Ok(self.reach(checkpoint.stream_seq));
        };
        // It is given back at the end, and gone when there is an error before.
        let mut cache = self.shelf.take(&mark);
        // A chunk that names more than that is a single event.
        let (parts, mut rest): (Vec<Part<'_>>, _) = match events {
            [one] => {
                let mut parts = Part::parts(one, self.tasks_max).peekable();
                (parts.next().into_iter().collect(), Some(parts))
            }
            _ => (events.iter().map(|event| Part::whole(event)).collect(), None),
        };
        // So many rows would take the place of all others, and memory while the event itself takes much.
        let is_kept = rest.as_mut().is_none_or(|rest| rest.peek().is_none());
        if !is_kept {
            cache = Cache::closed();
        }
        let mut rows = load(&mut tx, &parts, &mut cache).await?;
        fold_all(&mut rows, &parts, fold)?;
        if defect::has(Defect::CheckpointBeforeCommit) {
            checkpoint::advance(&mut tx, last).await?;
            tx.commit().await.map_err(Error::database("committing a position"))?;
            (tx, ..) = self.database.begin_batch().await?;
        }
        while let Some(part) = rest.as_mut().and_then(Iterator::next) {
            upsert(&mut tx, rows, (&[], last, self.stream_created), &mut cache).await?;
            rows = load(&mut tx, &[part], &mut cache).await?;
            fold_all(&mut rows, &[part], fold)?;
        }
        let batch = (events, *last, self.stream_created);
        let mark = upsert(&mut tx, rows, batch, &mut cache).await?;
        tx.commit().await.map_err(committing)?;
        if is_kept {
            self.shelf.give(mark, cache);
        }
        metrics::counter!(metric::EVENTS).increment(events.len() as u64);
        metrics::gauge!(metric::POSITION).set(last.stream_seq as f64);
        metrics::histogram!(metric::BATCH_SECONDS).record(started.elapsed().as_secs_f64());
        tracing::debug!(events = events.len(), position = last.stream_seq, "projected");
        Ok(self.reach(last.stream_seq))
    }

    fn check(&self, checkpoint: &Checkpoint, chunk: &[&Recorded]) -> Result<(), Error> {
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

/// Folds `parts` into `rows`, which are of no use after an error.
fn fold_all(
    rows: &mut Rows,
    parts: &[Part<'_>],
    fold: impl Fn(&mut Rows, Part<'_>),
) -> Result<(), Error> {
    for part in parts {
        catch_unwind(AssertUnwindSafe(|| fold(rows, *part))).map_err(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            let reason = format!("the projection panicked: {}", said.unwrap_or("without a word"));
            Error::Poison { stream_seq: part.recorded.stream_seq, reason }
        })?;
    }
    Ok(())
}

/// How many of `events` go into one transaction: at least one.
fn chunk_length(events: &[&Recorded], tasks_max: usize) -> usize {
    let (mut tasks, mut alive) = (0, HashSet::new());
    events
        .iter()
        .take(Projector::EVENTS_MAX)
        .take_while(|recorded| {
            alive.insert(recorded.id);
            tasks += match &recorded.event {
                Event::TaskRestarted(restarted) => restarted.children.len(),
                _ => named(recorded).len(),
            };
            tasks <= tasks_max && alive.len() <= Projector::ALIVE_MAX
        })
        .count()
        .max(1)
}
