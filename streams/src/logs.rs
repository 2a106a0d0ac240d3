//! The output of tasks, line by line.

use std::{collections::VecDeque, time::Duration};

use async_nats::{
    Client, Subscriber,
    jetstream::{Context, context::PublishAckFuture},
};
use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use kantoku_domain::{Id, Namespace, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Fault,
    direct::{self, Stored},
    interruptions::Interruptions,
    subject,
};

/// Messages that one request asks for.
const PAGE_MESSAGES: usize = 64;

/// How often what was said to be stored is looked for: a replica may be behind, or it has expired.
const LOOKS: u32 = 8;
const LOOK_DELAY: Duration = Duration::from_millis(5);

/// The attempt that says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAddress {
    /// Whose it is.
    pub namespace: Namespace,
    /// The context of the task.
    pub context_id: Id,
    /// The task.
    pub task_id: Id,
    /// The attempt, 1 for the first.
    pub attempt: u32,
}

/// Whose output is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFilter {
    /// Whose it is.
    pub namespace: Namespace,
    /// The context of the task.
    pub context_id: Id,
    /// The task.
    pub task_id: Id,
    /// One attempt, or all of them in the order in which they spoke.
    pub attempt: Option<u32>,
}

/// Where it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// The standard output of a process.
    Stdout,
    /// The standard error of a process.
    Stderr,
    /// By the executor, about the attempt: that it was stopped, or that its end was refused.
    System,
}

/// A line of output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was read from the process.
    pub at: Timestamp,
    /// Where it was said.
    pub stream: LogStream,
    /// Without its line break.
    pub text: String,
}

impl LogLine {
    const REFUSED: &str = "[kantoku: its end was refused: ";
    const STOPPED: &str = "[kantoku: it was stopped: ";
    const END: &str = "]";

    /// What an executor has to say about an attempt of its own.
    pub fn remark(at: Timestamp, text: &str) -> Self {
        Self { at, stream: LogStream::System, text: format!("[kantoku: {text}]") }
    }

    /// The remark that the end of the attempt was refused, and why.
    pub fn refusal(at: Timestamp, why: &str) -> Self {
        let text = format!("{}{why}{}", Self::REFUSED, Self::END);
        Self { at, stream: LogStream::System, text }
    }

    /// The remark that the attempt was stopped, as it had to be, and why.
    pub fn stop(at: Timestamp, why: &str) -> Self {
        let text = format!("{}{why}{}", Self::STOPPED, Self::END);
        Self { at, stream: LogStream::System, text }
    }

    /// Whether this is the remark that nothing of the attempt runs any more.
    pub fn is_end(&self) -> bool {
        let is_stop = self.stream == LogStream::System && self.text.starts_with(Self::STOPPED);
        is_stop || self.refused().is_some()
    }

    /// Why the end of the attempt was refused, if this is the remark that it was.
    pub fn refused(&self) -> Option<&str> {
        let why = self.text.strip_prefix(Self::REFUSED)?.strip_suffix(Self::END)?;
        (self.stream == LogStream::System).then_some(why)
    }
}

/// A stored line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The attempt that said it.
    pub attempt: u32,
    /// The `stream_seq` of the message that holds it. Lines of one message share it and are never
    /// parted.
    pub position: u64,
    /// The line.
    #[serde(flatten)]
    pub line: LogLine,
}

/// Lines in the order in which they were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<LogEntry>,
    /// Where to go on, when there are more now.
    pub next_after: Option<u64>,
}

/// The stream of logs. It is limited by age and size: the oldest lines go.
#[derive(Clone)]
pub struct Logs {
    client: Client,
    context: Context,
}

impl Logs {
    /// The longest text of one line in bytes; what is longer is stored as several lines.
    pub const TEXT_BYTES_MAX: usize = 32 * 1024;
    /// How many lines one message holds at most.
    pub const MESSAGE_LINES_MAX: usize = 1_000;
    /// A message is not added to beyond this size.
    pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
    /// How many lines one page holds at most, but for the rest of a message.
    pub const PAGE_LINES_MAX: usize = 10_000;

