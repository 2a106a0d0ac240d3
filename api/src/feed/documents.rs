//! Records as they change in the read model: read once, however many follow them, and not at all
//! while nobody does.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use kantoku_domain::Id;
use kantoku_projections::{
    Error, Reader,
    document::{ContextDocument, Record, TaskDocument},
    reader::{Changes, Filter, LIMIT_MAX, Mark},
};
use kantoku_streams::full_jitter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Interest, Ring, Watcher, ring::Item};

const DELAY_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// A record that can be followed.
pub(crate) trait Followed: Record + Item + Clone {
    /// Up to `limit` of those that changed after `after`.
    fn changed<'a>(
        reader: &'a Reader,
        filter: &'a Filter,
        after: Mark,
        limit: u32,
    ) -> BoxFuture<'a, Result<Changes<Self>, Error>>;
}

impl Item for TaskDocument {
    fn at_seq(&self) -> u64 {
        self.stream_seq
    }

    fn subjects(&self) -> [Id; 2] {
        [self.id, self.context_id]
    }
}

impl Followed for TaskDocument {
    fn changed<'a>(
        reader: &'a Reader,
        filter: &'a Filter,
        after: Mark,
        limit: u32,
    ) -> BoxFuture<'a, Result<Changes<Self>, Error>> {
        Box::pin(reader.changed_tasks(filter, after, limit))
    }
}

impl Item for ContextDocument {
    fn at_seq(&self) -> u64 {
        self.stream_seq
    }

    fn subjects(&self) -> [Id; 2] {
        [self.id, self.id]
    }
}

impl Followed for ContextDocument {
    fn changed<'a>(
        reader: &'a Reader,
        filter: &'a Filter,
        after: Mark,
        limit: u32,
    ) -> BoxFuture<'a, Result<Changes<Self>, Error>> {
        Box::pin(reader.changed_contexts(filter, after, limit))
    }
}

/// Records of one kind as they change. Cheap to clone; clones share everything.
pub(crate) struct Documents<T> {
    ring: Ring<T>,
    followers: Arc<watch::Sender<usize>>,
}

impl<T> Clone for Documents<T> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), followers: Arc::clone(&self.followers) }
    }
}

impl<T: Followed> Documents<T> {
    pub(super) fn new(ring: Ring<T>) -> Self {
        Self { ring, followers: Arc::default() }
    }

    /// Lets changes be read for as long as what is returned lives. To be called before the read
    /// that is to be followed up.
    pub(crate) fn follow(&self) -> Follower<T> {
        self.followers.send_modify(|followers| *followers += 1);
        Follower(self.clone())
    }

    /// Reads changes for followers, until `stop` is cancelled.
    pub(super) async fn read(self, reader: Reader, stop: CancellationToken) {
        let mut followers = self.followers.subscribe();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                some = followers.wait_for(|followers| *followers > 0) => if some.is_err() { return },
            }
            tokio::select! {
                () = stop.cancelled() => return,
                none = followers.wait_for(|followers| *followers == 0) => if none.is_err() { return },
                () = self.read_on(&reader) => {}
            }
            self.ring.restart(self.ring.head());
        }
    }

    /// From what is the position of the read model now, until it goes back.
    async fn read_on(&self, reader: &Reader) {
        let mut positions = reader.positions();
        let mut position = *positions.borrow_and_update();
        self.ring.restart(position);
        let mut after = Mark::behind(position);
        // The reader, which follows positions, outlives this.
        while positions.changed().await.is_ok() {
            let before = std::mem::replace(&mut position, *positions.borrow_and_update());
            if position < before {
                return;
            }
            after = self.read_all(reader, after).await;
        }
    }

    /// Reads all there is after `after`; where to go on.
    async fn read_all(&self, reader: &Reader, mut after: Mark) -> Mark {
        let mut failures = 0;
        loop {
            match T::changed(reader, &Filter::default(), after, LIMIT_MAX).await {
                Ok(changes) => {
                    failures = 0;
                    after = changes.next;
                    let is_complete = changes.is_complete;
                    // The next page may go on with the same event.
                    let head = after.stream_seq - u64::from(!is_complete);
                    self.ring.push(changes.items.into_iter().map(Arc::new), head);
                    if is_complete {
                        return after;
                    }
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "changes of the read model cannot be read");
                    tokio::time::sleep(full_jitter(failures, DELAY_BASE, DELAY_MAX)).await;
                }
            }
        }
    }
}

/// Lets changes be read while it lives.
pub(crate) struct Follower<T: Followed>(Documents<T>);

impl<T: Followed> Follower<T> {
    /// Watches for changes after position `after`, at which the caller has read all there was.
    pub(crate) fn watch(&self, interest: Interest, after: u64) -> Watcher<T> {
        self.0.ring.watch(interest, after)
    }
}

impl<T: Followed> Drop for Follower<T> {
    fn drop(&mut self) {
        self.0.followers.send_modify(|followers| *followers -= 1);
    }
}
