//! Events that need not be read again: histories of aggregates, and single events by position.
//!
//! What is cached was stored once. It may be no more, or not be all: a history is good enough to
//! append under its guard, and has to be read on before anything else is said about it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kantoku_domain::{Datum, Recorded};

use crate::{Raw, lru::Lru};

const AGGREGATES_MAX: usize = 10_000;
const EVENTS_MAX: usize = 10_000;
/// Of each of the two, as JSON. In memory it is several times as much.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// A longer history is not kept.
const HISTORY_BYTES_MAX: usize = 256 * 1024;
/// What an event takes besides its JSON.
const EVENT_OVERHEAD: usize = 256;

/// An event, and the size of its JSON.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) recorded: Arc<Recorded>,
    pub(crate) bytes: usize,
}

/// An event with the payload that it was stored as.
#[derive(Debug)]
struct Kept {
    event: Known,
    payload: Bytes,
}

impl Known {
    /// Events that lie in the blob store are large and rarely looked at.
    fn is_small(&self) -> bool {
        self.bytes <= Datum::INLINE_BYTES_MAX
    }
}

/// See the module. Everything is forgotten with each new epoch of the store, see
/// [`Store::epoch`](crate::Store::epoch).
#[derive(Debug)]
pub(crate) struct Cache(Mutex<Cached>);

#[derive(Debug)]
struct Cached {
    epoch: u64,
    histories: Lru<String, Vec<Known>>,
    events: Lru<u64, Kept>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        let histories = Lru::new(AGGREGATES_MAX, BYTES_MAX);
        Self(Mutex::new(Cached { epoch: 0, histories, events: Lru::new(EVENTS_MAX, BYTES_MAX) }))
    }

    /// The events on `subject` from its first on, as far as they are known.
    pub(crate) fn history(&self, epoch: u64, subject: &str) -> Option<Vec<Known>> {
        let mut cached = self.in_epoch(epoch)?;
        cached.histories.get(subject).cloned()
    }

    /// Keeps a history that was read in `epoch` from its first event on. An empty one takes away
    /// what was kept.
    pub(crate) fn keep(&self, epoch: u64, subject: &str, history: &[Known]) {
        if let Some(mut cached) = self.in_epoch(epoch) {
            cached.keep(subject, history.to_vec());
        }
    }

    /// Adds an event that was appended in `epoch` after position `after_seq` of its own subject.
    pub(crate) fn append(&self, epoch: u64, event: &Known, after_seq: u64) {
        let Some(mut cached) = self.in_epoch(epoch) else { return };
        let subject = &event.recorded.subject;
        let mut history = match cached.histories.remove(subject) {
            Some(history) => history,
            None if after_seq == 0 => Vec::new(),
            None => return,
        };
        if history.last().map_or(0, |last| last.recorded.stream_seq) == after_seq {
            history.push(event.clone());
        }
        cached.keep(subject, history);
    }

    /// The event at `stream_seq`.
    pub(crate) fn event(&self, epoch: u64, stream_seq: u64) -> Option<Arc<Recorded>> {
        let mut cached = self.in_epoch(epoch)?;
        cached.events.get(&stream_seq).map(|kept| Arc::clone(&kept.event.recorded))
    }

    /// The event that a message holds, if that very message was decoded or written lately.
    pub(crate) fn decoded(&self, epoch: u64, raw: &Raw) -> Option<Known> {
        let mut cached = self.in_epoch(epoch)?;
        let kept = cached.events.get(&raw.stream_seq)?;
        let recorded = &kept.event.recorded;
        let is_it = kept.payload == raw.payload
            && recorded.subject == raw.subject
            && raw.event_type.as_deref() == Some(recorded.event.name());
        is_it.then(|| kept.event.clone())
    }

    /// Keeps a single event, which is stored as `payload`.
    pub(crate) fn keep_event(&self, epoch: u64, event: &Known, payload: Bytes) {
        if let Some(mut cached) = self.in_epoch(epoch)
            && event.is_small()
        {
            let bytes = 2 * event.bytes + EVENT_OVERHEAD;
            let kept = Kept { event: event.clone(), payload };
            cached.events.insert(event.recorded.stream_seq, kept, bytes);
        }
    }

    /// `None` for what began before the epoch that is now.
    fn in_epoch(&self, epoch: u64) -> Option<MutexGuard<'_, Cached>> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if epoch > cached.epoch {
            cached.epoch = epoch;
            cached.histories.clear();
            cached.events.clear();
        }
        (epoch == cached.epoch).then_some(cached)
    }
}

impl Cached {
    fn keep(&mut self, subject: &str, history: Vec<Known>) {
        let bytes = history.iter().map(|event| event.bytes + EVENT_OVERHEAD).sum();
        if history.is_empty() || bytes > HISTORY_BYTES_MAX || !history.iter().all(Known::is_small) {
            self.histories.remove(subject);
        } else {
            self.histories.insert(subject.to_owned(), history, bytes);
        }
    }
}
