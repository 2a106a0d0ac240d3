//! The store over `JetStream`.

use std::time::Duration;

use async_nats::{
    Client, HeaderMap, RequestError, RequestErrorKind,
    client::Request,
    header,
    jetstream::{
        Context, ErrorCode,
        context::GetStreamErrorKind,
        message::StreamMessage,
        stream::{DirectGetErrorKind, RawMessageErrorKind, Stream},
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    AppendError, Cause, EVENTS_MAX, Fault, Guard, Message, Raw, Store,
    defect::{self, Defect},
    direct::{self, Stored},
    interruptions::{Interruptions, connects},
    reach::Reach,
    subject,
};

/// How long an answer may take. The broker answers within milliseconds; what takes longer than
/// this is more likely lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many messages one direct get asks for.
const BATCH: usize = 256;

const GUARD_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// The events of `KTK_EVENTS`.
///
/// Messages are appended one by one and without waiting for each other; the client writes what
/// waits in one go.
#[derive(Clone)]
pub struct JetStream {
    client: Client,
    stream: Stream,
    reading: Reading,
    reach: Reach,
}

/// What the server answers to an append. The client's own type is found out by trial, which takes as
/// long as the rest of reading it.
#[derive(Deserialize)]
struct Acknowledgement {
    #[serde(default)]
    seq: Option<u64>,
    #[serde(default)]
    error: Option<async_nats::jetstream::Error>,
}

/// How messages are read back.
#[derive(Clone, Copy)]
enum Reading {
    /// By direct gets in batches: fast, and answered by whichever replica hears them first. So
    /// only where there is but one.
    Batches,
    /// One by one, from the leader.
    OneByOne,
}

impl JetStream {
    /// Opens the stream of events, which [`setup`](crate::setup()) has made.
    pub async fn open(client: Client, context: &Context) -> Result<Self, Fault> {
        let stream = context.get_stream(subject::EVENTS).await.map_err(|error| {
            let what = "open the stream of events";
            match error.kind() {
                GetStreamErrorKind::JetStream(refusal) => Fault::refused(what, &refusal),
                _ => Fault::unreachable(what, error),
            }
        })?;
        let reading = match stream.cached_info().config.num_replicas {
            0 | 1 => Reading::Batches,
            _ => Reading::OneByOne,
        };
        let reach = Reach::of(client.clone());
        Ok(Self { client, stream, reading, reach })
    }

    /// Whether NATS is there to be asked.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Reads as with several replicas.
    #[cfg(test)]
    pub(crate) fn one_by_one(self) -> Self {
        Self { reading: Reading::OneByOne, ..self }
    }

    async fn publish(&self, message: Message, guard: Guard) -> Result<u64, AppendError> {
        // Nothing is sent, so nothing is stored.
        self.reach.check(&appending(&message.subject)).await?;
        let mut headers = HeaderMap::new();
        headers.insert(subject::TYPE_HEADER, message.event_type);
        headers.insert(header::NATS_EXPECTED_STREAM, subject::EVENTS);
        if !defect::has(Defect::NoGuard) {
            let last_seq = guard.last_seq.to_string();
            headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, last_seq);
            if guard.subject != message.subject {
                headers.insert(GUARD_SUBJECT, guard.subject.as_str());
            }
        }
        let request = Request::new().headers(headers).payload(message.payload);
        let answer = match self.ask(&message.subject, request).await {
            Ok(answer) => answer,
            Err(error) => return Err(unanswered(message.subject, error)),
        };
        match serde_json::from_slice(&answer.payload) {
            Ok(Acknowledgement { error: Some(error), .. }) if is_conflict(error.error_code()) => {
                Err(AppendError::Conflict { subject: guard.subject })
            }
            Ok(Acknowledgement { error: Some(error), .. }) => {
                Err(Fault::refused(appending(&message.subject), &error).into())
            }
            Ok(Acknowledgement { seq: Some(stream_seq), .. }) => Ok(stream_seq),
            Ok(Acknowledgement { .. }) => Err(AppendError::Unknown {
                subject: message.subject,
                cause: "the answer has no position".into(),
            }),
            Err(error) => {
                Err(AppendError::Unknown { subject: message.subject, cause: error.into() })
            }
        }
    }

    /// Sends a request and waits for the answer for as long as there may be one.
    async fn ask(
        &self,
        subject: &str,
        request: Request,
    ) -> Result<async_nats::Message, RequestError> {
        let interruptions = Interruptions::of(&self.client);
        // The client waits without end for room to put the request in.
        let request = request.timeout(None);
        let answer = self.client.send_request(subject.to_owned(), request);
        let answer = tokio::select! {
            biased;
            answer = timeout(ANSWER_TIMEOUT, answer) => answer.ok(),
            () = interruptions.overtaken() => None,
        };
        match &answer {
            Some(Ok(_)) => self.reach.answered(),
            None => self.reach.unanswered(),
            // The server is there, and the stream is not.
            Some(Err(_)) => {}
        }
        answer.unwrap_or_else(|| Err(RequestErrorKind::TimedOut.into()))
    }

    /// The position of the last message, 0 when there was never one.
    pub(crate) async fn last_seq(&self) -> Result<u64, Fault> {
        self.reach.check("say how long the stream is").await?;
        let info = self.stream.get_info().await;
        info.map(|info| info.state.last_sequence)
            .map_err(|error| Fault::unreachable("say how long the stream is", error))
    }

    /// The position of the first message that was not purged.
    pub(crate) async fn first_seq(&self) -> Result<u64, Fault> {
        self.reach.check("say where the stream begins").await?;
        let info = self.stream.get_info().await;
        info.map(|info| info.state.first_sequence)
            .map_err(|error| Fault::unreachable("say where the stream begins", error))
    }

    /// The position of the last message that was not purged, 0 when there is none.
    pub(crate) async fn last_kept_seq(&self) -> Result<u64, Fault> {
        let last = self.last_seq().await?;
        if last == 0 || self.first(">", last).await?.is_some() {
            return Ok(last);
        }
        let mut last = 0;
        for subject in subject::EVENTS_SUBJECTS {
            match self.stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => last = last.max(message.sequence),
                Err(error) if is_missing(error.kind()) => {}
                Err(error) => return Err(Fault::unreachable(reading(subject), error)),
            }
        }
        Ok(last)
    }

    /// Up to `BATCH` messages on `subject`, which may hold wildcards, from position `from_seq` on,
    /// and how many are left after them, as one of the replicas has them.
    pub(crate) async fn batch(
        &self,
        subject: &str,
        from_seq: u64,
    ) -> Result<(Vec<Raw>, u64), Fault> {
        self.reach.check(&reading(subject)).await?;
        let page = direct::page(&self.client, subject::EVENTS, subject, from_seq, BATCH).await?;
        self.reach.answered();
        Ok((page.messages.into_iter().map(Stored::into_raw).collect(), page.left))
    }

    async fn read_batches(&self, subject: &str, after_seq: u64) -> Result<Vec<Raw>, Fault> {
        let mut all = Vec::new();
        let mut from_seq = after_seq + 1;
        loop {
            let (found, left) = self.batch(subject, from_seq).await?;
            let Some(last) = found.last() else { return Ok(all) };
            from_seq = last.stream_seq + 1;
            all.extend(found);
            check_length(subject, all.len())?;
            if left == 0 {
                return Ok(all);
            }
        }
    }

    async fn read_one_by_one(&self, subject: &str, after_seq: u64) -> Result<Vec<Raw>, Fault> {
        let mut all: Vec<Raw> = Vec::new();
        let mut from_seq = after_seq + 1;
        while let Some(raw) = self.first(subject, from_seq).await? {
            from_seq = raw.stream_seq + 1;
            all.push(raw);
            check_length(subject, all.len())?;
        }
        Ok(all)
    }

    /// The message at position `stream_seq`. A replica that is behind has none, but never another.
    pub(crate) async fn at(&self, stream_seq: u64) -> Result<Raw, Fault> {
        self.reach.check("read an event").await?;
        let fault = |cause: Cause| Fault::unreachable("read an event", cause);
        let message = match self.stream.direct_get(stream_seq).await {
            Ok(message) => Ok(message),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                self.stream.get_raw_message(stream_seq).await.map_err(|error| fault(error.into()))
            }
            Err(error) => Err(fault(error.into())),
        };
        message.map(raw)
    }

    /// The first message on `subject`, which may hold wildcards, from position `from_seq` on, as
    /// the leader has it.
    pub(crate) async fn first(&self, subject: &str, from_seq: u64) -> Result<Option<Raw>, Fault> {
        self.reach.check(&reading(subject)).await?;
        match self.stream.get_first_raw_message_by_subject(subject, from_seq).await {
            Ok(message) => Ok(Some(raw(message))),
            Err(error) if is_missing(error.kind()) => Ok(None),
            Err(error) => Err(Fault::unreachable(reading(subject), error)),
        }
    }
}

