//! Seals: what the chain over all events was at a position, kept beside them.

use std::time::Duration;

use async_nats::{
    Client, HeaderMap,
    client::Request,
    header,
    jetstream::{Context, publish::PublishAck, response::Response, stream::RawMessageErrorKind},
};
use kantoku_domain::{Id, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppendError, Cause, Chain, Fault, direct, jetstream::is_conflict, subject};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What the chain over all events was at a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seal {
    /// The position of the last event that it holds; 0 for none.
    pub stream_seq: u64,
    /// That event.
    pub event_id: Id,
    /// How many events it holds.
    pub events: u64,
    /// The link of that event.
    pub chain: Chain,
    /// When the stream of events was created: another has other events at the same positions.
    pub stream_created: Timestamp,
    /// When it was made.
    pub at: Timestamp,
    /// Why the chain begins anew with this, of a seal that holds no event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
}

/// An order to begin a chain anew, as the stream is not the one any more that was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Seal {
    /// The beginning of the chain over the stream that was created at `stream_created`.
    pub fn first(stream_created: Timestamp, at: Timestamp) -> Self {
        Self {
            stream_seq: 0,
            event_id: Id::default(),
            events: 0,
            chain: Chain::START,
            stream_created,
            at,
            begun: None,
        }
    }
}

/// A seal, and its own position among the seals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredSeal {
    /// Among the seals.
    pub position: u64,
    /// What it says.
    #[serde(flatten)]
    pub seal: Seal,
}

/// The stream of seals.
#[derive(Clone)]
pub struct Seals {
    client: Client,
    context: Context,
}

impl Seals {
    /// How many seals one page has.
    pub const PAGE: usize = 256;

    pub(crate) fn new(client: Client, context: Context) -> Self {
        Self { client, context }
    }

    /// The last seal, as the leader has it. `None` before the first.
    pub async fn latest(&self) -> Result<Option<StoredSeal>, Fault> {
        let fault = |cause: Cause| Fault::unreachable("read the last seal", cause);
        let stream = self
            .context
            .get_stream_no_info(subject::SEALS)
            .await
            .map_err(|error| fault(error.into()))?;
        match stream.get_last_raw_message_by_subject(subject::SEAL).await {
            Ok(message) => stored(message.sequence, &message.payload).map(Some),
            Err(error) if is_missing(error.kind()) => Ok(None),
            Err(error) => Err(fault(error.into())),
        }
    }

    /// The seals after position `after`, in order, [`Self::PAGE`] at most.
    pub async fn page(&self, after: u64) -> Result<Vec<StoredSeal>, Fault> {
        let (stream, subject) = (subject::SEALS, subject::SEAL);
        let from = after.saturating_add(1);
        let page = direct::page(&self.client, stream, subject, from, Self::PAGE).await?;
        page.messages.iter().map(|message| stored(message.stream_seq, &message.payload)).collect()
    }

    /// Stores `seal` if the last one is at position `after`, 0 for none; returns its position. Of two
    /// who seal at once one is refused: a chain never forks.
    ///
    /// When no answer comes it is looked for; only when that fails, too, the outcome is unknown.
    pub async fn append(&self, seal: &Seal, after: u64) -> Result<u64, AppendError> {
        match self.publish(seal, after).await {
            Err(AppendError::Unknown { subject, cause }) => match self.latest().await {
                Ok(Some(last)) if last.seal == *seal => Ok(last.position),
                // It may come yet, and would be found by whoever asks next.
                _ => Err(AppendError::Unknown { subject, cause }),
            },
            done => done,
        }
    }

    async fn publish(&self, seal: &Seal, after: u64) -> Result<u64, AppendError> {
        const WHAT: &str = "store a seal";
        let subject = || subject::SEAL.to_owned();
        let unknown = |cause: Cause| AppendError::Unknown { subject: subject(), cause };
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_EXPECTED_STREAM, subject::SEALS);
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after.to_string());
        let json = serde_json::to_vec(seal)
            .map_err(|error| AppendError::Fault(Fault::unreachable(WHAT, error)))?;
        let request =
            Request::new().headers(headers).payload(json.into()).timeout(Some(ANSWER_TIMEOUT));
        let answer = self.client.send_request(subject(), request).await;
        let answer = answer.map_err(|error| unknown(error.into()))?;
        match serde_json::from_slice::<Response<PublishAck>>(&answer.payload) {
            Ok(Response::Ok(ack)) => Ok(ack.sequence),
            Ok(Response::Err { error }) if is_conflict(error.error_code()) => {
                Err(AppendError::Conflict { subject: subject() })
            }
            Ok(Response::Err { error }) => Err(Fault::refused(WHAT, &error).into()),
            Err(error) => Err(unknown(error.into())),
        }
    }
}

fn stored(position: u64, payload: &[u8]) -> Result<StoredSeal, Fault> {
    match serde_json::from_slice(payload) {
        Ok(seal) => Ok(StoredSeal { position, seal }),
        Err(error) => Err(crate::Malformed {
            subject: subject::SEAL.to_owned(),
            stream_seq: position,
            reason: format!("it is no seal: {error}"),
        }
        .into()),
    }
}

fn is_missing(kind: RawMessageErrorKind) -> bool {
    match kind {
        RawMessageErrorKind::NoMessageFound => true,
        RawMessageErrorKind::JetStream(error) => {
            error.error_code() == async_nats::jetstream::ErrorCode::NO_MESSAGE_FOUND
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    fn seal(events: u64) -> Seal {
        let at = Timestamp::from_micros(1);
        Seal { stream_seq: events, events, ..Seal::first(at, at) }
    }

    #[tokio::test]
    async fn of_two_who_seal_at_once_one_is_refused() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let seals = Seals::new(client, context);
        assert_eq!(seals.latest().await.unwrap(), None);
        assert_eq!(seals.page(0).await.unwrap(), []);

        let (one, other) = (seal(1), seal(2));
        let (first, second) = tokio::join!(seals.append(&one, 0), seals.append(&other, 0));
        let refused = [&first, &second].iter().filter(|it| it.is_err()).count();
        assert_eq!(refused, 1, "{first:?} {second:?}");
        let error = first.err().or(second.err()).unwrap();
        assert!(matches!(error, AppendError::Conflict { .. }), "{error:?}");

        let last = seals.latest().await.unwrap().unwrap();
        let next = seals.append(&seal(3), last.position).await.unwrap();
        assert!(matches!(
            seals.append(&seal(4), last.position).await,
            Err(AppendError::Conflict { .. })
        ));
        let page = seals.page(0).await.unwrap();
        assert_eq!((page.len(), page[1].position, &page[1].seal), (2, next, &seal(3)));
        assert_eq!(seals.page(last.position).await.unwrap(), page[1..]);
    }

    #[tokio::test]
    async fn a_seal_cannot_be_taken_out_again() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let position = Seals::new(client, context.clone()).append(&seal(1), 0).await.unwrap();
        let stream = context.get_stream(subject::SEALS).await.unwrap();
        assert!(stream.delete_message(position).await.is_err());
    }
}
