//! What executors and lease keepers tell each other: no events, no rows, and in no stream.

use std::time::Duration;

use async_nats::{Client, RequestErrorKind, Subject, Subscriber, client::Request};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use kantoku_domain::{Id, Millis, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Fault, interruptions::Interruptions, subject};

/// Says that a service lives, and which attempts it holds. Repeated every third of `lease`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The persistent id of the service.
    pub service_id: String,
    /// This run of it.
    pub boot_id: Id,
    /// The position of the last event when this run sent its first heartbeat. What another run of
    /// the service had claimed up to there ends at once: that run is over. (Which of two runs is the
    /// newer one, neither clocks nor the order of messages can tell as surely.)
    #[serde(default)]
    pub born: u64,
    /// What it holds: everything that it has claimed and not seen the end of.
    pub attempts: Vec<HeldAttempt>,
    /// How long it counts on holding them without another heartbeat.
    pub lease: Millis,
}

/// An attempt in somebody's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldAttempt {
    /// The task.
    pub task_id: Id,
    /// The attempt.
    pub attempt: u32,
    /// The position of the claim, `TaskReceived`: a keeper that has not read so far cannot say
    /// anything about the attempt.
    pub fence: u64,
}

/// What a service has to know about its attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// These are to be stopped.
    pub cancelled: Vec<CancelOrder>,
    /// These are not the service's any more: another may have them, so they are to be stopped, and
    /// nothing is to be reported of them.
    pub lost: Vec<HeldAttempt>,
}

/// An attempt is to be stopped, as its task has ended otherwise: it was cancelled or restarted, or
/// its time is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// The task.
    pub task_id: Id,
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub reason: String,
}

impl Heartbeat {
    /// How many attempts one heartbeat lists at most: as many as one message has room for.
    pub const ATTEMPTS_MAX: usize = 5_000;
}

/// What a lease keeper hears.
#[derive(Debug)]
pub enum Heard {
    /// A heartbeat, and who waits for the reply.
    Beat(Heartbeat, Box<Responder>),
    /// The [echo](Heartbeats::echo) that was sent at this time: every heartbeat that the server
    /// took in before has been heard.
    Echo(Timestamp),
    /// The connection was lost and is back: heartbeats may have been missed.
    Interrupted,
}

/// All heartbeats of all services.
pub struct Heartbeats {
    client: Client,
    beats: Subscriber,
    interruptions: Interruptions,
    listener: String,
}

/// What a listener sends to itself.
#[derive(Serialize, Deserialize)]
struct Echo {
    listener: String,
    at: Timestamp,
}

/// Where the reply to one heartbeat goes.
#[derive(Debug)]
pub struct Responder {
    client: Client,
    reply_to: Option<Subject>,
}

impl Heartbeats {
    pub(crate) async fn open(client: &Client) -> Result<Self, Fault> {
        let fault = |cause: crate::Cause| Fault::unreachable("listen to heartbeats", cause);
        let interruptions = Interruptions::of(client);
        let beats = client.subscribe(subject::BEATS).await.map_err(|error| fault(error.into()))?;
        client.flush().await.map_err(|error| fault(error.into()))?;
        let listener = client.new_inbox();
        Ok(Self { client: client.clone(), beats, interruptions, listener })
    }

    /// Sends a message that comes back as [`Heard::Echo`], behind all heartbeats before it. A
    /// listener whose connection is dead without knowing hears no echo.
    pub async fn echo(&self, now: Timestamp) -> Result<(), Fault> {
        let echo = Echo { listener: self.listener.clone(), at: now };
        self.client
            .publish(subject::ECHOES, to_json(&echo))
            .await
            .map_err(|error| Fault::unreachable("listen to heartbeats", error))
    }

    /// The next heartbeat, or that some may have been missed. `None` when the connection was
    /// closed for good. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            if self.interruptions.take() {
                return Some(Heard::Interrupted);
            }
            let message = tokio::select! {
                biased;
                message = self.beats.next() => message?,
                () = self.interruptions.over() => return Some(Heard::Interrupted),
            };
            if message.subject.as_str() == subject::ECHOES {
                match read::<Echo>(&message.subject, &message.payload) {
                    Some(echo) if echo.listener == self.listener => {
                        return Some(Heard::Echo(echo.at));
                    }
                    _ => continue,
                }
            }
            if let Some(beat) = read(&message.subject, &message.payload) {
                let reply_to = message.reply;
                let responder = Box::new(Responder { client: self.client.clone(), reply_to });
                return Some(Heard::Beat(beat, responder));
            }
        }
    }
}

impl Responder {
    /// Replies.
    pub async fn answer(self, reply: &HeartbeatReply) -> Result<(), Fault> {
        let Some(reply_to) = self.reply_to else { return Ok(()) };
        self.client
            .publish(reply_to, to_json(reply))
            .await
            .map_err(|error| Fault::unreachable("answer a heartbeat", error))
    }
}

/// Sends a heartbeat and waits for the reply up to `timeout`; `None` when no keeper listens.
pub(crate) async fn beat(
    client: &Client,
    heartbeat: &Heartbeat,
    timeout: Duration,
) -> Result<Option<HeartbeatReply>, Fault> {
    let fault = |cause: crate::Cause| Fault::unreachable("pass on a heartbeat", cause);
    if heartbeat.attempts.len() > Heartbeat::ATTEMPTS_MAX {
        let (count, max) = (heartbeat.attempts.len(), Heartbeat::ATTEMPTS_MAX);
        return Err(fault(format!("it lists {count} attempts, {max} is the most").into()));
    }
    let request = Request::new().payload(to_json(heartbeat)).timeout(Some(timeout));
    match client.send_request(subject::beat(&heartbeat.service_id), request).await {
        Ok(reply) => {
            Ok(Some(serde_json::from_slice(&reply.payload).map_err(|error| fault(error.into()))?))
        }
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(None),
        Err(error) => Err(fault(error.into())),
    }
}

/// Tells `service_id` to stop an attempt. It may not hear it; the reply to its next heartbeat says
/// it again.
pub(crate) async fn order_cancel(
    client: &Client,
    service_id: &str,
    order: &CancelOrder,
) -> Result<(), Fault> {
    client
        .publish(subject::orders(service_id), to_json(order))
        .await
        .map_err(|error| Fault::unreachable("pass on a cancellation", error))
}

/// The orders to `service_id`, from now on.
pub(crate) async fn cancel_orders(
    client: &Client,
    service_id: &str,
) -> Result<impl Stream<Item = CancelOrder> + Send + Unpin + use<>, Fault> {
    let fault = |cause: crate::Cause| Fault::unreachable("listen to cancellations", cause);
    let orders =
        client.subscribe(subject::orders(service_id)).await.map_err(|error| fault(error.into()))?;
    client.flush().await.map_err(|error| fault(error.into()))?;
    Ok(orders
        .filter_map(|message| std::future::ready(read(&message.subject, &message.payload)))
        .boxed())
}

/// `None`, after a line that says so, for what another version or nobody of ours sent.
pub(crate) fn read<T: DeserializeOwned>(subject: &str, payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload)
        .inspect_err(|error| tracing::warn!(subject, %error, "a message cannot be read"))
        .ok()
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("messages have string keys only").into()
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;