impl Store for JetStream {
    fn append(&self, message: Message, guard: Guard) -> BoxFuture<'_, Result<u64, AppendError>> {
        self.publish(message, guard).boxed()
    }

    fn read<'a>(
        &'a self,
        subject: &'a str,
        after_seq: u64,
    ) -> BoxFuture<'a, Result<Vec<Raw>, Fault>> {
        match self.reading {
            Reading::Batches => self.read_batches(subject, after_seq).boxed(),
            Reading::OneByOne => self.read_one_by_one(subject, after_seq).boxed(),
        }
    }

    /// The server that is back may not be the one that was lost, and that one may have crashed.
    fn epoch(&self) -> u64 {
        connects(&self.client)
    }

    fn wait(&self, limit: Duration) -> BoxFuture<'_, bool> {
        self.reach.wait(limit).boxed()
    }
}

/// What is known of an append without an answer.
fn unanswered(subject: String, error: RequestError) -> AppendError {
    match error.kind() {
        RequestErrorKind::TimedOut | RequestErrorKind::Other => {
            AppendError::Unknown { subject, cause: error.into() }
        }
        _ => Fault::unreachable(appending(&subject), error).into(),
    }
}

fn raw(message: StreamMessage) -> Raw {
    Raw {
        stream_seq: message.sequence,
        subject: message.subject.to_string(),
        event_type: direct::text(&message.headers, subject::TYPE_HEADER),
        payload: message.payload,
    }
}

/// Both of the codes by which the server says that a guard does not hold.
pub(crate) fn is_conflict(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
    )
}

pub(crate) fn is_missing(kind: RawMessageErrorKind) -> bool {
    match kind {
        RawMessageErrorKind::NoMessageFound => true,
        RawMessageErrorKind::JetStream(error) => error.error_code() == ErrorCode::NO_MESSAGE_FOUND,
        _ => false,
    }
}

fn check_length(subject: &str, length: usize) -> Result<(), Fault> {
    if length > EVENTS_MAX {
        return Err(Fault::TooLong { subject: subject.to_owned(), events_max: EVENTS_MAX });
    }
    Ok(())
}

fn appending(subject: &str) -> String {
    format!("append to {subject}")
}

fn reading(subject: &str) -> String {
    format!("read {subject}")
}
