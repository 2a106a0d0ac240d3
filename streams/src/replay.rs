//! Reading the stream from one position to another, in order: for rebuilds and exports.

use std::sync::Arc;

use kantoku_domain::Recorded;

use crate::{Document, Fault, JetStream, Ledger, Raw};

/// How much the events of one page have as JSON, but for the last: one plan may have megabytes.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Reads every event between two positions once. Needs no consumer, and leaves none behind.
pub struct Replay {
    store: JetStream,
    ledger: Ledger,
    next: u64,
    last: u64,
}

impl Replay {
    /// From position `from_seq` to `to_seq`, both included; without `to_seq` to what is the last
    /// position now.
    pub async fn new(
        store: JetStream,
        ledger: Ledger,
        from_seq: u64,
        to_seq: Option<u64>,
    ) -> Result<Self, Fault> {
        let end = store.last_seq().await?;
        let last = to_seq.map_or(end, |to_seq| to_seq.min(end));
        Ok(Self { store, ledger, next: from_seq.max(1), last })
    }

    /// The position that the replay ends with.
    pub fn last_seq(&self) -> u64 {
        self.last
    }

    /// The next events, some hundreds at most; `None` at the end. A message that is no event is
    /// an error of its own among them; when the page as a whole fails, it can be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Result<Recorded, Fault>>>, Fault> {
        let Some((messages, mut next)) = self.next_raw().await? else { return Ok(None) };
        let mut page = Vec::with_capacity(messages.len());
        let mut bytes = 0;
        for raw in messages {
            let stream_seq = raw.stream_seq;
            match self.ledger.decode_sized(raw).await {
                Err(fault) if !fault.is_final() => return Err(fault),
                Err(fault) => page.push(Err(fault)),
                Ok(known) => {
                    bytes += known.bytes;
                    page.push(Ok(Arc::unwrap_or_clone(known.recorded)));
                }
            }
            if bytes >= PAGE_BYTES_MAX {
                next = stream_seq + 1;
                break;
            }
        }
        self.next = next;
        Ok(Some(page))
    }

    /// The same, each event as the line that stands for it in exports and seals.
    pub async fn next_documents(&mut self) -> Result<Option<Vec<Result<Document, Fault>>>, Fault> {
        let Some((messages, next)) = self.next_raw().await? else { return Ok(None) };
        let mut page = Vec::with_capacity(messages.len());
        for raw in messages {
            match self.ledger.document(raw).await {
                Err(fault) if !fault.is_final() => return Err(fault),
                document => page.push(document),
            }
        }
        self.next = next;
        Ok(Some(page))
    }

    /// The next messages, and where to go on once they are taken apart.
    async fn next_raw(&mut self) -> Result<Option<(Vec<Raw>, u64)>, Fault> {
        if self.next > self.last {
            return Ok(None);
        }
        let mut messages = self.store.batch(">", self.next).await?.0;
        if messages.is_empty() {
            // The replica that answered may be behind; the leader is not.
            messages.extend(self.store.first(">", self.next).await?);
        }
        let Some(end) = messages.last().map(|raw| raw.stream_seq) else {
            // What was left has been purged.
            self.next = self.last + 1;
            return Ok(None);
        };
        messages.retain(|raw| raw.stream_seq <= self.last);
        Ok(Some((messages, end + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blobs, Guard, Message, Store as _, subject, testing::Server};

    #[tokio::test]
    async fn every_message_of_the_range_comes_once_and_in_order() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let store = JetStream::open(client, &context).await.unwrap();
        for n in 0..600_u64 {
            let id = format!("0193b0de-0000-7000-8000-{n:010x}2a").parse().unwrap();
            let subject = subject::event(&"a".parse().unwrap(), kantoku_domain::Kind::Task, id);
            let message = Message {
                subject: subject.clone(),
                event_type: "TaskSpawned",
                payload: "garbage".into(),
            };
            store.append(message, Guard { subject, last_seq: 0 }).await.unwrap();
        }
        let blobs = Arc::new(Blobs::in_memory(Blobs::BYTES_MAX));
        let ledger = Ledger::new(Arc::new(store.clone()), blobs);

        let mut replay = Replay::new(store.clone(), ledger.clone(), 3, Some(580)).await.unwrap();
        assert_eq!(replay.last_seq(), 580);
        let mut positions = Vec::new();
        while let Some(page) = replay.next_page().await.unwrap() {
            for event in page {
                match event {
                    Err(Fault::Malformed(malformed)) => positions.push(malformed.stream_seq),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(positions, (3..=580).collect::<Vec<u64>>());

        let mut beyond = Replay::new(store, ledger, 601, None).await.unwrap();
        assert!(beyond.next_page().await.unwrap().is_none());
    }
}
