//! Reads the stream itself, and judges it without the domain's rules.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use kantoku_domain::{Datum, Event, Id, Recorded, task};
use kantoku_streams::{Bus, ConsumerConfig};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The tasks of a context: how each was spawned and ended, and what the outputs became.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) spawned: HashMap<Id, task::Spawned>,
    pub(crate) ended: HashMap<Id, Event>,
    pub(crate) resolved: HashMap<Id, Datum>,
    received: HashSet<(Id, u32)>,
    expected: HashSet<Id>,
}

impl History {
    /// Follows the stream until every task that was planned or named in `context_id` has ended.
    pub(crate) async fn follow(bus: &Bus, context_id: Id, deadline: Duration) -> Self {
        let mut consumer = bus.consumer(ConsumerConfig {
            name: format!("history-{context_id}"),
            filters: vec![],
            from_seq: 1,
            batch_max: 1_000,
        });
        let mut history = Self::default();
        let stop = CancellationToken::new();
        let follow = async {
            while !history.is_over() {
                let batch =
                    consumer.next_batch(&stop).await.expect("it only grows").expect("not stopped");
                for delivery in batch {
                    if delivery.recorded().metadata.correlation_id == context_id {
                        history.take(delivery.recorded());
                    }
                    delivery.ack().await.expect("acknowledged");
                }
            }
        };
        let in_time = tokio::time::timeout(deadline, follow).await;
        let missing: Vec<_> =
            history.expected.iter().filter(|id| !history.ended.contains_key(id)).collect();
        assert!(in_time.is_ok(), "these tasks have not ended in time: {missing:?}");
        history
    }

    fn is_over(&self) -> bool {
        !self.expected.is_empty() && self.expected.iter().all(|id| self.ended.contains_key(id))
    }

    fn take(&mut self, recorded: &Recorded) {
        let id = recorded.id;
        match &recorded.event {
            Event::ContextOpened(opened) => self.expected.extend(opened.plan.iter().map(|p| p.id)),
            Event::TaskSpawned(spawned) => {
                assert!(self.expected.contains(&id), "{id} was named before it was spawned");
                assert!(self.spawned.insert(id, spawned.clone()).is_none(), "spawned once");
            }
            Event::TaskReceived(received) => {
                assert!(self.received.insert((id, received.attempt)), "an attempt is claimed once");
                for binding in self.spawned[&id].inputs.values() {
                    let resolved =
                        binding.resource().is_none_or(|r| self.resolved.contains_key(&r));
                    assert!(resolved, "{id} was received before all its inputs were resolved");
                }
            }
            Event::TaskFinished(finished) => {
                self.expected.extend(finished.children.iter().map(|child| child.id));
                for (name, datum) in &finished.outputs {
                    let output = self.spawned[&id].outputs[name].id;
                    let before = self.resolved.insert(output, datum.clone());
                    assert!(before.is_none(), "output {name} of {id} was resolved twice");
                }
                self.end(recorded);
            }
            Event::TaskCancelled(_) | Event::TaskSkipped(_) => self.end(recorded),
            _ => {}
        }
    }

    fn end(&mut self, recorded: &Recorded) {
        let before = self.ended.insert(recorded.id, recorded.event.clone());
        assert!(before.is_none(), "{} ended twice", recorded.id);
    }

    /// The value that resource `id` was resolved with.
    pub(crate) fn value(&self, id: Id) -> &Value {
        match self.resolved.get(&id) {
            Some(Datum::Value(value)) => value,
            Some(Datum::Blob(blob)) => panic!("a blob of {} bytes", blob.size),
            None => panic!("{id} is not resolved; the tasks ended so: {:#?}", self.ended),
        }
    }

    /// How many tasks ended ok.
    pub(crate) fn ok(&self) -> usize {
        let ok = |event: &&Event| matches!(event, Event::TaskFinished(f) if f.outcome == task::Outcome::Ok);
        self.ended.values().filter(ok).count()
    }
}
