//! Putting an exported history back: every event at its own position.
//!
//! Events name others by position, so an event that came to lie elsewhere would say what is not so.
//! Each is therefore stored on the condition that the last position of the whole stream is the one
//! before its own. Positions that an export leaves out, as they were purged or held no event, are
//! left out here, too: they are filled with messages that are purged at once.

use async_nats::{
    HeaderMap, header,
    jetstream::{Context, context::PublishAckFuture, stream::Stream},
};
use bytes::Bytes;
use thiserror::Error;

use crate::{
    Cause, Fault, JetStream, Ledger, Line, Replay, document, jetstream::is_missing, subject,
};

/// Appends that are under way at once.
const WINDOW: usize = 128;

/// How many positions without events there may be between two events.
const GAP_MAX: u64 = 1_000_000;

/// Why a history is not put back.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The stream holds something else.
    #[error(
        "the stream holds another message at position {stream_seq} than the export: events keep \
         their positions, so a history goes into a stream that is empty, or that holds a part of \
         it from an import before"
    )]
    Taken {
        /// The first position that is different.
        stream_seq: u64,
    },
    /// The lines are not in order, or leave out too much.
    #[error("position {stream_seq} cannot follow position {after}")]
    Order {
        /// What follows.
        stream_seq: u64,
        /// What.
        after: u64,
    },
    /// Somebody else appends.
    #[error(
        "somebody else appends to the stream: stop every scheduler, executor and client until the \
         import is over, and begin with an empty stream"
    )]
    Overtaken,
    /// Infrastructure failed. The same lines may be put back again.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Puts events back into the stream.
pub(crate) struct Restore<'a> {
    pub(crate) context: &'a Context,
    pub(crate) store: &'a JetStream,
    pub(crate) ledger: &'a Ledger,
}

impl Restore<'_> {
    /// Puts `lines` behind position `after`, which is that of the line before them, 0 before the
    /// first. Those that are there already are compared, so an import that was interrupted can be
    /// run again from its beginning. Returns how many were appended.
    pub(crate) async fn put(&self, lines: &[Line], after: u64) -> Result<u64, RestoreError> {
        let stream = self
            .context
            .get_stream_no_info(subject::EVENTS)
            .await
            .map_err(|error| Fault::unreachable("open the stream of events", error))?;
        // An import that was interrupted may have left some.
        purge_gap(&stream).await?;
        let positions = positions(lines, after)?;
        let head = self.store.last_seq().await?;
        if after > head {
            // What is before them is not there, and would be taken for a gap of any length.
            return Err(RestoreError::Order { stream_seq: after, after: head });
        }
        let there = positions.partition_point(|position| *position <= head);
        self.compare(&lines[..there], after, positions.get(there).copied(), head).await?;
        let missing = lines[there..].iter().zip(&positions[there..]);
        let mut appends = Appends { context: self.context, stream: &stream, open: Vec::new() };
        let mut last = head;
        for (line, position) in missing {
            appends.fill(last, *position).await?;
            let stored = document::store(self.ledger.blobs(), line).await?;
            appends.append(stored, *position).await?;
            last = *position;
        }
        appends.settle().await?;
        Ok((lines.len() - there) as u64)
    }

    /// Compares what the stream holds behind `after`, and before the first line that it lacks.
    async fn compare(
        &self,
        lines: &[Line],
        after: u64,
        missing: Option<u64>,
        head: u64,
    ) -> Result<(), RestoreError> {
        let end = match (lines.last(), missing) {
            (_, Some(missing)) => (missing - 1).min(head),
            (Some(last), None) => last.stream_seq().map_err(|error| unreadable(&error))?,
            (None, None) => return Ok(()),
        };
        let (store, ledger) = (self.store.clone(), self.ledger.clone());
        let mut replay = Replay::new(store, ledger, after + 1, Some(end)).await?;
        let mut lines = lines.iter();
        while let Some(page) = replay.next_documents().await? {
            for document in page {
                let document = match document {
                    Ok(document) => document,
                    Err(Fault::Malformed(malformed)) => {
                        return Err(RestoreError::Taken { stream_seq: malformed.stream_seq });
                    }
                    Err(fault) => return Err(fault.into()),
                };
                if lines.next().is_none_or(|line| *line != document.line) {
                    return Err(RestoreError::Taken { stream_seq: document.stream_seq });
                }
            }
        }
        match lines.next() {
            // What was to lie there lies nowhere.
            Some(line) => Err(RestoreError::Taken {
                stream_seq: line.stream_seq().map_err(|error| unreadable(&error))?,
            }),
            None => Ok(()),
        }
    }
}

