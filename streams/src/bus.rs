//! Everything that a service needs of NATS, opened at once.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, Context};
use kantoku_domain::{Recorded, Timestamp};
use thiserror::Error;

use crate::{
    Blobs, ConnectError, Consumer, ConsumerConfig, Fault, JetStream, Ledger, Raw, Replay, Settings,
    SetupError, connect, setup, subject,
};

/// A connection whose streams were found or made as they must be.
#[derive(Clone)]
pub struct Bus {
    context: Context,
    store: JetStream,
    ledger: Ledger,
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
        let store = JetStream::open(client, &context).await?;
        let blobs = Arc::new(Blobs::over(objects, Blobs::BYTES_MAX));
        let ledger = Ledger::new(Arc::new(store.clone()), blobs);
        Ok(Self { context, store, ledger })
    }

    /// The append path.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A durable consumer of the events, opened with its first batch.
    pub fn consumer(&self, config: ConsumerConfig) -> Consumer {
        Consumer::new(self.context.clone(), self.ledger.clone(), config)
    }

    /// The position of the last event; 0 before the first.
    pub async fn head(&self) -> Result<u64, Fault> {
        self.store.last_seq().await
    }

    /// A reader of the events from `from_seq` to what is the last position now.
    pub async fn replay(&self, from_seq: u64) -> Result<Replay, Fault> {
        Replay::new(self.store.clone(), self.ledger.clone(), from_seq, None).await
    }

    /// When the stream of events was created: a stream made anew has the positions of the old one
    /// and other events.
    pub async fn created(&self) -> Result<Timestamp, Fault> {
        let stream = self.context.get_stream(subject::EVENTS).await;
        let stream =
            stream.map_err(|error| Fault::unreachable("look at the stream of events", error))?;
        Ok(stream.cached_info().created.into())
    }

    /// The event at `stream_seq`, from the leader.
    pub async fn event_at(&self, stream_seq: u64) -> Result<Recorded, Fault> {
        let fault = |cause: crate::Cause| Fault::unreachable("read an event", cause);
        let stream = self
            .context
            .get_stream_no_info(subject::EVENTS)
            .await
            .map_err(|error| fault(error.into()))?;
        let message =
            stream.get_raw_message(stream_seq).await.map_err(|error| fault(error.into()))?;
        let event_type = message.headers.get(subject::TYPE_HEADER).map(ToString::to_string);
        self.ledger
            .decode(Raw {
                stream_seq,
                subject: message.subject.to_string(),
                event_type,
                payload: message.payload,
            })
            .await
    }
}
