//! The one path by which events are appended and aggregates are loaded.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kantoku_domain::{Aggregate, Envelope, Id, Kind, Namespace, Recorded, Rejection};
use thiserror::Error;
use tokio::sync::broadcast;

use crate::{
    AppendError, Blobs, Draft, Fault, Message, Raw, Store, codec, draft::is_guarded_by_itself,
    full_jitter, metric, subject,
};

/// How often a command is decided that loses every race, and an append is tried that no answer
/// comes to.
const TRIES: usize = 6;
const DELAY_BASE: Duration = Duration::from_millis(5);
const DELAY_MAX: Duration = Duration::from_millis(500);

/// How many own events a slow listener may lag behind before it loses the oldest.
const OWN_EVENTS: usize = 4096;

/// Loads aggregates and appends events. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    blobs: Arc<Blobs>,
    own: broadcast::Sender<Arc<Recorded>>,
}

/// An aggregate as folded from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded<A> {
    /// What it is.
    pub state: A,
    /// How many events it has had.
    pub version: u64,
    /// The position of its last event, 0 when it has none: the guard of the next.
    pub stream_seq: u64,
}

impl<A: Aggregate> Loaded<A> {
    /// Takes in its next event.
    pub fn take(&mut self, recorded: &Recorded) {
        self.state.evolve(&recorded.event);
        self.version = recorded.version;
        self.stream_seq = recorded.stream_seq;
    }
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The command's event, whether it was decided now or earlier; `None` when there was nothing
    /// to do.
    pub event: Option<Arc<Recorded>>,
    /// The position to wait for to read one's own write: the event's, else the aggregate's last.
    pub stream_seq: u64,
}

