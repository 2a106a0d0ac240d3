//! The events of a stream as they come, to wait for one and to look back at all.

use std::sync::Arc;

use kantoku_domain::{Event, Id, Recorded, Timestamp, task};
use kantoku_streams::{Bus, ConsumerConfig};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::DEADLINE;

/// All events, in the order of the stream.
pub(super) struct Events {
    all: watch::Receiver<Vec<Arc<Recorded>>>,
    reader: JoinHandle<()>,
}

impl Events {
    /// Reads from the first one on.
    pub(super) fn read(bus: &Bus) -> Self {
        let mut consumer = bus.consumer(ConsumerConfig {
            name: format!("events-{}", Uuid::new_v4()),
            filters: vec![],
            from_seq: 1,
            batch_max: 1_000,
        });
        let (write, all) = watch::channel(Vec::<Arc<Recorded>>::new());
        let reader = tokio::spawn(async move {
            let stop = CancellationToken::new();
            while let Some(batch) = consumer.next_batch(&stop).await.expect("it only grows") {
                for delivery in batch {
                    let recorded = Arc::clone(delivery.recorded());
                    write.send_modify(|all| {
                        // One may be delivered again.
                        if all.last().is_none_or(|last| last.stream_seq < recorded.stream_seq) {
                            all.push(recorded);
                        }
                    });
                    delivery.ack().await.expect("acknowledged");
                }
            }
        });
        Self { all, reader }
    }

    /// Those that have come.
    pub(super) fn all(&self) -> Vec<Arc<Recorded>> {
        self.all.borrow().clone()
    }

    /// Those of a task that have come, its announcements left out.
    pub(super) fn of(&self, task_id: Id) -> Vec<Arc<Recorded>> {
        let is_of = |recorded: &Arc<Recorded>| {
            recorded.id == task_id && !matches!(recorded.event, Event::TaskReady(_))
        };
        self.all().into_iter().filter(is_of).collect()
    }

    /// The first one, there or to come, of which `find` makes something.
    pub(super) async fn until<T>(&self, what: &str, find: impl Fn(&Recorded) -> Option<T>) -> T {
        let mut all = self.all.clone();
        let mut seen = 0;
        let found = async {
            loop {
                {
                    let all = all.borrow_and_update();
                    if let Some(found) = all[seen..].iter().find_map(|recorded| find(recorded)) {
                        return found;
                    }
                    seen = all.len();
                }
                all.changed().await.expect("they are read on");
            }
        };
        match tokio::time::timeout(DEADLINE, found).await {
            Ok(found) => found,
            Err(_) => panic!("not in time: {what}; there are {:#?}", self.all()),
        }
    }

    /// Who claimed an attempt of a task, now or later, and when.
    pub(super) async fn received(&self, task_id: Id, attempt: u32) -> (task::Received, Timestamp) {
        let what = format!("attempt {attempt} of {task_id} is claimed");
        self.until(&what, |recorded| match &recorded.event {
            Event::TaskReceived(received)
                if recorded.id == task_id && received.attempt == attempt =>
            {
                Some((received.clone(), recorded.metadata.at))
            }
            _ => None,
        })
        .await
    }

    /// How a task finished, now or later.
    pub(super) async fn finished(&self, task_id: Id) -> task::Finished {
        self.until(&format!("{task_id} finishes"), |recorded| match &recorded.event {
            Event::TaskFinished(finished) if recorded.id == task_id => Some(finished.clone()),
            _ => None,
        })
        .await
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