/// The positions of `lines`, which ascend.
fn positions(lines: &[Line], after: u64) -> Result<Vec<u64>, RestoreError> {
    let mut last = after;
    let mut positions = Vec::with_capacity(lines.len());
    for line in lines {
        let stream_seq = line.stream_seq().map_err(|error| unreadable(&error))?;
        if stream_seq <= last || stream_seq - last > GAP_MAX {
            return Err(RestoreError::Order { stream_seq, after: last });
        }
        positions.push(stream_seq);
        last = stream_seq;
    }
    Ok(positions)
}

fn unreadable(error: &serde_json::Error) -> Fault {
    crate::Malformed { subject: String::new(), stream_seq: 0, reason: error.to_string() }.into()
}

async fn purge_gap(stream: &Stream<()>) -> Result<(), Fault> {
    // Where there is none, nobody has to be allowed to purge.
    match stream.get_last_raw_message_by_subject(subject::GAP).await {
        Ok(_) => {}
        Err(error) if is_missing(error.kind()) => return Ok(()),
        Err(error) => return Err(Fault::unreachable("look for what fills a gap", error)),
    }
    stream
        .purge()
        .filter(subject::GAP)
        .await
        .map_err(|error| Fault::unreachable("purge what fills a gap", error))?;
    Ok(())
}

/// Appends that are under way, in order.
struct Appends<'a> {
    context: &'a Context,
    stream: &'a Stream<()>,
    open: Vec<PublishAckFuture>,
}

