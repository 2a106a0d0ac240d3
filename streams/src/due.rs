//! What timers were set for, once they are due.

use std::time::Duration;

use async_nats::jetstream::{
    AckKind, Context, Message,
    consumer::{AckPolicy, pull},
};
use futures::{FutureExt as _, StreamExt as _};
use kantoku_domain::Id;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::{
    Cause, Fault, full_jitter, interruptions::Interruptions, subject, timers::timer_of,
    warn_missing,
};

const BATCH_MAX: usize = 256;
const IN_FLIGHT_MAX: i64 = 1_024;
const ACK_WAIT: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
const EXPIRES: Duration = Duration::from_secs(30);
const DELAY_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(2);

/// A durable consumer of what is due of one kind. Several services may share it.
pub struct DueConsumer {
    context: Context,
    kind: String,
    durable: String,
    messages: Option<pull::Stream>,
    interruptions: Interruptions,
}

/// A timer that has fired. Dropped without a verdict, it is delivered again.
pub struct Due {
    message: Option<Message>,
    /// The timer.
    pub id: Id,
}

impl DueConsumer {
    pub(crate) fn new(context: Context, kind: &str, durable: &str) -> Self {
        let (kind, durable) = (kind.to_owned(), durable.to_owned());
        let interruptions = Interruptions::of(&context.client());
        Self { context, kind, durable, messages: None, interruptions }
    }

    /// The next timers that have fired: at least one, and what else is at hand. `None` once `stop`
    /// is cancelled. Lost connections and a deleted durable are repaired here.
    pub async fn next_batch(&mut self, stop: &CancellationToken) -> Option<Vec<Due>> {
        let mut attempt = 0;
        loop {
            let fault = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                batch = self.try_batch() => match batch {
                    Ok(batch) if batch.is_empty() => continue,
                    Ok(batch) => return Some(batch),
                    Err(fault) => fault,
                },
            };
            self.messages = None;
            warn_missing("nats", &format!("read timers through {}", self.durable), &fault);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)) => {}
            }
            attempt += 1;
        }
    }

    async fn try_batch(&mut self) -> Result<Vec<Due>, Fault> {
        let fault = |cause: Cause| Fault::unreachable("deliver timers", cause);
        if self.messages.is_none() {
            self.interruptions.connected().await;
            self.messages = Some(self.open().await?);
        }
        let Some(messages) = &mut self.messages else { return Ok(Vec::new()) };
        let mut batch = Vec::new();
        let mut next = tokio::select! {
            next = messages.next() => next,
            // The server has forgotten what it was asked for.
            () = self.interruptions.over() => {
                return Err(fault("the connection was lost".into()));
            }
        };
        loop {
            match next {
                Some(Ok(message)) => batch.extend(Due::of(message).await),
                // What was collected is still good; the error comes again with the next call.
                _ if !batch.is_empty() => return Ok(batch),
                Some(Err(error)) => return Err(fault(error.into())),
                None => return Err(fault("the stream of messages ended".into())),
            }
            if batch.len() >= BATCH_MAX {
                return Ok(batch);
            }
            match messages.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(batch),
            }
        }
    }

    async fn open(&self) -> Result<pull::Stream, Fault> {
        let name = &self.durable;
        let fault = |cause: Cause| Fault::unreachable(format!("open consumer {name}"), cause);
        let config = pull::Config {
            durable_name: Some(name.clone()),
            filter_subject: subject::due(&self.kind),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: IN_FLIGHT_MAX,
            max_deliver: -1,
            ..pull::Config::default()
        };
        let consumer = self
            .context
            .create_consumer_on_stream(config, subject::TIMERS)
            .await
            .map_err(|error| fault(error.into()))?;
        consumer
            .stream()
            .max_messages_per_batch(BATCH_MAX)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| fault(error.into()))
    }
}

impl Due {
    /// `None`, and it never comes again, for what no timer of ours has sent.
    async fn of(message: Message) -> Option<Self> {
        if let Some(id) = timer_of(message.headers.as_ref()) {
            return Some(Self { message: Some(message), id });
        }
        tracing::warn!(subject = %message.subject, "a due message names no timer");
        message.ack_with(AckKind::Term).await.ok();
        None
    }

    /// What the timer was set with.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let payload = self.message.as_ref().map_or(&[][..], |message| &message.payload);
        serde_json::from_slice(payload)
    }

    /// It was seen to.
    pub async fn ack(mut self) -> Result<(), Fault> {
        let Some(message) = self.message.take() else { return Ok(()) };
        message.ack().await.map_err(|error| Fault::unreachable("acknowledge a timer", error))
    }

    /// Deliver it again after `delay`.
    pub async fn retry(mut self, delay: Duration) -> Result<(), Fault> {
        let Some(message) = self.message.take() else { return Ok(()) };
        message
            .ack_with(AckKind::Nak(Some(delay)))
            .await
            .map_err(|error| Fault::unreachable("postpone a timer", error))
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        let Some(message) = self.message.take() else { return };
        // Without a runtime the process is about to end, and the delivery times out instead.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { message.ack_with(AckKind::Nak(None)).await });
        }
    }
}
