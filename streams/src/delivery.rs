//! One event in the hands of a handler.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{AckKind, Context, message::Acker};
use kantoku_domain::Recorded;

use crate::{
    Fault, Raw,
    cache::Known,
    dead,
    defect::{self, Defect},
};

/// An event that a durable consumer delivered. It ends in [`ack`](Self::ack),
/// [`bury`](Self::bury) or [`retry`](Self::retry); dropped without a verdict (an error, a panic, a
/// cancelled future), it is delivered again at once.
pub struct Delivery {
    recorded: Arc<Recorded>,
    bytes: usize,
    held: Held,
}

impl Delivery {
    pub(crate) fn new(Known { recorded, bytes }: Known, held: Held) -> Self {
        Self { recorded, bytes, held }
    }

    /// The event.
    pub fn recorded(&self) -> &Arc<Recorded> {
        &self.recorded
    }

    /// How much the event has as JSON.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events the durable had behind this one when it was delivered.
    pub fn left(&self) -> u64 {
        self.held.left
    }

    /// Its effect is in place: it need not be delivered again. It may be, all the same, as an
    /// acknowledgement can be lost.
    pub async fn ack(self) -> Result<(), Fault> {
        self.held.ack().await
    }

    /// Deliver it again after `delay`.
    pub async fn retry(self, delay: Duration) -> Result<(), Fault> {
        self.held.retry(delay).await
    }

    /// Puts it among the dead letters with the reason, once, and settles nothing.
    pub async fn report_dead(&self, reason: &str) -> Result<(), Fault> {
        self.held.report_dead(reason).await
    }

    /// It can never be handled: puts it among the dead letters with the reason, then acknowledges
    /// it. When that fails it is delivered again.
    pub async fn bury(self, reason: &str) -> Result<(), Fault> {
        self.held.bury(reason).await
    }
}

/// What all deliveries of one consumer share.
pub(crate) struct Source {
    pub(crate) context: Context,
    pub(crate) consumer: String,
    pub(crate) floor: Floor,
}

/// A delivered message, whether it is an event or not. Given back when dropped.
pub(crate) struct Held {
    raw: Raw,
    left: u64,
    source: Arc<Source>,
    acker: Option<Acker>,
}

impl Held {
    pub(crate) fn new(raw: Raw, left: u64, source: Arc<Source>, acker: Acker) -> Self {
        source.floor.open(raw.stream_seq);
        Self { raw, left, source, acker: Some(acker) }
    }

    /// A message that was asked for once more: its durable has done with it.
    pub(crate) fn again(raw: Raw, source: Arc<Source>) -> Self {
        Self { raw, left: 0, source, acker: None }
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.raw
    }

    pub(crate) async fn ack(mut self) -> Result<(), Fault> {
        let Some(acker) = self.acker.take() else { return Ok(()) };
        self.source.floor.settle(self.raw.stream_seq);
        acker.ack().await.map_err(|error| Fault::unreachable("acknowledge an event", error))
    }

    async fn retry(mut self, delay: Duration) -> Result<(), Fault> {
        let Some(acker) = self.acker.take() else { return Ok(()) };
        acker
            .ack_with(AckKind::Nak(Some(delay)))
            .await
            .map_err(|error| Fault::unreachable("postpone an event", error))
    }

    pub(crate) async fn bury(self, reason: &str) -> Result<(), Fault> {
        self.report_dead(reason).await?;
        self.ack().await
    }

    async fn report_dead(&self, reason: &str) -> Result<(), Fault> {
        if defect::has(Defect::PoisonAcked) {
            return Ok(());
        }
        dead::bury(&self.source.context, &self.source.consumer, &self.raw, reason).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(acker) = self.acker.take() else { return };
        // Without a runtime the process is about to end, and the delivery times out instead.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { acker.ack_with(AckKind::Nak(None)).await });
        }
    }
}

/// The positions that a consumer has been delivered and has not settled. As many as may be in
/// flight.
pub(crate) struct Floor(Mutex<Positions>);

struct Positions {
    open: BTreeSet<u64>,
    next: u64,
}

impl Floor {
    /// Nothing before `next` is of interest.
    pub(crate) fn new(next: u64) -> Self {
        Self(Mutex::new(Positions { open: BTreeSet::new(), next }))
    }

    /// The lowest position that is not settled.
    pub(crate) fn lowest(&self) -> u64 {
        let positions = self.lock();
        positions.open.first().copied().unwrap_or(positions.next)
    }

    pub(crate) fn open(&self, stream_seq: u64) {
        let mut positions = self.lock();
        positions.open.insert(stream_seq);
        positions.next = positions.next.max(stream_seq + 1);
    }

    pub(crate) fn settle(&self, stream_seq: u64) {
        self.lock().open.remove(&stream_seq);
    }

    fn lock(&self) -> MutexGuard<'_, Positions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
