//! One event in the hands of a handler.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{AckKind, Context, message::Acker};
use kantoku_domain::Recorded;
use tokio::sync::Notify;

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
    known: Known,
    held: Held,
}

impl Delivery {
    pub(crate) fn new(known: Known, held: Held) -> Self {
        Self { known, held }
    }

    /// The event.
    pub fn recorded(&self) -> &Arc<Recorded> {
        &self.known.recorded
    }

    /// How much the event has as JSON.
    pub fn bytes(&self) -> usize {
        self.known.bytes
    }

    /// The JSON that it is stored as. `None` for a large one, which lies among the blobs.
    pub fn json(&self) -> Option<&[u8]> {
        let payload = &self.held.raw.payload;
        (self.known.bytes <= payload.len()).then_some(payload)
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

/// Acknowledges all of a batch. What is lost of that is delivered again.
pub async fn acknowledge(batch: Vec<Delivery>) {
    for delivery in batch {
        if let Err(fault) = delivery.ack().await {
            tracing::debug!(%fault, "an event was not acknowledged");
        }
    }
}

/// What all deliveries of one consumer share.
pub(crate) struct Source {
    pub(crate) context: Context,
    pub(crate) consumer: String,
}

/// A delivered message, whether it is an event or not. Given back when dropped.
pub(crate) struct Held {
    raw: Raw,
    left: u64,
    source: Arc<Source>,
    keeper: Keeper,
}

/// Who delivers a message again.
enum Keeper {
    /// The server, which several services read through, until it is acknowledged.
    Server(Box<Acker>),
    /// The reader itself, to whom the server delivers once.
    Reader(Arc<InHand>),
    /// Nobody.
    None,
}

impl Held {
    /// A message that the server waits for an acknowledgement of.
    pub(crate) fn of_server(raw: Raw, left: u64, source: Arc<Source>, acker: Box<Acker>) -> Self {
        Self { raw, left, source, keeper: Keeper::Server(acker) }
    }

    /// A message that nobody waits for an acknowledgement of.
    pub(crate) fn of_reader(
        raw: Raw,
        left: u64,
        source: Arc<Source>,
        in_hand: Arc<InHand>,
    ) -> Self {
        in_hand.floor.open(raw.stream_seq);
        Self { raw, left, source, keeper: Keeper::Reader(in_hand) }
    }

    /// A message that was asked for once more: its durable has done with it.
    pub(crate) fn again(raw: Raw, source: Arc<Source>) -> Self {
        Self { raw, left: 0, source, keeper: Keeper::None }
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.raw
    }

    pub(crate) async fn ack(mut self) -> Result<(), Fault> {
        match self.take_keeper() {
            Keeper::Server(acker) => {
                acker.ack().await.map_err(|error| Fault::unreachable("acknowledge an event", error))
            }
            Keeper::Reader(in_hand) => {
                in_hand.floor.settle(self.raw.stream_seq);
                Ok(())
            }
            Keeper::None => Ok(()),
        }
    }

    async fn retry(mut self, delay: Duration) -> Result<(), Fault> {
        match self.take_keeper() {
            Keeper::Server(acker) => acker
                .ack_with(AckKind::Nak(Some(delay)))
                .await
                .map_err(|error| Fault::unreachable("postpone an event", error)),
            Keeper::Reader(in_hand) => {
                let raw = self.raw.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    in_hand.returned.put(raw);
                });
                Ok(())
            }
            Keeper::None => Ok(()),
        }
    }

    fn take_keeper(&mut self) -> Keeper {
        std::mem::replace(&mut self.keeper, Keeper::None)
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
        match self.take_keeper() {
            Keeper::Server(acker) => {
                // Without a runtime the process is about to end, and the delivery times out instead.
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move { acker.ack_with(AckKind::Nak(None)).await });
                }
            }
            Keeper::Reader(in_hand) => in_hand.returned.put(self.raw.clone()),
            Keeper::None => {}
        }
    }
}

/// What a reader of its own was delivered, until it is settled.
pub(crate) struct InHand {
    pub(crate) floor: Floor,
    pub(crate) returned: Returned,
}

impl InHand {
    /// Of a reader that begins at `from_seq`.
    pub(crate) fn new(from_seq: u64) -> Self {
        Self { floor: Floor::new(from_seq.max(1)), returned: Returned::default() }
    }
}

/// What a reader's hands gave back, and are to be given again. No more than they were given.
#[derive(Default)]
pub(crate) struct Returned {
    messages: Mutex<Vec<Raw>>,
    came: Notify,
}

impl Returned {
    fn put(&self, raw: Raw) {
        self.lock().push(raw);
        self.came.notify_one();
    }

    /// All of it, in the order of the stream.
    pub(crate) fn take(&self) -> Vec<Raw> {
        let mut messages = std::mem::take(&mut *self.lock());
        messages.sort_by_key(|raw| raw.stream_seq);
        messages
    }

    /// Waits until there is something. May be dropped and called again.
    pub(crate) async fn some(&self) {
        while self.lock().is_empty() {
            self.came.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Raw>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
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
