//! Asking a consumer to take in again what it could not digest.

use std::time::Duration;

use async_nats::{Client, RequestErrorKind, Subject, Subscriber, client::Request};
use futures::StreamExt as _;

use crate::{Fault, subject};

/// How long the answer of a consumer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The answer of who has taken it in hand.
const TAKEN: &str = "taken";

/// What became of a dead letter that was to be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivered {
    /// A service has it in hand, and the letter is gone. If it fails again there is a new one.
    Taken,
    /// There is no such letter (any more).
    NoLetter,
    /// Nobody who reads through that durable runs, or it did not answer. A node folds all events
    /// anew when it is started; a read model is made anew by `ktk projections rebuild`.
    NobodyReads,
}

/// The requests to the services that read through one durable, to take in an event again.
pub struct Again {
    client: Client,
    asked: Subscriber,
}

/// An event that is to be taken in again.
pub struct Wanted {
    /// Its position.
    pub stream_seq: u64,
    client: Client,
    reply_to: Option<Subject>,
}

impl Again {
    /// Those from now on. Of several services that share `consumer` one hears each.
    pub(crate) async fn open(client: &Client, consumer: &str) -> Result<Self, Fault> {
        let asked = client
            .queue_subscribe(subject::again(consumer), "again".to_owned())
            .await
            .map_err(|error| Fault::unreachable("listen to what is delivered again", error))?;
        Ok(Self { client: client.clone(), asked })
    }

    /// The next one. `None` when the connection was closed for good. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Wanted> {
        loop {
            let message = self.asked.next().await?;
            let position = std::str::from_utf8(&message.payload).ok();
            if let Some(stream_seq) = position.and_then(|position| position.parse().ok()) {
                let client = self.client.clone();
                return Some(Wanted { stream_seq, client, reply_to: message.reply });
            }
        }
    }
}

impl Wanted {
    /// Says that it is in hand.
    pub async fn taken(self) {
        let Some(reply_to) = self.reply_to else { return };
        // Whoever asked asks again, and is none the worse for it.
        self.client.publish(reply_to, TAKEN.into()).await.ok();
    }
}

/// Asks whoever reads through `consumer` to take in the event at `stream_seq`. Whether somebody does.
pub(crate) async fn ask(client: &Client, consumer: &str, stream_seq: u64) -> Result<bool, Fault> {
    let request =
        Request::new().payload(stream_seq.to_string().into()).timeout(Some(ANSWER_TIMEOUT));
    match client.send_request(subject::again(consumer), request).await {
        Ok(answer) => Ok(answer.payload == TAKEN),
        Err(error)
            if matches!(
                error.kind(),
                RequestErrorKind::NoResponders | RequestErrorKind::TimedOut
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(Fault::unreachable("have an event delivered again", error)),
    }
}
