//! Reading messages of a stream without a consumer, in pages.

use std::{pin::pin, time::Duration};

use async_nats::{Client, HeaderMap, jetstream::kv};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{Cause, Fault, Raw, interruptions::Interruptions, subject};

/// How long the next message of an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

const SUBJECT: &str = "Nats-Subject";
const LEFT: &str = "Nats-Num-Pending";

/// The position of a stored message, in what the server says about it.
pub(crate) const POSITION: &str = "Nats-Sequence";

/// Some messages in order, and how many are left after them.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Stored>,
    pub(crate) left: u64,
}

/// A message as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) stream_seq: u64,
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

impl Stored {
    pub(crate) fn into_raw(self) -> Raw {
        let event_type = text(&self.headers, subject::TYPE_HEADER);
        let Self { stream_seq, subject, payload, .. } = self;
        Raw { stream_seq, subject, event_type, payload }
    }
}

/// How many entries of a bucket are read at once.
pub(crate) const PAGE: usize = 500;

/// The header by which a bucket marks what is no entry any more.
pub(crate) const OPERATION: &str = "KV-Operation";

/// What is in a bucket, `max` entries or a page more at most, without a consumer. Entries that cannot
/// be read are left out.
pub(crate) async fn entries<T: DeserializeOwned>(
    client: &Client,
    bucket: &kv::Store,
    max: usize,
) -> Result<Vec<T>, Fault> {
    let entries = revised(client, bucket, ">", max).await?;
    Ok(entries.into_iter().map(|(entry, _)| entry).collect())
}

/// The same of the entries under `keys`, which may hold wildcards, each with its revision.
pub(crate) async fn revised<T: DeserializeOwned>(
    client: &Client,
    bucket: &kv::Store,
    keys: &str,
    max: usize,
) -> Result<Vec<(T, u64)>, Fault> {
    let keys = format!("{}{keys}", bucket.prefix);
    let mut entries = Vec::new();
    let mut from_seq = 1;
    loop {
        let page = page(client, &bucket.stream_name, &keys, from_seq, PAGE).await?;
        for message in &page.messages {
            from_seq = message.stream_seq + 1;
            entries.extend(entry(message).map(|entry| (entry, message.stream_seq)));
        }
        if page.left == 0 || entries.len() >= max {
            return Ok(entries);
        }
    }
}

fn entry<T: DeserializeOwned>(message: &Stored) -> Option<T> {
    if message.headers.get(OPERATION).is_some() {
        return None;
    }
    let read = serde_json::from_slice(&message.payload);
    read.inspect_err(|error| {
        tracing::debug!(key = message.subject, %error, "an entry of a bucket cannot be read");
    })
    .ok()
}

/// Up to `max` messages (the server's own limit is 1,000) of `stream` on `subject`, which may hold
/// wildcards, from position `from_seq` on, as one of the replicas has them.
pub(crate) async fn page(
    client: &Client,
    stream: &str,
    subject: &str,
    from_seq: u64,
    max: usize,
) -> Result<Page, Fault> {
    let fault = |cause: Cause| Fault::unreachable(format!("read {subject}"), cause);
    let mut overtaken = pin!(Interruptions::of(client).overtaken());
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| fault(error.into()))?;
    let query = serde_json::json!({ "seq": from_seq, "batch": max, "next_by_subj": subject });
    client
        .publish_with_reply(
            format!("$JS.API.DIRECT.GET.{stream}"),
            inbox,
            Bytes::from(query.to_string()),
        )
        .await
        .map_err(|error| fault(error.into()))?;
    let mut page = Page::default();
    loop {
        let answer = tokio::select! {
            biased;
            answer = timeout(ANSWER_TIMEOUT, answers.next()) => answer,
            () = &mut overtaken => return Err(fault("the connection was lost".into())),
        };
        let answer = answer
            .map_err(|error| fault(error.into()))?
            .ok_or_else(|| fault("the connection was closed".into()))?;
        match answer.status.map(|status| status.as_u16()) {
            None => page.messages.push(stored(answer).map_err(|error| fault(error.into()))?),
            // The end, with the number of messages that the batch had no room for.
            Some(204) => {
                let left = answer.headers.as_ref().and_then(|headers| number(headers, LEFT));
                page.left = left.unwrap_or(0);
                return Ok(page);
            }
            Some(404) => return Ok(page),
            Some(status) => {
                let description = answer.description.unwrap_or_default();
                return Err(fault(format!("status {status} {description}").into()));
            }
        }
    }
}

/// The last message of `stream` on `subject`, which holds no wildcards, as one of the replicas has
/// it. `None`: there is none.
pub(crate) async fn last(
    client: &Client,
    stream: &str,
    subject: &str,
) -> Result<Option<Stored>, Fault> {
    let fault = |cause: Cause| Fault::unreachable(format!("read the last of {subject}"), cause);
    let query = serde_json::json!({ "last_by_subj": subject });
    let api = format!("$JS.API.DIRECT.GET.{stream}");
    let request = client.request(api, Bytes::from(query.to_string()));
    let answer = timeout(ANSWER_TIMEOUT, request)
        .await
        .map_err(|error| fault(error.into()))?
        .map_err(|error| fault(error.into()))?;
    match answer.status.map(|status| status.as_u16()) {
        None => stored(answer).map(Some).map_err(|error| fault(error.into())),
        Some(404) => Ok(None),
        Some(status) => {
            let description = answer.description.unwrap_or_default();
            Err(fault(format!("status {status} {description}").into()))
        }
    }
}

fn stored(answer: async_nats::Message) -> Result<Stored, String> {
    let headers = answer.headers.ok_or("a direct get was answered without headers")?;
    let stream_seq =
        number(&headers, POSITION).ok_or("a direct get was answered without a position")?;
    let subject = text(&headers, SUBJECT).ok_or("a direct get was answered without a subject")?;
    Ok(Stored { stream_seq, subject, headers, payload: answer.payload })
}

pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.as_str().to_owned())
}

pub(crate) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.as_str().parse().ok()
}
