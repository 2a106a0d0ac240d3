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
    Blobs, CancelOrder, ConnectError, Consumer, ConsumerConfig, Discovery, DueConsumer, Fault,
    Heartbeat, HeartbeatReply, Heartbeats, JetStream, Ledger, Logs, Presence, Question, Questions,
    Queue, Replay, ServiceEntry, Settings, SetupError, Timers, connect, leases, questions, setup,
    subject,
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
        let client = connect(urls, name, deadline).await?;
        let context = jetstream::new(client.clone());
        setup(&client, &context, settings).await?;
        let objects = context
            .get_object_store(subject::BLOBS)
            .await
            .map_err(|error| Fault::unreachable("open the store of large values", error))?;
        let store = JetStream::open(client.clone(), &context).await?;
        let timers = Timers::open(&context).await?;
        let presence = Presence::open(client.clone(), &context).await?;
        let blobs = Arc::new(Blobs::over(objects, Blobs::BYTES_MAX));
        let ledger = Ledger::new(Arc::new(store.clone()), blobs);
        Ok(Self { client, context, store, ledger, timers, presence })
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
    pub fn queue(&self, config: ConsumerConfig, room: watch::Receiver<usize>) -> Queue {
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

    /// Who is present.
    pub fn presence(&self) -> &Presence {
        &self.presence
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

    /// When the stream of events was created: a stream made anew has the positions of the old one
    /// and other events.
    pub async fn created(&self) -> Result<Timestamp, Fault> {
        let stream = self.context.get_stream(subject::EVENTS).await;
        let stream =
            stream.map_err(|error| Fault::unreachable("look at the stream of events", error))?;
        Ok(stream.cached_info().created.into())
    }

    /// The event at `stream_seq`. One that was appended or asked for lately is at hand.
    pub async fn event_at(&self, stream_seq: u64) -> Result<Arc<Recorded>, Fault> {
        if let Some(recorded) = self.ledger.known_event(stream_seq) {
            return Ok(recorded);
        }
        let raw = self.store.at(stream_seq).await?;
        self.ledger.decode_and_keep(raw).await
    }
}
