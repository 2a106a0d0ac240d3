//! The sealer: chains the events in the order of the stream, and keeps what the chain was.
//!
//! It reads the stream page by page and needs no consumer: deliveries cost as much as appends, and
//! nobody waits for a seal. What it remembers is in the last seal; a sealer that starts anew goes on
//! from there, and of several that run at once the one whose seal is stored first is followed by the
//! others.

use std::time::Duration;

use kantoku_domain::Id;
use kantoku_service::{Backoff, Health, Ready};
use kantoku_streams::{
    AppendError, Bus, Chain, Document, Fault, Seal, StoredSeal, now, warn_missing,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::metric;

/// How many events one seal holds more than the one before it.
const EVENTS_MAX: u64 = 1_000;

/// How long an event waits for its seal.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// How often the stream is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// After how many looks it is asked whether somebody else has sealed: another sealer, or whoever
/// ordered a new beginning.
const ASK_AFTER: u32 = 10;

/// The part of [`Health`] that a sealer reports.
const PART: &str = "sealer";

/// Why sealing does not go on as it did.
#[derive(Debug)]
enum Stopped {
    /// Infrastructure failed.
    Fault(Fault),
    /// Another sealer was faster.
    Overtaken,
    /// The stream is not the one that was sealed: why.
    Mismatch(String),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Seals the events of `bus` until `stop` is cancelled: every thousand, or when some have waited for
/// a second.
///
/// Halts while the stream does not match its last seal, and says so in `health`: then somebody has
/// to find out what became of it, and may order a new beginning (`ktk events reseal`), with which it
/// goes on by itself.
pub async fn seal(bus: &Bus, health: &Health, stop: &CancellationToken) {
    let mut backoff = Backoff::default();
    let mut told = None;
    loop {
        let stopped = tokio::select! {
            stopped = Sealing::work(bus, health) => stopped,
            () = stop.cancelled() => return,
        };
        match stopped {
            Stopped::Overtaken => tracing::debug!("another sealer was faster"),
            Stopped::Fault(fault) => warn_missing("nats", "seal events", &fault),
            Stopped::Mismatch(reason) => {
                health.report(PART, Ready::No(reason.clone()));
                if told.as_ref() != Some(&reason) {
                    tracing::error!(reason, "the sealer has halted");
                    told = Some(reason);
                }
            }
        }
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The chain as far as it is sealed, and beyond.
struct Sealing<'a> {
    bus: &'a Bus,
    /// The last seal, and its position among the seals.
    sealed: Seal,
    position: u64,
    /// What the chain is now.
    stream_seq: u64,
    event_id: Id,
    events: u64,
    chain: Chain,
    /// Since when an event waits for its seal.
    waiting: Option<Instant>,
}

impl<'a> Sealing<'a> {
    /// Seals for as long as it can.
    async fn work(bus: &'a Bus, health: &Health) -> Stopped {
        let work = async {
            let mut sealing = Self::resume(bus).await?;
            health.report(PART, Ready::Yes);
            for look in 1_u32.. {
                sealing.advance().await?;
                if look.is_multiple_of(ASK_AFTER) {
                    sealing.check_latest().await?;
                }
                sleep(LOOK_EVERY).await;
            }
            Err(Stopped::Overtaken)
        };
        let Err(stopped): Result<std::convert::Infallible, _> = work.await;
        stopped
    }

    /// Goes on from the last seal.
    async fn resume(bus: &'a Bus) -> Result<Self, Stopped> {
        let (position, sealed) = match bus.seals().latest().await? {
            Some(StoredSeal { position, seal }) => (position, seal),
            None => (0, Seal::first(bus.created().await?, now())),
        };
        let Seal { stream_seq, event_id, events, chain, .. } = sealed;
        let sealing =
            Self { bus, sealed, position, stream_seq, event_id, events, chain, waiting: None };
        sealing.check().await?;
        Ok(sealing)
    }

    /// Takes in what there is, and seals what is due.
    async fn advance(&mut self) -> Result<(), Stopped> {
        let head = self.check_extent().await?;
        if head > self.stream_seq {
            let mut replay = self.bus.replay(self.stream_seq + 1).await?;
            while let Some(page) = replay.next_documents().await? {
                for document in page {
                    match document {
                        Ok(document) => self.take(&document),
                        // It is in no export either.
                        Err(fault) => tracing::warn!(%fault, "a message is not sealed"),
                    }
                    if self.events - self.sealed.events >= EVENTS_MAX {
                        self.store().await?;
                    }
                }
            }
        }
        if self.waiting.is_some_and(|since| since.elapsed() >= WAIT_MAX) {
            self.store().await?;
        }
        Ok(())
    }

    fn take(&mut self, document: &Document) {
        self.chain = self.chain.next(document.line.as_str());
        self.events += 1;
        self.stream_seq = document.stream_seq;
        self.event_id = document.event_id;
        self.waiting.get_or_insert_with(Instant::now);
    }

    async fn store(&mut self) -> Result<(), Stopped> {
        // What was read and not sealed may have been lost since, and with it the right to seal it.
        if self.event_at(self.stream_seq).await? != Some(self.event_id) {
            return Err(Stopped::Overtaken);
        }
        let seal = Seal {
            stream_seq: self.stream_seq,
            event_id: self.event_id,
            events: self.events,
            chain: self.chain,
            stream_created: self.sealed.stream_created,
            at: now(),
            begun: None,
        };
        match self.bus.seals().append(&seal, self.position).await {
            Ok(position) => {
                metric::sealed(seal.stream_seq);
                (self.sealed, self.position, self.waiting) = (seal, position, None);
                Ok(())
            }
            // Whoever goes on reads the last seal first, be it this one or another.
            Err(AppendError::Conflict { .. } | AppendError::Unknown { .. }) => {
                Err(Stopped::Overtaken)
            }
            Err(AppendError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Whether the stream still holds what the last seal is about.
    async fn check(&self) -> Result<(), Stopped> {
        self.check_extent().await?;
        let Seal { stream_seq, event_id, .. } = self.sealed;
        if stream_seq == 0 {
            return Ok(());
        }
        let found = self.event_at(stream_seq).await?;
        if found == Some(event_id) {
            return Ok(());
        }
        let holds = found.map_or_else(|| "no event".to_owned(), |id| format!("event {id}"));
        Err(mismatch(&format!(
            "position {stream_seq} of the stream holds {holds}, but event {event_id} was sealed there"
        )))
    }

    /// Whether the last seal is the one that is gone on from.
    async fn check_latest(&self) -> Result<(), Stopped> {
        let latest = self.bus.seals().latest().await?.map_or(0, |latest| latest.position);
        if latest == self.position { Ok(()) } else { Err(Stopped::Overtaken) }
    }

    /// The event that the stream holds at a position now.
    async fn event_at(&self, stream_seq: u64) -> Result<Option<Id>, Stopped> {
        match self.bus.document_at(stream_seq).await {
            Ok(found) => Ok(found.map(|document| document.event_id)),
            Err(Fault::Malformed(_)) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The last position of the stream, which is the one that was sealed, and no shorter.
    async fn check_extent(&self) -> Result<u64, Stopped> {
        let (created, head) = self.bus.extent().await?;
        if created != self.sealed.stream_created {
            return Err(mismatch(&format!(
                "the stream was created at {created}, but the one that was sealed at {}",
                self.sealed.stream_created
            )));
        }
        if head < self.sealed.stream_seq {
            return Err(mismatch(&format!(
                "the stream ends at position {head}, but was sealed up to {}",
                self.sealed.stream_seq
            )));
        }
        if head < self.stream_seq {
            return Err(Stopped::Overtaken);
        }
        Ok(head)
    }
}

fn mismatch(what: &str) -> Stopped {
    Stopped::Mismatch(format!(
        "{what}: it lost events, or was restored or replaced; find out which are missing \
         (ktk events verify), then begin the chain anew (ktk events reseal --reason …)"
    ))
}

#[cfg(test)]
#[path = "sealer_tests.rs"]
mod tests;