impl Appends<'_> {
    /// Leaves the positions between `last` and `next` empty.
    async fn fill(&mut self, last: u64, next: u64) -> Result<(), RestoreError> {
        if next == last + 1 {
            return Ok(());
        }
        for position in last + 1..next {
            let gap = (subject::GAP.to_owned(), subject::GAP.to_owned(), Vec::new());
            self.append(gap, position).await?;
        }
        self.settle().await?;
        Ok(purge_gap(self.stream).await?)
    }

    async fn append(
        &mut self,
        (subject, event_type, payload): (String, String, Vec<u8>),
        position: u64,
    ) -> Result<(), RestoreError> {
        let mut headers = HeaderMap::new();
        headers.insert(subject::TYPE_HEADER, event_type);
        headers.insert(header::NATS_EXPECTED_STREAM, subject::EVENTS);
        headers.insert(header::NATS_EXPECTED_LAST_SEQUENCE, (position - 1).to_string());
        let sent = self.context.publish_with_headers(subject, headers, Bytes::from(payload)).await;
        self.open.push(sent.map_err(|error| failed(error.into()))?);
        if self.open.len() >= WINDOW {
            self.settle().await?;
        }
        Ok(())
    }

    /// Waits until all of them are stored.
    async fn settle(&mut self) -> Result<(), RestoreError> {
        for append in self.open.drain(..) {
            match append.await {
                Ok(_) => {}
                Err(error)
                    if error.kind()
                        == async_nats::jetstream::context::PublishErrorKind::WrongLastSequence =>
                {
                    return Err(RestoreError::Overtaken);
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        Ok(())
    }
}

fn failed(cause: Cause) -> RestoreError {
    Fault::unreachable("append an event", cause).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kantoku_domain::{Envelope, Event, Id, Namespace, Partition, Timestamp};

    use super::*;
    use crate::{Bus, Draft, Settings, Store as _, testing::Server};

    async fn bus(server: &Server) -> Bus {
        let (name, deadline) = ("test", Duration::from_secs(20));
        Box::pin(Bus::open(server.url(), name, deadline, &Settings::default())).await.unwrap()
    }

    fn draft(n: u64, reason: &str) -> Draft {
        let id = Id::default().derive(&n.to_string(), Partition::of(1));
        let event = serde_json::json!({ "type": "ContextCancelled", "data": { "reason": reason } });
        let event: Event = serde_json::from_value(event).unwrap();
        let envelope = Envelope {
            aggregate_id: id,
            command_id: id,
            at: Timestamp::from_micros(1),
            actor: "test".into(),
            service_id: "test".into(),
            causation_id: None,
            correlation_id: id,
        };
        Draft::next(&Namespace::default(), id, 0, 0, event, &envelope)
    }

    /// The lines of all events.
    async fn lines(bus: &Bus) -> Vec<Line> {
        let mut replay = bus.replay(1).await.unwrap();
        let mut lines = Vec::new();
        while let Some(page) = replay.next_documents().await.unwrap() {
            lines.extend(page.into_iter().filter_map(Result::ok).map(|document| document.line));
        }
        lines
    }

    /// Three hundred events, with two messages between them that are none, and a large one.
    async fn history(bus: &Bus) -> Vec<Line> {
        for n in 0..300 {
            let reason = if n == 7 { "x".repeat(100_000) } else { "late".to_owned() };
            bus.ledger().append(draft(n, &reason)).await.unwrap();
            if n == 100 {
                for subject in ["evt.garbage", "evt.more"] {
                    let garbage = crate::Message {
                        subject: subject.into(),
                        event_type: "TaskSpawned",
                        payload: "garbage".into(),
                    };
                    let guard = crate::Guard { subject: subject.into(), last_seq: 0 };
                    bus.store().append(garbage, guard).await.unwrap();
                }
            }
        }
        lines(bus).await
    }

    #[tokio::test]
    async fn a_history_comes_back_to_its_positions_though_it_was_interrupted() {
        let Some(server) = Server::start().await else { return };
        let from = bus(&server).await;
        let all = history(&from).await;
        assert_eq!((all.len(), from.head().await.unwrap()), (300, 302));
        let Some(other) = Server::start().await else { return };
        let to = bus(&other).await;

        assert_eq!(to.restore(&all[..50], 0).await.unwrap(), 50);
        // From its beginning, in parts that do not end where the others did.
        assert_eq!(to.restore(&all[..200], 0).await.unwrap(), 150);
        let after = all[199].stream_seq().unwrap();
        assert_eq!(to.restore(&all[200..], after).await.unwrap(), 100);
        assert_eq!(to.restore(&all, 0).await.unwrap(), 0);
        assert_eq!(lines(&to).await, all);
        assert_eq!(to.head().await.unwrap(), 302);
        assert_eq!(to.document_at(102).await.unwrap(), None, "a gap stays one");

        // What is there is loaded, and guarded, as ever.
        let taken = to.ledger().append(draft(299, "again")).await;
        assert!(taken.is_ok(), "the same command again finds its event: {taken:?}");
        assert_eq!(to.head().await.unwrap(), 302);
    }

    #[tokio::test]
    async fn a_history_goes_into_no_stream_that_holds_another() {
        let Some(server) = Server::start().await else { return };
        let from = bus(&server).await;
        let all = history(&from).await;
        let Some(other) = Server::start().await else { return };
        let to = bus(&other).await;
        to.ledger().append(draft(1_000, "mine")).await.unwrap();
        let refused = to.restore(&all[..10], 0).await;
        assert!(matches!(refused, Err(RestoreError::Taken { stream_seq: 1 })), "{refused:?}");
        assert_eq!(to.head().await.unwrap(), 1);
        let backwards = [all[1].clone(), all[0].clone()];
        let refused = to.restore(&backwards, 0).await;
        assert!(
            matches!(refused, Err(RestoreError::Order { stream_seq: 1, after: 2 })),
            "{refused:?}"
        );
        let too_far = to.restore(&all[10..], 10).await;
        assert!(
            matches!(too_far, Err(RestoreError::Order { stream_seq: 10, after: 1 })),
            "{too_far:?}"
        );
        assert_eq!(to.head().await.unwrap(), 1);
    }
}
