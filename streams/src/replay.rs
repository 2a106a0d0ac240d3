//! Reading the stream from one position to another, in order: for rebuilds and exports.

use kantoku_domain::Recorded;

use crate::{Fault, JetStream, Ledger};

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
        let mut page = Vec::with_capacity(messages.len());
        for raw in messages {
            if raw.stream_seq > self.last {
                break;
            }
            match self.ledger.decode(raw).await {
                Err(fault) if !fault.is_final() => return Err(fault),
                decoded => page.push(decoded),
            }
        }
        self.next = end + 1;
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