    pub(crate) fn new(client: Client, context: Context) -> Self {
        Self { client, context }
    }

    /// Stores `lines`, in order, in as few messages as they fit into. After a fault, some of them
    /// may be stored: appending them again may repeat lines.
    pub async fn append(&self, to: &LogAddress, lines: &[LogLine]) -> Result<(), Fault> {
        let fault = |cause: crate::Cause| Fault::unreachable("store the output of a task", cause);
        let subject = subject::log(&to.namespace, to.context_id, to.task_id, to.attempt);
        let mut answers: Vec<PublishAckFuture> = Vec::new();
        for message in messages(lines) {
            let answer = self.context.publish(subject.clone(), message).await;
            answers.push(answer.map_err(|error| fault(error.into()))?);
        }
        for answer in answers {
            answer.await.map_err(|error| fault(error.into()))?;
        }
        Ok(())
    }

    /// About `limit` lines after position `after` (0: from the first on).
    pub async fn read(
        &self,
        filter: &LogFilter,
        after: u64,
        limit: usize,
    ) -> Result<LogPage, Fault> {
        let limit = limit.clamp(1, Self::PAGE_LINES_MAX);
        let mut lines = Vec::new();
        let mut from_seq = after.saturating_add(1);
        loop {
            let subject = filter.subject();
            let found =
                direct::page(&self.client, subject::LOGS, &subject, from_seq, PAGE_MESSAGES)
                    .await?;
            let mut rest = found.messages.into_iter().peekable();
            while let Some(message) = rest.next() {
                let position = message.stream_seq;
                lines.extend(entries(&message));
                from_seq = position + 1;
                if lines.len() >= limit && (rest.peek().is_some() || found.left > 0) {
                    return Ok(LogPage { lines, next_after: Some(position) });
                }
            }
            if found.left == 0 {
                return Ok(LogPage { lines, next_after: None });
            }
        }
    }

    /// What was stored last of an attempt: the lines of one message.
    pub async fn last(&self, of: &LogAddress) -> Result<Vec<LogEntry>, Fault> {
        let subject = subject::log(&of.namespace, of.context_id, of.task_id, of.attempt);
        let last = direct::last(&self.client, subject::LOGS, &subject).await?;
        Ok(last.iter().flat_map(entries).collect())
    }

    /// The lines after position `after`, and then those that come, for as long as the stream is
    /// polled. Nothing is missed when the connection is lost meanwhile, and no line comes twice.
    /// After a fault it may be polled on.
    pub async fn follow(
        &self,
        filter: LogFilter,
        after: u64,
    ) -> Result<impl Stream<Item = Result<LogEntry, Fault>> + Send + use<>, Fault> {
        let subject = subject::logged(&filter.subject());
        // Before the first read, so that nothing comes between the two.
        let stored = self
            .client
            .subscribe(subject)
            .await
            .map_err(|error| Fault::unreachable("follow the output of a task", error))?;
        let tail = Tail {
            interruptions: Interruptions::of(&self.client),
            logs: self.clone(),
            filter,
            stored,
            after,
            announced: 0,
            is_behind: true,
            backlog: VecDeque::new(),
        };
        Ok(stream::unfold(tail, |mut tail| async move {
            tail.next().await.transpose().map(|entry| (entry, tail))
        })
        .boxed())
    }
}

impl LogFilter {
    fn subject(&self) -> String {
        subject::log_filter(&self.namespace, self.context_id, self.task_id, self.attempt)
    }
}

/// Lines being followed. The server says that something was stored, and it is read from there: so
/// an announcement may get lost or come late.
struct Tail {
    logs: Logs,
    filter: LogFilter,
    stored: Subscriber,
    interruptions: Interruptions,
    /// The last position that was read, and the last that was announced.
    after: u64,
    announced: u64,
    is_behind: bool,
    backlog: VecDeque<LogEntry>,
}

