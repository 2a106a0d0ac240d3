//! Dead letters: what a handler could not digest, with the reason.

use async_nats::{
    Client, HeaderMap,
    jetstream::{Context, stream::DeleteMessageErrorKind},
};
use bytes::Bytes;
use kantoku_domain::Timestamp;
use serde::Serialize;

use crate::{
    Fault, Raw,
    direct::{self, Stored},
    metric, subject,
};

/// The header that says why a message is dead.
pub const REASON_HEADER: &str = "Ktk-Reason";
/// The header with the subject of the original.
pub const SUBJECT_HEADER: &str = "Ktk-Subject";
/// The header with the position of the original.
pub const STREAM_SEQ_HEADER: &str = "Ktk-Stream-Seq";

/// The header with the name of the durable that could not digest it.
pub const CONSUMER_HEADER: &str = "Ktk-Consumer";

/// The header in which a direct get says when a message was stored.
const STORED_HEADER: &str = "Nats-Time-Stamp";

const REASON_CHARS_MAX: usize = 1_000;
/// How many letters one page has at most.
const PAGE_MAX: usize = 1_000;

/// What a consumer could not digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its number: its position among the dead letters.
    pub letter: u64,
    /// Who could not digest it: the name of a durable.
    pub consumer: String,
    /// Why.
    pub reason: String,
    /// The position of the original in the stream of events.
    pub stream_seq: u64,
    /// The subject of the original.
    pub subject: String,
    /// The type of the original, if it said one.
    pub event_type: Option<String>,
    /// When it was given up.
    pub at: Timestamp,
    /// The original.
    #[serde(skip)]
    pub payload: Bytes,
}

/// Some dead letters, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// How many are left after them.
    pub left: u64,
}

/// Those after letter `after`, at most `limit` (and never more than 1,000).
pub(crate) async fn list(client: &Client, after: u64, limit: usize) -> Result<DeadLetters, Fault> {
    let all = subject::DEAD_SUBJECTS[0];
    let (from, limit) = (after.saturating_add(1), limit.clamp(1, PAGE_MAX));
    let page = direct::page(client, subject::DEAD, all, from, limit).await?;
    let letters = page.messages.iter().map(letter).collect();
    Ok(DeadLetters { letters, left: page.left })
}

/// One of them; `None` when there is none of that number (any more).
pub(crate) async fn get(client: &Client, letter: u64) -> Result<Option<DeadLetter>, Fault> {
    let Some(after) = letter.checked_sub(1) else { return Ok(None) };
    let found = list(client, after, 1).await?.letters.pop();
    Ok(found.filter(|found| found.letter == letter))
}

/// Removes one, if it is there: it was seen to.
pub(crate) async fn remove(context: &Context, letter: u64) -> Result<(), Fault> {
    let fault = |cause: crate::Cause| Fault::unreachable("remove a dead letter", cause);
    let stream = context.get_stream(subject::DEAD).await.map_err(|error| fault(error.into()))?;
    match stream.delete_message(letter).await {
        Ok(_) => Ok(()),
        // It is gone.
        Err(error) if matches!(error.kind(), DeleteMessageErrorKind::JetStream(_)) => Ok(()),
        Err(error) => Err(fault(error.into())),
    }
}

/// The letters of `consumer`, as far as the first thousand go, about the event at `stream_seq`.
async fn about(client: &Client, consumer: &str, stream_seq: u64) -> Result<Vec<u64>, Fault> {
    let letters =
        direct::page(client, subject::DEAD, &subject::dead(consumer), 1, PAGE_MAX).await?;
    let is_same =
        |stored: &&Stored| direct::number(&stored.headers, STREAM_SEQ_HEADER) == Some(stream_seq);
    Ok(letters.messages.iter().filter(is_same).map(|stored| stored.stream_seq).collect())
}

fn letter(stored: &Stored) -> DeadLetter {
    let text = |name| direct::text(&stored.headers, name);
    DeadLetter {
        letter: stored.stream_seq,
        consumer: text(CONSUMER_HEADER).unwrap_or_default(),
        reason: text(REASON_HEADER).unwrap_or_default(),
        stream_seq: direct::number(&stored.headers, STREAM_SEQ_HEADER).unwrap_or_default(),
        subject: text(SUBJECT_HEADER).unwrap_or_default(),
        event_type: text(subject::TYPE_HEADER),
        at: text(STORED_HEADER).and_then(|at| at.parse().ok()).unwrap_or_default(),
        payload: stored.payload.clone(),
    }
}

/// Puts a copy of `raw` among the dead letters of `consumer`, once it is stored there, in the place of
/// those about the same event: whoever folds the history anew meets it again.
pub(crate) async fn bury(
    context: &Context,
    consumer: &str,
    raw: &Raw,
    reason: &str,
) -> Result<(), Fault> {
    let before = about(&context.client(), consumer, raw.stream_seq).await?;
    let mut headers = HeaderMap::new();
    headers.insert(CONSUMER_HEADER, consumer);
    headers.insert(REASON_HEADER, one_line(reason));
    headers.insert(SUBJECT_HEADER, raw.subject.as_str());
    headers.insert(STREAM_SEQ_HEADER, raw.stream_seq.to_string());
    if let Some(event_type) = &raw.event_type {
        headers.insert(subject::TYPE_HEADER, event_type.as_str());
    }
    let fault = |cause| Fault::unreachable("store a dead letter", cause);
    let stored = context
        .publish_with_headers(subject::dead(consumer), headers, raw.payload.clone())
        .await
        .map_err(|error| fault(crate::Cause::from(error)))?;
    stored.await.map_err(|error| fault(error.into()))?;
    for letter in before {
        remove(context, letter).await?;
    }
    metric::buried(consumer);
    tracing::error!(
        consumer,
        subject = raw.subject,
        stream_seq = raw.stream_seq,
        reason,
        "an event went to the dead letters"
    );
    Ok(())
}

/// Headers cannot hold line breaks.
fn one_line(reason: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    reason.chars().take(REASON_CHARS_MAX).map(printable).collect()
}

#[cfg(test)]
#[path = "dead_tests.rs"]
mod tests;
