//! Everything that a service needs of NATS, opened at once.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client,
    jetstream::{self, Context},
};
use futures::Stream;
use kantoku_domain::{Id, Namespace, Recorded, Standing, Timestamp};
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    Again, Audit, Blobs, CancelOrder, Candidate, ConnectError, Consumer, ConsumerConfig,
    DeadLetter, DeadLetters, Discovery, Document, DueConsumer, Fault, Heartbeat, HeartbeatReply,
    Heartbeats, Holder, JetStream, Keys, Ledger, Line, Logs, Operations, Presence, Question,
    Questions, Queue, QueueConfig, Redelivered, Replay, RestoreError, Safety, Seals, Secrets,
    ServiceEntry, Settings, SetupError, Snapshots, Timers, again, connect::connect_as, dead,
    inspect::inspect, lead::Leads, leases, questions, restore::Restore, setup, subject,
};

/// A connection whose streams were found or made as they must be.
#[derive(Clone)]
pub struct Bus {
    client: Client,
    context: Context,
    store: JetStream,
    ledger: Ledger,
    timers: Timers,
    presence: Presence,
    secrets: Secrets,
    safety: Arc<Safety>,
}

/// Why the streams cannot be used.
#[derive(Debug, Error)]
pub enum BusError {
    /// The server is out of reach.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server, or a stream on it, is unsuitable.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// It was lost meanwhile.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Bus {
    /// Connects as `name`, giving up at `deadline`, and checks or makes the streams.
    pub async fn open(
        urls: &str,
        name: &str,
        deadline: Duration,
        settings: &Settings,
    ) -> Result<Self, BusError> {
        let client = connect_as(&settings.login, urls, name, deadline).await?;
        Self::over(client, settings).await
    }

    /// Checks or makes the streams over a connection, and says in the log what is at risk.
    pub async fn over(client: Client, settings: &Settings) -> Result<Self, BusError> {
        let context = jetstream::new(client.clone());
        setup(&client, &context, settings).await?;
        let safety = inspect(&client, &context, settings).await?;
        safety.tell();
        let objects = context
            .get_object_store(subject::BLOBS)
            .await
            .map_err(|error| Fault::unreachable("open the store of large values", error))?;
        let store = JetStream::open(client.clone(), &context).await?;
        let timers = Timers::open(&context).await?;
        let presence = Presence::open(client.clone(), &context).await?;
        let blobs = Arc::new(Blobs::over(objects, Blobs::BYTES_MAX));
        let secrets = Secrets::open(client.clone(), &context).await?;
        let ledger = Ledger::new(Arc::new(store.clone()), blobs);
        let safety = Arc::new(safety);
        Ok(Self { client, context, store, ledger, timers, presence, secrets, safety })
    }

    /// How safely the server keeps events, as it was found when this was opened.
    pub fn safety(&self) -> &Safety {
        &self.safety
    }

    /// How many consumers the stream of events has.
    pub async fn consumers(&self) -> Result<usize, Fault> {
        let stream = self.context.get_stream(subject::EVENTS).await;
        let stream =
            stream.map_err(|error| Fault::unreachable("look at the stream of events", error))?;
        Ok(stream.cached_info().state.consumer_count)
    }