/// Why a command took no effect, or may not have.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// The business said no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Others were faster each time. Nothing was stored.
    #[error("others changed {subject} during all {tries} tries; try again later")]
    Conflict {
        /// The aggregate's subject.
        subject: String,
        /// How often it was decided.
        tries: usize,
    },
    /// Infrastructure failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Ledger {
    /// Over `store`, with large values in `blobs`.
    pub fn new(store: Arc<dyn Store>, blobs: Arc<Blobs>) -> Self {
        Self { store, blobs, own: broadcast::Sender::new(OWN_EVENTS) }
    }

    /// The store of large values.
    pub fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }

    /// The events that this ledger appends from now on, at the moment of their acknowledgement. A
    /// short cut ahead of the delivery: it may skip events, never moves a position, and never
    /// feeds a projection.
    pub fn own_events(&self) -> broadcast::Receiver<Arc<Recorded>> {
        self.own.subscribe()
    }

    /// The events of an aggregate after position `after_seq`, in order. For a task without its
    /// `TaskReady`, which lie on the queue's subject.
    pub async fn history(
        &self,
        namespace: &Namespace,
        kind: Kind,
        id: Id,
        after_seq: u64,
    ) -> Result<Vec<Recorded>, Fault> {
        self.read(&subject::event(namespace, kind, id), after_seq).await
    }

    /// Loads an aggregate, from the leader. One without events is the default, at version 0.
    pub async fn load<A: Aggregate>(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<Loaded<A>, Fault> {
        let mut loaded = Loaded::default();
        for recorded in self.history(namespace, A::KIND, id, 0).await? {
            loaded.take(&recorded);
        }
        Ok(loaded)
    }

    /// Loads the aggregate that `envelope` names, decides `command` and appends the event, again
    /// when somebody else was faster. A command that had its event before gets that event.
    pub async fn execute<A: Aggregate>(
        &self,
        namespace: &Namespace,
        command: &A::Command,
        envelope: &Envelope,
    ) -> Result<Outcome, ExecuteError> {
        let id = envelope.aggregate_id;
        let subject = subject::event(namespace, A::KIND, id);
        let mut loaded = Loaded::<A>::default();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)).await;
            }
            for recorded in self.read(&subject, loaded.stream_seq).await? {
                if recorded.metadata.command_id == envelope.command_id {
                    return Ok(Outcome::of(Arc::new(recorded)));
                }
                loaded.take(&recorded);
            }
            let Some(event) = loaded.state.decide(command, envelope)? else {
                return Ok(Outcome { event: None, stream_seq: loaded.stream_seq });
            };
            let draft =
                Draft::next(namespace, id, loaded.version, loaded.stream_seq, event, envelope);
            match self.append(draft).await {
                Ok(recorded) => return Ok(Outcome::of(recorded)),
                Err(AppendError::Conflict { .. }) => {}
                Err(AppendError::Unknown { subject, .. }) => {
                    return Err(Fault::Unknown { subject }.into());
                }
                Err(AppendError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(ExecuteError::Conflict { subject, tries: TRIES })
    }

    /// Appends an event under the guard that its draft carries; for callers that know the position
    /// of the aggregate and need not load it.
    ///
    /// When no answer comes, the event is looked for before it is appended again. Only when that
    /// cannot be told within a few tries, the error is [`AppendError::Unknown`].
    pub async fn append(&self, draft: Draft) -> Result<Arc<Recorded>, AppendError> {
        let payload =
            codec::encode(&self.blobs, draft.version, &draft.event, &draft.metadata).await?;
        let mut attempt = 0;
        loop {
            let lost = match self.try_append(&draft, payload.clone()).await {
                Ok(stream_seq) => return Ok(self.announce(draft.recorded(stream_seq))),
                Err(error) => error,
            };
            match lost {
                AppendError::Fault(_) => return Err(lost),
                // After an unanswered try, the conflict may be with our own event.
                AppendError::Conflict { .. } | AppendError::Unknown { .. } => {
                    match self.taken_by(&draft).await {
                        Ok(Taken::ByUs(stream_seq)) => {
                            return Ok(self.announce(draft.recorded(stream_seq)));
                        }
                        // The guard can never hold again: no late copy of ours can be stored.
                        Ok(Taken::ByAnother) => {
                            return Err(AppendError::Conflict { subject: draft.guard.subject });
                        }
                        Ok(Taken::No) if matches!(lost, AppendError::Conflict { .. }) => {
                            return Err(lost);
                        }
                        Ok(Taken::No) => {}
                        // Cannot be told now: perhaps after the next try.
                        Err(fault) => tracing::warn!(%fault, "an append could not be looked for"),
                    }
                }
            }
            attempt += 1;
            if attempt == TRIES {
                return Err(AppendError::Unknown {
                    subject: draft.subject,
                    cause: format!("no answer in {TRIES} tries").into(),
                });
            }
            tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)).await;
        }
    }

    /// Decodes a message of the stream of events.
    pub async fn decode(&self, raw: Raw) -> Result<Recorded, Fault> {
        codec::decode(&self.blobs, raw).await
    }

    async fn try_append(&self, draft: &Draft, payload: Bytes) -> Result<u64, AppendError> {
        let event_type = draft.event.name();
        let message = Message { subject: draft.subject.clone(), event_type, payload };
        let start = Instant::now();
        let result = self.store.append(message, draft.guard.clone()).await;
        metric::appended(&result, start.elapsed());
        result
    }

    /// Whose event came after the draft's guard.
    ///
    /// An event that is guarded by another subject (`TaskReady`) is not looked for: its own
    /// subject is a queue's, and a second one does no harm, since the claim decides.
    async fn taken_by(&self, draft: &Draft) -> Result<Taken, Fault> {
        if !is_guarded_by_itself(draft) {
            return Ok(Taken::No);
        }
        let after = self.read(&draft.subject, draft.guard.last_seq).await?;
        let ours = |recorded: &&Recorded| {
            recorded.metadata.command_id == draft.metadata.command_id
                && recorded.event.name() == draft.event.name()
        };
        Ok(match after.iter().find(ours) {
            Some(recorded) => Taken::ByUs(recorded.stream_seq),
            None if after.is_empty() => Taken::No,
            None => Taken::ByAnother,
        })
    }

    async fn read(&self, subject: &str, after_seq: u64) -> Result<Vec<Recorded>, Fault> {
        let mut events = Vec::new();
        for raw in self.store.read(subject, after_seq).await? {
            events.push(codec::decode(&self.blobs, raw).await?);
        }
        Ok(events)
    }

    fn announce(&self, recorded: Recorded) -> Arc<Recorded> {
        let recorded = Arc::new(recorded);
        // Without listeners this is refused, and that is well.
        self.own.send(Arc::clone(&recorded)).ok();
        recorded
    }
}

enum Taken {
    ByUs(u64),
    ByAnother,
    No,
}

impl Outcome {
    fn of(recorded: Arc<Recorded>) -> Self {
        Self { stream_seq: recorded.stream_seq, event: Some(recorded) }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