impl Tail {
    /// `None` when the connection was closed for good.
    async fn next(&mut self) -> Result<Option<LogEntry>, Fault> {
        loop {
            if let Some(entry) = self.backlog.pop_front() {
                return Ok(Some(entry));
            }
            if self.is_behind {
                self.catch_up().await?;
                continue;
            }
            tokio::select! {
                stored = self.stored.next() => {
                    let Some(stored) = stored else { return Ok(None) };
                    self.hear(&stored);
                }
                () = self.interruptions.over() => self.is_behind = true,
            }
        }
    }

    /// Takes in what is announced at once.
    fn hear(&mut self, first: &async_nats::Message) {
        let position = |message: &async_nats::Message| {
            message.headers.as_ref().and_then(|headers| direct::number(headers, direct::POSITION))
        };
        let mut latest = position(first);
        while let Some(Some(message)) = self.stored.next().now_or_never() {
            latest = latest.max(position(&message));
        }
        self.announced = self.announced.max(latest.unwrap_or(0));
        self.is_behind |= self.after < self.announced;
    }

    /// Reads what is there, with some patience for what was announced.
    async fn catch_up(&mut self) -> Result<(), Fault> {
        for look in 0..LOOKS {
            tokio::time::sleep(LOOK_DELAY * look).await;
            let page = self.logs.read(&self.filter, self.after, Logs::PAGE_LINES_MAX).await?;
            self.after = page.lines.last().map_or(self.after, |entry| entry.position);
            let is_late = self.after < self.announced;
            if !page.lines.is_empty() || !is_late {
                self.is_behind = page.next_after.is_some() || is_late;
                self.backlog.extend(page.lines);
                return Ok(());
            }
        }
        // It expired before it was read.
        self.is_behind = false;
        Ok(())
    }
}

/// The payloads for `lines`: JSON arrays within the limits.
fn messages(lines: &[LogLine]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    let mut message = String::new();
    let mut count = 0;
    for piece in lines.iter().flat_map(pieces) {
        let json = serde_json::to_string(&piece).expect("a line has string keys only");
        let is_full = count == Logs::MESSAGE_LINES_MAX
            || message.len() + json.len() > Logs::MESSAGE_BYTES_MAX;
        if count > 0 && is_full {
            messages.push(format!("[{message}]").into());
            message.clear();
            count = 0;
        }
        if count > 0 {
            message.push(',');
        }
        message.push_str(&json);
        count += 1;
    }
    if count > 0 {
        messages.push(format!("[{message}]").into());
    }
    messages
}

/// A line as several, where it is too long for one.
fn pieces(line: &LogLine) -> Vec<LogLine> {
    let piece = |text: &str| LogLine { text: text.to_owned(), ..line.clone() };
    let mut pieces = Vec::new();
    let mut rest = line.text.as_str();
    while rest.len() > Logs::TEXT_BYTES_MAX {
        let mut end = Logs::TEXT_BYTES_MAX;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (head, tail) = rest.split_at(end);
        pieces.push(piece(head));
        rest = tail;
    }
    pieces.push(piece(rest));
    pieces
}

/// The lines in a message; what is none of ours is passed over.
fn entries(message: &Stored) -> Vec<LogEntry> {
    let attempt = message.subject.rsplit('.').next().and_then(|attempt| attempt.parse().ok());
    let lines: Result<Vec<LogLine>, _> = serde_json::from_slice(&message.payload);
    let (Some(attempt), Ok(lines)) = (attempt, lines) else {
        tracing::warn!(
            subject = message.subject,
            position = message.stream_seq,
            "a message among the logs holds no lines"
        );
        return Vec::new();
    };
    let position = message.stream_seq;
    lines.into_iter().map(|line| LogEntry { attempt, position, line }).collect()
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
