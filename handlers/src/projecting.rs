//! The thin loop around a projector: reads the stream once and keeps the rows.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use kantoku_domain::Recorded;
use kantoku_projections::{Error, Projector};
use kantoku_service::Backoff;
use kantoku_streams::{
    Bus, Consumer, ConsumerConfig, Delivery, WentBack, acknowledge,
    defect::{self, Defect},
    warn_missing,
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Events that are taken from the stream at once, at most.
const BATCH_MAX: usize = 1_000;
/// Events that are gathered while others are written, at most; and how much they have as JSON, but
/// for the last batch of them.
const GATHERED_MAX: usize = Projector::EVENTS_MAX;
const GATHERED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Transactions begin so far apart at least. The first event after a quiet moment is shown at once; what
/// comes close behind it, as the steps of a task do, is shown together, and leaves the processor to
/// whoever makes the next event.
const PACE: Duration = Duration::from_millis(10);
/// Unless so many events wait.
const PACED_MAX: usize = 256;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Postgres itself is not dialled as often as that.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Projects the events of `bus` until `stop` is cancelled. The position that counts is the
/// checkpoint beside the rows: the durable of `service_id` is reset to it, and a batch that was
/// committed but not acknowledged is skipped when it comes again.
///
/// Fails, and must not be started again before somebody has looked, when the stream is not the one
/// that the rows came from.
pub async fn project(
    bus: &Bus,
    projector: &Projector,
    service_id: &str,
    stop: &CancellationToken,
) -> Result<(), Error> {
    loop {
        match Box::pin(project_on(bus, projector, service_id, stop)).await {
            Ok(Ended::WentBack(went_back)) => {
                tracing::error!(%went_back, "the checkpoint is compared with the stream again");
                let created = retried(stop, || async { Ok(bus.created().await?) }).await?;
                created.map_or(Ok(()), |created| projector.check_stream(created))?;
            }
            Err(error @ Error::Rewound { .. }) => {
                tracing::warn!(%error, "the stream is read again from the checkpoint");
            }
            Ok(Ended::Stopped) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Why reading came to an end.
enum Ended {
    Stopped,
    WentBack(WentBack),
}

/// From the checkpoint on.
async fn project_on(
    bus: &Bus,
    projector: &Projector,
    service_id: &str,
    stop: &CancellationToken,
) -> Result<Ended, Error> {
    let Some(position) = retried(stop, || projector.checkpoint()).await? else {
        return Ok(Ended::Stopped);
    };
    let seq = position.stream_seq;
    let Some(at) = retried(stop, || async { Ok(bus.find_event(seq).await?) }).await? else {
        return Ok(Ended::Stopped);
    };
    let verify = || projector.verify(at.as_deref());
    let Some(checkpoint) = retried(stop, verify).await? else {
        return Ok(Ended::Stopped);
    };
    let consumer = bus.consumer(ConsumerConfig {
        name: format!("projector-{service_id}"),
        filters: vec![],
        from_seq: checkpoint.stream_seq + 1,
        batch_max: BATCH_MAX,
    });
    let mut keeping = Keeping { bus, projector, stop, position: checkpoint.stream_seq };
    let mut reading = Box::pin(read(consumer, stop));
    let mut gathered = Gathered::default();
    let mut next_start = Instant::now();
    loop {
        while gathered.deliveries.is_empty()
            || (gathered.deliveries.len() < PACED_MAX && Instant::now() < next_start)
        {
            let (consumer, next) = tokio::select! {
                biased;
                read = &mut reading => read,
                () = sleep_until(next_start), if !gathered.deliveries.is_empty() => break,
            };
            reading.set(read(consumer, stop));
            if let Some(ended) = gathered.add(next) {
                return Ok(ended);
            }
        }
        next_start = Instant::now() + PACE;
        let mut writing = pin!(keeping.keep(std::mem::take(&mut gathered).deliveries));
        let mut ended = None;
        // What comes while Postgres is busy is taken apart, and written together: the longer it takes,
        // the more it is, and the less each of them costs.
        loop {
            tokio::select! {
                biased;
                written = &mut writing => break written?,
                (consumer, next) = &mut reading, if ended.is_none() && gathered.has_room() => {
                    reading.set(read(consumer, stop));
                    ended = gathered.add(next);
                }
            }
        }
        if let Some(ended) = ended {
            return Ok(ended);
        }
    }
}

type Next = Result<Option<Vec<Delivery>>, WentBack>;

/// The next batch, with the consumer to go on with. Not to be dropped on the way, which would have what
/// is in hand delivered again, behind what follows it.
async fn read(mut consumer: Consumer, stop: &CancellationToken) -> (Consumer, Next) {
    let next = consumer.next_batch(stop).await;
    (consumer, next)
}

/// What has come and is not written yet.
#[derive(Default)]
struct Gathered {
    deliveries: Vec<Delivery>,
    bytes: usize,
}

impl Gathered {
    /// Whether another batch may be read.
    fn has_room(&self) -> bool {
        self.deliveries.len() + BATCH_MAX <= GATHERED_MAX && self.bytes < GATHERED_BYTES_MAX
    }

    /// Takes in what came, or why nothing comes any more.
    fn add(&mut self, next: Next) -> Option<Ended> {
        match next {
            Ok(Some(batch)) => {
                self.bytes += batch.iter().map(Delivery::bytes).sum::<usize>();
                self.deliveries.extend(batch);
                None
            }
            Ok(None) => Some(Ended::Stopped),
            Err(went_back) => Some(Ended::WentBack(went_back)),
        }
    }
}

/// What puts batches into the read model.
struct Keeping<'a> {
    bus: &'a Bus,
    projector: &'a Projector,
    stop: &'a CancellationToken,
    /// Up to here every event was seen.
    position: u64,
}

impl Keeping<'_> {
    async fn keep(&mut self, batch: Vec<Delivery>) -> Result<(), Error> {
        // What was in hand for too long comes again, behind what follows it.
        let events: BTreeMap<_, _> =
            batch.iter().map(|d| (d.recorded().stream_seq, Arc::clone(d.recorded()))).collect();
        let Some(events) = self.without_gap(events).await? else { return Ok(()) };
        let applied = if defect::has(Defect::BatchSkipped) {
            self.projector.apply_batch(&events).await.ok()
        } else {
            self.apply(&events, &batch).await?
        };
        if applied.is_some() {
            acknowledge(batch).await;
        }
        Ok(())
    }

    /// Projects `events`. One that cannot be projected goes to the dead letters and is passed over.
    async fn apply(
        &self,
        events: &[Arc<Recorded>],
        batch: &[Delivery],
    ) -> Result<Option<u64>, Error> {
        let Self { bus: _, projector, stop, .. } = self;
        let mut passed = None;
        loop {
            let applied = retried(stop, || projector.apply_batch(events)).await;
            let Err(Error::Poison { stream_seq, reason }) = applied else { return applied };
            // It was passed over, and is in the way all the same.
            if passed.replace(stream_seq) == Some(stream_seq) {
                return Err(Error::Poison { stream_seq, reason });
            }
            let is_it = |delivery: &&Delivery| delivery.recorded().stream_seq == stream_seq;
            if let Some(delivery) = batch.iter().find(is_it) {
                let report = || async { Ok(delivery.report_dead(&reason).await?) };
                if retried(stop, report).await?.is_none() {
                    return Ok(None);
                }
            }
            if let Some(poison) = events.iter().find(|event| event.stream_seq == stream_seq) {
                retried(stop, || projector.pass_over(poison)).await?;
            }
        }
    }

    /// The events with those between them that were not delivered: none, unless a message was lost
    /// on its way, or is no event. An event that comes late would be taken for an old one.
    async fn without_gap(
        &mut self,
        events: BTreeMap<u64, Arc<Recorded>>,
    ) -> Result<Option<Vec<Arc<Recorded>>>, Error> {
        let mut whole = Vec::with_capacity(events.len());
        for (stream_seq, recorded) in events {
            let (from, to) = (self.position + 1, stream_seq - 1);
            if from <= to {
                let read = || async { Ok(self.bus.between(from, to).await?) };
                let Some(missing) = retried(self.stop, read).await? else { return Ok(None) };
                whole.extend(missing.into_iter().map(Arc::new));
            }
            whole.push(recorded);
            self.position = self.position.max(stream_seq);
        }
        Ok(Some(whole))
    }
}

/// Tries again while it is only the database or NATS that is away. `None`: stopped.
async fn retried<T, F: Future<Output = Result<T, Error>>>(
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<Option<T>, Error> {
    let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
    while !stop.is_cancelled() {
        match attempt().await {
            Ok(done) => return Ok(Some(done)),
            Err(error @ Error::Database { .. }) => warn_missing("postgres", "project", &error),
            Err(Error::History(fault)) if !fault.is_final() => {
                warn_missing("nats", "read what is to be projected", &fault);
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(None)
}
