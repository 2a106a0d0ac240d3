//! The thin loop around a projector: reads the stream once and keeps the rows.

use std::{collections::BTreeMap, time::Duration};

use kantoku_domain::Recorded;
use kantoku_projections::{Error, Projector};
use kantoku_service::Backoff;
use kantoku_streams::{Bus, ConsumerConfig, Delivery};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Events that one transaction takes in at most.
const BATCH_MAX: usize = 1_000;

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
            Err(error @ Error::Rewound { .. }) => {
                tracing::warn!(%error, "the stream is read again from the checkpoint");
            }
            done => return done,
        }
    }
}

/// From the checkpoint on.
async fn project_on(
    bus: &Bus,
    projector: &Projector,
    service_id: &str,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let Some(position) = retried(stop, || projector.checkpoint()).await? else {
        return Ok(());
    };
    let at = match position.stream_seq {
        0 => None,
        seq => bus.event_at(seq).await.ok(),
    };
    let Some(checkpoint) = retried(stop, || projector.verify(at.as_deref())).await? else {
        return Ok(());
    };
    let mut consumer = bus.consumer(ConsumerConfig {
        name: format!("projector-{service_id}"),
        filters: vec![],
        from_seq: checkpoint.stream_seq + 1,
        shared: false,
        batch_max: BATCH_MAX,
        in_flight_max: 10 * BATCH_MAX as u32,
        ack_wait: Duration::from_secs(60),
    });
    let mut keeping = Keeping { bus, projector, stop, position: checkpoint.stream_seq };
    let mut next = consumer.next_batch(stop).await;
    while let Some(batch) = next {
        // The next batch is taken apart while Postgres writes this one.
        let following = async { Ok(consumer.next_batch(stop).await) };
        ((), next) = tokio::try_join!(keeping.keep(batch), following)?;
    }
    Ok(())
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
            batch.iter().map(|d| (d.recorded().stream_seq, (**d.recorded()).clone())).collect();
        let Some(events) = self.without_gap(events).await? else { return Ok(()) };
        let applied = retried(self.stop, || self.projector.apply_batch(&events)).await?;
        if applied.is_some() {
            acknowledge(batch).await;
        }
        Ok(())
    }

    /// The events with those between them that were not delivered: none, unless a message was lost
    /// on its way, or is no event. An event that comes late would be taken for an old one.
    async fn without_gap(
        &mut self,
        events: BTreeMap<u64, Recorded>,
    ) -> Result<Option<Vec<Recorded>>, Error> {
        let mut whole = Vec::with_capacity(events.len());
        for (stream_seq, recorded) in events {
            let (from, to) = (self.position + 1, stream_seq - 1);
            if from <= to {
                let read = || async { Ok(self.bus.between(from, to).await?) };
                let Some(missing) = retried(self.stop, read).await? else { return Ok(None) };
                whole.extend(missing);
            }
            whole.push(recorded);
            self.position = self.position.max(stream_seq);
        }
        Ok(Some(whole))
    }
}

async fn acknowledge(batch: Vec<Delivery>) {
    for delivery in batch {
        // The checkpoint is committed: a lost ack costs a skipped batch.
        if let Err(fault) = delivery.ack().await {
            tracing::debug!(%fault, "an event was not acknowledged");
        }
    }
}

/// Tries again while it is only the database or NATS that is away. `None`: stopped.
async fn retried<T, F: Future<Output = Result<T, Error>>>(
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<Option<T>, Error> {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        match attempt().await {
            Ok(done) => return Ok(Some(done)),
            Err(error @ Error::Database { .. }) => {
                tracing::warn!(%error, "the read model is out of reach");
            }
            Err(Error::History(fault)) if !fault.is_final() => {
                tracing::warn!(%fault, "the stream is out of reach");
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
