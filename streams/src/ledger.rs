//! The one path by which events are appended and aggregates are loaded.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kantoku_domain::{Aggregate, Envelope, Event, Id, Kind, Namespace, Recorded, Rejection};
use thiserror::Error;
use tokio::{sync::broadcast, time::Instant};

use crate::{
    AppendError, Blobs, Document, Draft, Fault, Message, Raw, Store,
    cache::{Cache, Known},
    codec,
    defect::{self, Defect},
    document,
    draft::is_guarded_by_itself,
    full_jitter, metric, subject, warn_missing,
};

/// How often a command is decided that loses every race, and an append is tried that no answer
/// comes to.
const TRIES: usize = 6;
const DELAY_BASE: Duration = Duration::from_millis(5);
const DELAY_MAX: Duration = Duration::from_millis(500);

/// How long it is tried to learn what became of an append without an answer. NATS being away for
/// less is not noticed by whoever waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many own events a slow listener may lag behind before it loses the oldest.
const OWN_EVENTS: usize = 4096;

/// Loads aggregates and appends events. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    blobs: Arc<Blobs>,
    cache: Arc<Cache>,
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
    fn of(history: &[Known]) -> Self {
        let mut loaded = Self::default();
        for event in history {
            loaded.take(&event.recorded);
        }
        loaded
    }

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
        Self {
            store,
            blobs,
            cache: Arc::new(Cache::new()),
            own: broadcast::Sender::new(OWN_EVENTS),
        }
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
        let events = self.read(&subject::event(namespace, kind, id), after_seq).await?;
        // Nobody else has them.
        Ok(events.into_iter().map(|event| Arc::unwrap_or_clone(event.recorded)).collect())
    }

    /// The events of an aggregate as far as this process knows them, without a round trip: others may
    /// have followed. `None` where it has not appended or read any lately.
    pub fn recent_history(
        &self,
        namespace: &Namespace,
        kind: Kind,
        id: Id,
    ) -> Option<Vec<Arc<Recorded>>> {
        let history = self.recent(&subject::event(namespace, kind, id))?;
        Some(history.into_iter().map(|event| event.recorded).collect())
    }

    /// Loads an aggregate as it is now, from the leader. One without events is the default, at
    /// version 0.
    pub async fn load<A: Aggregate>(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<Loaded<A>, Fault> {
        let history = self.fresh(&subject::event(namespace, A::KIND, id)).await?;
        Ok(Loaded::of(&history))
    }

    /// Loads an aggregate as it was lately, without a round trip where this process knows it. For
    /// callers whose append is guarded, and who load it afresh before they refuse anything.
    pub async fn load_recent<A: Aggregate>(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<Loaded<A>, Fault> {
        let subject = subject::event(namespace, A::KIND, id);
        match self.recent(&subject) {
            Some(history) => Ok(Loaded::of(&history)),
            None => Ok(Loaded::of(&Box::pin(self.fresh(&subject)).await?)),
        }
    }

    /// Decides `command` on the aggregate that `envelope` names and appends the event, again when
    /// somebody else was faster. A command that had its event before gets that event.
    ///
    /// What this process knows of the aggregate is good enough for an event, which is appended
    /// under its guard. Any other answer is given on what the leader has.
    pub async fn execute<A: Aggregate>(
        &self,
        namespace: &Namespace,
        command: &A::Command,
        envelope: &Envelope,
    ) -> Result<Outcome, ExecuteError> {
        let id = envelope.aggregate_id;
        let subject = subject::event(namespace, A::KIND, id);
        let mut recent = self.recent(&subject);
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)).await;
            }
            let on_recent = recent.take().map(|history| decide::<A>(&history, command, envelope));
            let decision = match on_recent {
                Some(event @ Decision::Event(..)) => event,
                _ => decide::<A>(&Box::pin(self.fresh(&subject)).await?, command, envelope),
            };
            let (loaded, event) = match decision {
                Decision::Event(loaded, event) => (loaded, event),
                Decision::Other(answer) => return answer,
            };
            if let Some(outcome) = self.append_after(&loaded, namespace, *event, envelope).await? {
                return Ok(outcome);
            }
        }
        Err(ExecuteError::Conflict { subject, tries: TRIES })
    }

    /// As [`Self::execute`], for callers that carry the aggregate along: where `known` is what it is
    /// now, nothing is loaded for an event, and where it is not, it is loaded. `known` has to hold all
    /// that was ever appended by this command, if it was.
    pub async fn execute_on<A: Aggregate>(
        &self,
        known: &Loaded<A>,
        namespace: &Namespace,
        command: &A::Command,
        envelope: &Envelope,
    ) -> Result<Outcome, ExecuteError> {
        if let Ok(Some(event)) = known.state.decide(command, envelope) {
            let appended = self.append_after(known, namespace, event, envelope).await?;
            if let Some(outcome) = appended {
                return Ok(outcome);
            }
        }
        Box::pin(self.execute::<A>(namespace, command, envelope)).await
    }

    /// Appends what was decided on `loaded`. `None`: somebody else was faster.
    async fn append_after<A: Aggregate>(
        &self,
        loaded: &Loaded<A>,
        namespace: &Namespace,
        event: Event,
        envelope: &Envelope,
    ) -> Result<Option<Outcome>, ExecuteError> {
        let id = envelope.aggregate_id;
        let (mut version, mut stream_seq) = (loaded.version, loaded.stream_seq);
        if defect::has(Defect::GuardReadAfterDeciding) {
            let loaded = Box::pin(self.load::<A>(namespace, id)).await?;
            (version, stream_seq) = (loaded.version, loaded.stream_seq);
        }
        let draft = Draft::next(namespace, id, version, stream_seq, event, envelope);
        match self.append(draft).await {
            Ok(recorded) => Ok(Some(Outcome::of(recorded))),
            Err(AppendError::Conflict { .. }) => Ok(None),
            Err(AppendError::Unknown { subject, .. }) => Err(Fault::Unknown { subject }.into()),
            Err(AppendError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Appends an event under the guard that its draft carries; for callers that know the position
    /// of the aggregate and need not load it.
    ///
    /// When no answer comes, the event is looked for by its command before it is appended again.
    /// Only when that cannot be told within a few tries or seconds, the error is
    /// [`AppendError::Unknown`]; any other error means that the event is not stored and never will be.
    pub async fn append(&self, draft: Draft) -> Result<Arc<Recorded>, AppendError> {
        if defect::has(Defect::AcknowledgedBeforeAppend) {
            return Ok(self.append_later(draft));
        }
        self.append_now(draft).await
    }

    /// Answers as if the event were stored.
    fn append_later(&self, draft: Draft) -> Arc<Recorded> {
        let (ledger, recorded) = (self.clone(), draft.clone().recorded(draft.guard.last_seq + 1));
        tokio::spawn(async move { ledger.append_now(draft).await });
        Arc::new(recorded)
    }

    async fn append_now(&self, draft: Draft) -> Result<Arc<Recorded>, AppendError> {
        let epoch = self.store.epoch();
        let (payload, bytes) =
            codec::encode(&self.blobs, draft.version, &draft.event, &draft.metadata).await?;
        let stream_seq = match self.try_append(&draft, payload.clone()).await {
            Ok(stream_seq) => stream_seq,
            // Boxed: what is rare is not to make every append large.
            Err(lost) => Box::pin(self.append_again(&draft, &payload, lost)).await?,
        };
        Ok(self.announce(epoch, draft, stream_seq, bytes, payload))
    }

    /// After a first try that was `lost`: looks what became of it, and tries again.
    async fn append_again(
        &self,
        draft: &Draft,
        payload: &Bytes,
        mut lost: AppendError,
    ) -> Result<u64, AppendError> {
        // Since when a try is without an answer: it may have been stored, and may still be.
        let mut open_since = None;
        for attempt in 1..=TRIES {
            let is_open = open_since.is_some();
            match lost {
                // Of a try that was not stored, one before it may be.
                AppendError::Fault(_) if !is_open => return Err(lost),
                // What another subject guards, nobody else appends.
                AppendError::Conflict { .. } if !is_open && !is_guarded_by_itself(draft) => {
                    return Err(lost);
                }
                AppendError::Unknown { .. } => open_since = open_since.or(Some(Instant::now())),
                AppendError::Fault(_) | AppendError::Conflict { .. } => {}
            }
            let patience = open_since.map_or(PATIENCE, |at| PATIENCE.saturating_sub(at.elapsed()));
            // After a try without an answer, the conflict may be with our own event.
            if self.store.wait(patience).await {
                match self.taken_by(draft).await {
                    Ok(Taken::ByUs(stream_seq)) => return Ok(stream_seq),
                    // The guard can never hold again: no late copy of ours can be stored.
                    Ok(Taken::ByAnother) => {
                        return Err(AppendError::Conflict { subject: draft.guard.subject.clone() });
                    }
                    Ok(Taken::No) if is_settled(&lost, open_since) => return Err(lost),
                    Ok(Taken::No) => {}
                    // Cannot be told now: perhaps after the next try.
                    Err(fault) => warn_missing("nats", "look for an append", &fault),
                }
            }
            let is_over = open_since.is_some_and(|at| at.elapsed() >= PATIENCE);
            if is_over || attempt == TRIES {
                break;
            }
            tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)).await;
            lost = match self.try_append(draft, payload.clone()).await {
                Ok(stream_seq) => return Ok(stream_seq),
                Err(error) => error,
            };
        }
        let cause = format!("no answer in {TRIES} tries or {PATIENCE:?}").into();
        Err(AppendError::Unknown { subject: draft.subject.clone(), cause })
    }

    /// Decodes a message of the stream of events.
    pub async fn decode(&self, raw: Raw) -> Result<Recorded, Fault> {
        codec::decode(&self.blobs, raw).await.map(|(recorded, _)| recorded)
    }

    /// Decodes a message that others of this process are delivered as well: one of them does.
    pub(crate) async fn decode_shared(&self, raw: Raw) -> Result<Known, Fault> {
        let epoch = self.store.epoch();
        if let Some(known) = self.cache.decoded(epoch, &raw) {
            return Ok(known);
        }
        // What is kept is not to keep all that was received with it.
        let payload = Bytes::copy_from_slice(&raw.payload);
        let event = self.decode_sized(raw).await?;
        self.cache.keep_event(epoch, &event, payload);
        Ok(event)
    }

    /// The document of a message of the stream of events.
    pub(crate) async fn document(&self, raw: Raw) -> Result<Document, Fault> {
        document::document(&self.blobs, raw).await
    }

    /// The event at `stream_seq`, where it was appended or asked for lately.
    pub(crate) fn known_event(&self, stream_seq: u64) -> Option<Arc<Recorded>> {
        self.cache.event(self.store.epoch(), stream_seq)
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
    async fn taken_by(&self, draft: &Draft) -> Result<Taken, Fault> {
        if defect::has(Defect::RetryWithoutReadingBack) {
            return Ok(Taken::No);
        }
        let after = match self.read(&draft.subject, draft.guard.last_seq).await {
            Ok(after) => after,
            // The subject of a queue, a long one. Whether ours is there is not known, so it may be
            // stored once more, which does no harm: the claim decides.
            Err(Fault::TooLong { .. }) if !is_guarded_by_itself(draft) => Vec::new(),
            Err(fault) => return Err(fault),
        };
        let ours = |event: &&Known| {
            event.recorded.metadata.command_id == draft.metadata.command_id
                && event.recorded.event.name() == draft.event.name()
        };
        if let Some(event) = after.iter().find(ours) {
            return Ok(Taken::ByUs(event.recorded.stream_seq));
        }
        let is_taken = if is_guarded_by_itself(draft) {
            !after.is_empty()
        } else {
            !self.store.read(&draft.guard.subject, draft.guard.last_seq).await?.is_empty()
        };
        Ok(if is_taken { Taken::ByAnother } else { Taken::No })
    }

    /// The history of an aggregate as far as this process knows it.
    fn recent(&self, subject: &str) -> Option<Vec<Known>> {
        let history = self.cache.history(self.store.epoch(), subject);
        metric::loaded(history.is_some());
        history
    }

    /// The history of an aggregate as the leader has it. What is known already is read again from
    /// its last event on, which has to be there still.
    async fn fresh(&self, subject: &str) -> Result<Vec<Known>, Fault> {
        let epoch = self.store.epoch();
        let mut history = self.cache.history(epoch, subject).unwrap_or_default();
        if let Some(last) = history.pop() {
            let rest = self.read(subject, last.recorded.stream_seq - 1).await?;
            let is_last = |event: &Known| {
                event.recorded.stream_seq == last.recorded.stream_seq
                    && event.recorded.metadata.event_id == last.recorded.metadata.event_id
            };
            if rest.first().is_some_and(is_last) {
                history.extend(rest);
            } else {
                // It was purged, or this is another stream than it was.
                history = self.read(subject, 0).await?;
            }
        } else {
            history = self.read(subject, 0).await?;
        }
        self.cache.keep(epoch, subject, &history);
        Ok(history)
    }

    async fn read(&self, subject: &str, after_seq: u64) -> Result<Vec<Known>, Fault> {
        let mut events = Vec::new();
        for raw in self.store.read(subject, after_seq).await? {
            events.push(self.decode_sized(raw).await?);
        }
        Ok(events)
    }

    /// Decodes a message of the stream of events, and says how large the event is.
    pub(crate) async fn decode_sized(&self, raw: Raw) -> Result<Known, Fault> {
        let (recorded, bytes) = codec::decode(&self.blobs, raw).await?;
        Ok(Known { recorded: Arc::new(recorded), bytes })
    }

    /// Keeps an event that was stored, then tells who listens.
    fn announce(
        &self,
        epoch: u64,
        draft: Draft,
        stream_seq: u64,
        bytes: usize,
        payload: Bytes,
    ) -> Arc<Recorded> {
        let after_seq = is_guarded_by_itself(&draft).then_some(draft.guard.last_seq);
        let recorded = Arc::new(draft.recorded(stream_seq));
        let event = Known { recorded: Arc::clone(&recorded), bytes };
        if let Some(after_seq) = after_seq {
            self.cache.append(epoch, &event, after_seq);
        }
        self.cache.keep_event(epoch, &event, payload);
        // Without listeners this is refused, and that is well.
        self.own.send(event.recorded).ok();
        recorded
    }
}

/// What a command comes to on a history.
enum Decision<A> {
    /// An event to append.
    Event(Loaded<A>, Box<Event>),
    /// Anything else, which is only true if the history is.
    Other(Result<Outcome, ExecuteError>),
}

fn decide<A: Aggregate>(
    history: &[Known],
    command: &A::Command,
    envelope: &Envelope,
) -> Decision<A> {
    let ours = |event: &&Known| event.recorded.metadata.command_id == envelope.command_id;
    if let Some(event) = history.iter().find(ours) {
        return Decision::Other(Ok(Outcome::of(Arc::clone(&event.recorded))));
    }
    let loaded = Loaded::<A>::of(history);
    match loaded.state.decide(command, envelope) {
        Ok(Some(event)) => Decision::Event(loaded, Box::new(event)),
        Ok(None) => Decision::Other(Ok(Outcome { event: None, stream_seq: loaded.stream_seq })),
        Err(rejection) => Decision::Other(Err(rejection.into())),
    }
}

/// Whether a guard did not hold and no earlier try can be to blame for that.
fn is_settled(error: &AppendError, open_since: Option<Instant>) -> bool {
    let is_alone = open_since.is_none() || defect::has(Defect::RetryWithoutReadingBack);
    is_alone && matches!(error, AppendError::Conflict { .. })
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

#[cfg(test)]
#[path = "recent_tests.rs"]
mod recent_tests;
