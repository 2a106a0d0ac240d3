//! Effects that are under way: many at once, but never two of one task.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    panic::AssertUnwindSafe,
};

use futures::{FutureExt as _, future::BoxFuture};
use kantoku_domain::Id;
use tokio::task::JoinSet;

use crate::metric;

/// Work in lanes. What is in one lane is done in the order in which it came. It goes on while the
/// owner does other things, and ends when the lanes are dropped. A job that panics is over, and
/// nothing else: what it was for is due again after a while.
pub(crate) struct Lanes<J> {
    running: JoinSet<Id>,
    /// What waits behind the job that runs; a lane is here while one runs.
    waiting: HashMap<Id, VecDeque<J>>,
    start: Box<dyn Fn(J) -> BoxFuture<'static, ()> + Send>,
    open: usize,
    max: usize,
}

impl<J: Send> Lanes<J> {
    /// Lanes for about `max` jobs in all, each of which `start` does.
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        max: usize,
        start: impl Fn(J) -> F + Send + 'static,
    ) -> Self {
        let start = Box::new(move |job| Box::pin(start(job)) as BoxFuture<'static, ()>);
        Self { running: JoinSet::new(), waiting: HashMap::new(), start, open: 0, max }
    }

    /// How many jobs there are.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// How many more there should be.
    pub(crate) fn room(&self) -> usize {
        self.max.saturating_sub(self.open)
    }

    /// Begins a job, or puts it behind those in the same lane.
    pub(crate) fn push(&mut self, lane: Id, job: J) {
        self.open += 1;
        if let Some(waiting) = self.waiting.get_mut(&lane) {
            waiting.push_back(job);
            return;
        }
        self.waiting.insert(lane, VecDeque::new());
        self.run(lane, job);
    }

    /// Waits until a job is done, and begins the next in its lane; and so for all that are done by
    /// then. Never returns when there is none. May be dropped and called again.
    pub(crate) async fn next_done(&mut self) {
        // Panics are caught, and nobody else ends them.
        let Some(Ok(lane)) = self.running.join_next().await else {
            return std::future::pending().await;
        };
        self.take_done(lane);
        while let Some(Ok(lane)) = self.running.try_join_next() {
            self.take_done(lane);
        }
    }

    fn take_done(&mut self, lane: Id) {
        self.open -= 1;
        match self.waiting.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.run(lane, next),
            None => {
                self.waiting.remove(&lane);
            }
        }
    }

    fn run(&mut self, lane: Id, job: J) {
        let work = (self.start)(job);
        self.running.spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                metric::effect_panicked();
                tracing::error!(%lane, "an effect panicked; it is tried again after a while");
            }
            lane
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use kantoku_domain::Partition;
    use tokio::sync::Semaphore;

    use super::*;

    fn lane(n: u8) -> Id {
        Id::default().derive(&n.to_string(), Partition::of(0))
    }

    #[tokio::test]
    async fn a_job_that_panics_holds_nobody_up() {
        let mut lanes = Lanes::new(3, |is_bad: bool| async move { assert!(!is_bad, "on purpose") });
        lanes.push(lane(1), true);
        lanes.push(lane(1), false);
        lanes.next_done().await;
        lanes.next_done().await;
        assert_eq!((lanes.open(), lanes.waiting.len()), (0, 0));
    }

    #[tokio::test]
    async fn one_lane_is_in_order_and_holds_no_other_up() {
        let (gate, done) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (shared_gate, shared_done) = (Arc::clone(&gate), Arc::clone(&done));
        let mut lanes = Lanes::new(3, move |job: &'static str| {
            let (gate, done) = (Arc::clone(&shared_gate), Arc::clone(&shared_done));
            async move {
                if job == "slow" {
                    gate.acquire().await.expect("open").forget();
                }
                done.lock().expect("not poisoned").push(job);
            }
        });
        lanes.push(lane(1), "slow");
        lanes.push(lane(1), "after");
        lanes.push(lane(2), "quick");
        assert_eq!((lanes.open(), lanes.room()), (3, 0));
        lanes.next_done().await;
        assert_eq!(*done.lock().expect("not poisoned"), ["quick"]);
        gate.add_permits(1);
        lanes.next_done().await;
        lanes.next_done().await;
        assert_eq!(*done.lock().expect("not poisoned"), ["quick", "slow", "after"]);
        assert_eq!((lanes.open(), lanes.waiting.len()), (0, 0));
    }
}