    /// Why NATS cannot be asked now: the connection is lost, or nothing is answered. `None` if it
    /// can. Nothing is sent for that.
    pub fn missing(&self) -> Option<&'static str> {
        self.store.reach().missing()
    }

    /// The append path.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A durable consumer of the events, opened with its first batch.
    pub fn consumer(&self, config: ConsumerConfig) -> Consumer {
        Consumer::new(self.context.clone(), self.ledger.clone(), config)
    }

    /// A durable that several services share, opened with its first event. `room` says how many
    /// events there is room for; when its sender is dropped, the queue ends.
    pub fn queue(&self, config: QueueConfig, room: watch::Receiver<usize>) -> Queue {
        let (client, context) = (self.client.clone(), self.context.clone());
        Queue::new(client, context, self.ledger.clone(), config, room)
    }

    /// The output of tasks.
    pub fn logs(&self) -> Logs {
        Logs::new(self.client.clone(), self.context.clone())
    }

    /// The timers that the server keeps.
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// A durable consumer of the timers of `kind` that have fired, opened with its first batch.
    pub fn due(&self, kind: &str, durable: &str) -> DueConsumer {
        DueConsumer::new(self.context.clone(), kind, durable)
    }

    /// For a service that may be the scheduler that acts, once it [stands](Candidate::stand).
    pub fn scheduler(&self, service_id: &str) -> Candidate {
        Candidate::new(self.context.clone(), subject::SCHEDULER, service_id)
    }

    /// Which scheduler acts.
    pub async fn leading_scheduler(&self) -> Result<Option<Holder>, Fault> {
        Leads::holder(&self.context, subject::SCHEDULER).await
    }

    /// The keys of the API.
    pub async fn keys(&self) -> Result<Keys, Fault> {
        Keys::open(self.client.clone(), &self.context).await
    }

    /// Operations over many records.
    pub async fn operations(&self) -> Result<Operations, Fault> {
        Operations::open(self.client.clone(), &self.context).await
    }

    /// Who asked for what.
    pub fn audit(&self) -> Audit {
        Audit::new(self.client.clone(), self.context.clone())
    }

    /// Who is present.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// What tasks are given by name, sealed.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Answers NATS' own discovery for the service of `entry`, until it is dropped.
    pub async fn discovery(&self, entry: &ServiceEntry) -> Result<Discovery, Fault> {
        Discovery::start(&self.client, entry).await
    }

    /// Sends a heartbeat and waits for the lease keeper's reply up to `timeout`. `None` when no
    /// keeper listens: then nobody takes leases away either.
    pub async fn beat(
        &self,
        heartbeat: &Heartbeat,
        timeout: Duration,
    ) -> Result<Option<HeartbeatReply>, Fault> {
        leases::beat(&self.client, heartbeat, timeout).await
    }

    /// The heartbeats of all services, from now on.
    pub async fn heartbeats(&self) -> Result<Heartbeats, Fault> {
        Heartbeats::open(&self.client).await
    }

    /// Tells `service_id` to stop an attempt. It may not hear it: the reply to its next heartbeat
    /// says it again.
    pub async fn order_cancel(&self, service_id: &str, order: &CancelOrder) -> Result<(), Fault> {
        leases::order_cancel(&self.client, service_id, order).await
    }

    /// The orders to `service_id`, from now on.
    pub async fn cancel_orders(
        &self,
        service_id: &str,
    ) -> Result<impl Stream<Item = CancelOrder> + Send + Unpin + use<>, Fault> {
        leases::cancel_orders(&self.client, service_id).await
    }

    /// Asks a scheduler where a task stands and why, and waits for its answer up to `timeout`.
    /// `None` when nobody answers, or nobody knows the task: it may be over, or just have begun.
    /// Whether the caller may know of the task is for the caller to find out before.
    pub async fn ask(
        &self,
        namespace: &Namespace,
        task_id: Id,
        timeout: Duration,
    ) -> Result<Option<Standing>, Fault> {
        let question = Question { namespace: namespace.clone(), task_id };
        questions::ask(&self.client, &question, timeout).await
    }

    /// The questions of all who ask, from about now on.
    pub async fn questions(&self) -> Result<Questions, Fault> {
        Questions::open(&self.client).await
    }

    /// The version of the server that this is connected to.
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// The position of the last event; 0 before the first.
    pub async fn head(&self) -> Result<u64, Fault> {
        self.store.last_seq().await
    }

    /// The first position that the stream still has, or will have if it is empty.
    pub async fn first_position(&self) -> Result<u64, Fault> {
        self.store.first_seq().await
    }

    /// The position of the last event that was not purged: what a reader of the whole stream is sure
    /// to arrive at. 0 when there is none.
    pub async fn last_position(&self) -> Result<u64, Fault> {
        self.store.last_kept_seq().await
    }

    /// A reader of the events from `from_seq` to what is the last position now.
    pub async fn replay(&self, from_seq: u64) -> Result<Replay, Fault> {
        Replay::new(self.store.clone(), self.ledger.clone(), from_seq, None).await
    }

    /// The events from position `from_seq` to `to_seq`, both included, in order. What was purged or
    /// is no event is left out. For short stretches: all of it is held at once.
    pub async fn between(&self, from_seq: u64, to_seq: u64) -> Result<Vec<Recorded>, Fault> {
        let store = self.store.clone();
        let mut replay = Replay::new(store, self.ledger.clone(), from_seq, Some(to_seq)).await?;
        let mut events = Vec::new();
        while let Some(page) = replay.next_page().await? {
            events.extend(page.into_iter().filter_map(Result::ok));
        }
        Ok(events)
    }

    /// Puts `lines`, which are those of an export, back at their own positions, behind position
    /// `after`, which is that of the line before them. Returns how many were not there already.
    pub async fn restore(&self, lines: &[Line], after: u64) -> Result<u64, RestoreError> {
        let Self { context, store, ledger, .. } = self;
        Restore { context, store, ledger }.put(lines, after).await
    }

    /// What consumers could not digest, after letter `after` (0 for all), oldest first: at most
    /// `limit` letters, and never more than 1,000.
    pub async fn dead_letters(&self, after: u64, limit: usize) -> Result<DeadLetters, Fault> {
        dead::list(&self.client, after, limit).await
    }

    /// The dead letter of this number; `None` when there is none (any more).
    pub async fn dead_letter(&self, letter: u64) -> Result<Option<DeadLetter>, Fault> {
        dead::get(&self.client, letter).await
    }

    /// Asks the consumer that could not digest a letter to take in its event again. The letter is
    /// removed once a service has it in hand.
    pub async fn redeliver(&self, letter: u64) -> Result<Redelivered, Fault> {
        let Some(found) = self.dead_letter(letter).await? else { return Ok(Redelivered::NoLetter) };
        if !again::ask(&self.client, &found.consumer, found.stream_seq).await? {
            return Ok(Redelivered::NobodyReads);
        }
        dead::remove(&self.context, letter).await?;
        Ok(Redelivered::Taken)
    }

    /// What is asked of those who read through the durable `consumer`, from now on.
    pub async fn again(&self, consumer: &str) -> Result<Again, Fault> {
        Again::open(&self.client, consumer).await
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &JetStream {
        &self.store
    }

    /// The seals over the events.
    pub fn seals(&self) -> Seals {
        Seals::new(self.client.clone(), self.context.clone())
    }

    /// What nodes have folded of the events.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.context.clone())
    }

    /// When the stream of events was created: a stream made anew has the positions of the old one
    /// and other events.
    pub async fn created(&self) -> Result<Timestamp, Fault> {
        let stream = self.context.get_stream(subject::EVENTS).await;
        let stream =
            stream.map_err(|error| Fault::unreachable("look at the stream of events", error))?;
        Ok(stream.cached_info().created.into())
    }

    /// When the stream of events was created, and the position of its last event.
    pub async fn extent(&self) -> Result<(Timestamp, u64), Fault> {
        let stream = self.context.get_stream(subject::EVENTS).await;
        let stream =
            stream.map_err(|error| Fault::unreachable("look at the stream of events", error))?;
        let info = stream.cached_info();
        Ok((info.created.into(), info.state.last_sequence))
    }

    /// The document of the event at `stream_seq`, as the leader has it; `None` when there is none.
    pub async fn document_at(&self, stream_seq: u64) -> Result<Option<Document>, Fault> {
        match self.store.first(">", stream_seq).await? {
            Some(raw) if raw.stream_seq == stream_seq => self.ledger.document(raw).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The event at `stream_seq`, as the leader has it; `None` when there is none, or what is there
    /// cannot be read.
    pub async fn find_event(&self, stream_seq: u64) -> Result<Option<Arc<Recorded>>, Fault> {
        let found = self.store.first(">", stream_seq.max(1)).await?;
        let Some(raw) = found.filter(|raw| raw.stream_seq == stream_seq) else { return Ok(None) };
        match self.ledger.decode(raw).await {
            Ok(recorded) => Ok(Some(Arc::new(recorded))),
            Err(fault) if fault.is_final() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The event at `stream_seq`. One that was appended or asked for lately is at hand.
    pub async fn event_at(&self, stream_seq: u64) -> Result<Arc<Recorded>, Fault> {
        if let Some(recorded) = self.ledger.known_event(stream_seq) {
            return Ok(recorded);
        }
        let raw = self.store.at(stream_seq).await?;
        Ok(self.ledger.decode_shared(raw).await?.recorded)
    }
}
