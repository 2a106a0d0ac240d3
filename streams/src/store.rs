//! Where events are kept: what the ledger needs of `JetStream`, and no more.

use std::{future::ready, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use thiserror::Error;

use crate::{Cause, Fault};

/// A message to store.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where.
    pub subject: String,
    /// The event's type.
    pub event_type: &'static str,
    /// The stored form, see [`codec`](crate::codec).
    pub payload: Bytes,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Its position in the stream.
    pub stream_seq: u64,
    /// Where it was published.
    pub subject: String,
    /// The event's type, if the message has the header.
    pub event_type: Option<String>,
    /// The stored form.
    pub payload: Bytes,
}

/// The condition of an append: the last message on `subject` has this position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// A literal subject; usually, but not always, that of the append.
    pub subject: String,
    /// The expected position, 0 when there is no message.
    pub last_seq: u64,
}

/// Why an append was not acknowledged.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The guard does not hold: somebody else appended. Nothing was stored.
    #[error("somebody else appended to {subject} meanwhile; load it again and decide again")]
    Conflict {
        /// The guarded subject.
        subject: String,
    },
    /// No answer came: it may have been stored, and may still be.
    #[error("it is unknown whether an event was stored on {subject}: {cause}")]
    Unknown {
        /// Where it was to be stored.
        subject: String,
        /// What the client reports.
        #[source]
        cause: Cause,
    },
    /// It was not stored.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A store of messages in one order, with guarded appends.
pub trait Store: Send + Sync {
    /// Stores `message` if `guard` holds, and returns its position.
    fn append(&self, message: Message, guard: Guard) -> BoxFuture<'_, Result<u64, AppendError>>;

    /// All messages on the literal `subject` after position `after_seq`, in order, as the leader
    /// has them. [`Fault::TooLong`] when there are more than [`EVENTS_MAX`].
    fn read<'a>(
        &'a self,
        subject: &'a str,
        after_seq: u64,
    ) -> BoxFuture<'a, Result<Vec<Raw>, Fault>>;

    /// Grows whenever what was stored may have been lost, as when the server was away: what is
    /// remembered from an earlier epoch counts no more.
    fn epoch(&self) -> u64 {
        0
    }

    /// Waits until the store is there to be asked, at most for `limit`. Whether it is.
    fn wait(&self, _limit: Duration) -> BoxFuture<'_, bool> {
        ready(true).boxed()
    }
}

/// How many events one aggregate may have. It lives far below; a loop gone wild does not.
pub const EVENTS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JetStream, Memory, testing::Server};

    const A: &str = "evt.default.2a.task.0193b0de-0000-7000-8000-00000000002a";
    const B: &str = "ready.default.gpu.0";

    fn message(subject: &str, payload: &'static str) -> Message {
        Message { subject: subject.into(), event_type: "TaskSpawned", payload: payload.into() }
    }

    fn guard(subject: &str, last_seq: u64) -> Guard {
        Guard { subject: subject.into(), last_seq }
    }

    /// What every store promises.
    async fn contract(store: &dyn Store) {
        assert_eq!(store.read(A, 0).await.unwrap(), []);

        let first = store.append(message(A, "1"), guard(A, 0)).await.unwrap();
        let taken = store.append(message(A, "x"), guard(A, 0)).await;
        assert!(matches!(taken, Err(AppendError::Conflict { .. })), "{taken:?}");

        let other = store.append(message(B, "r"), guard(A, first)).await.unwrap();
        let stale = store.append(message(B, "x"), guard(A, first + 7)).await;
        assert!(matches!(stale, Err(AppendError::Conflict { .. })), "{stale:?}");

        let second = store.append(message(A, "2"), guard(A, first)).await.unwrap();
        assert!(first < other && other < second);
        let late = store.append(message(B, "x"), guard(A, first)).await;
        assert!(matches!(late, Err(AppendError::Conflict { .. })), "{late:?}");

        let raw = |stream_seq, payload: &'static str| Raw {
            stream_seq,
            subject: A.into(),
            event_type: Some("TaskSpawned".into()),
            payload: payload.into(),
        };
        assert_eq!(store.read(A, 0).await.unwrap(), [raw(first, "1"), raw(second, "2")]);
        assert_eq!(store.read(A, first).await.unwrap(), [raw(second, "2")]);
        assert_eq!(store.read(A, second).await.unwrap(), []);

        let mut last = second;
        for _ in 0..600 {
            last = store.append(message(A, "n"), guard(A, last)).await.unwrap();
        }
        let all = store.read(A, 0).await.unwrap();
        assert_eq!(all.len(), 602);
        assert_eq!(all.last().unwrap().stream_seq, last);
    }

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        contract(&Memory::default()).await;
    }

    #[tokio::test]
    async fn jetstream_keeps_the_contract() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        contract(&JetStream::open(client, &context).await.unwrap()).await;
    }

    #[tokio::test]
    async fn jetstream_keeps_the_contract_when_read_one_by_one() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        contract(&JetStream::open(client, &context).await.unwrap().one_by_one()).await;
    }

    #[tokio::test]
    async fn a_stream_that_was_never_made_is_refused_with_advice() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.connect().await;
        let error = JetStream::open(client, &context).await.err().unwrap();
        assert!(error.to_string().contains("start `ktk serve`"), "{error}");
    }

    #[tokio::test]
    async fn an_append_to_a_server_that_is_gone_is_not_sent_or_unknown() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let store = JetStream::open(client, &context).await.unwrap();
        server.stop().await;
        let lost = store.append(message(A, "1"), guard(A, 0)).await;
        let is_told = matches!(
            lost,
            Err(AppendError::Unknown { .. } | AppendError::Fault(Fault::Unreachable { .. }))
        );
        assert!(is_told, "{lost:?}");
    }
}
