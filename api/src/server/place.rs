//! The places that connections take, and which of them has to go when there is none left: the one that
//! has asked for nothing for the longest time. Whoever opens connections and says nothing, or says it
//! byte by byte, takes no place from those who ask.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long everybody may wait before having to go: time enough to be heard, however many come at
/// once. Who finds no place meanwhile has not been accepted yet, and waits for that.
const GRACE: Duration = Duration::from_millis(200);

/// How long a connection that has to go may take to do so.
const LEAVE_WITHIN: Duration = Duration::from_millis(200);

/// All places. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Those that have no request under way, in the order in which they began to wait for one.
#[derive(Default)]
struct Waiting {
    next_turn: u64,
    by_turn: BTreeMap<u64, Waiter>,
}

struct Waiter {
    since: Instant,
    evicted: CancellationToken,
}

impl Places {
    /// So many.
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), waiting: Arc::default() }
    }

    /// A place, if need be that of another; `None` when all have requests under way.
    pub(super) async fn take(&self) -> Option<Arc<Place>> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(self.place(permit));
        }
        loop {
            let ripe = lock(&self.waiting).by_turn.values().next()?.since + GRACE;
            if let Ok(Ok(permit)) = timeout_at(ripe, Arc::clone(&self.free).acquire_owned()).await {
                return Some(self.place(permit));
            }
            if self.evict() {
                let left = timeout(LEAVE_WITHIN, Arc::clone(&self.free).acquire_owned()).await;
                return left.ok()?.ok().map(|permit| self.place(permit));
            }
        }
    }

    /// Whether there was one that has waited long enough.
    fn evict(&self) -> bool {
        let mut waiting = lock(&self.waiting);
        let first = waiting.by_turn.first_entry();
        let ripe = first.filter(|first| first.get().since + GRACE <= Instant::now());
        ripe.is_some_and(|first| {
            first.remove().evicted.cancel();
            true
        })
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Arc<Place> {
        let place = Place {
            waiting: Arc::clone(&self.waiting),
            evicted: CancellationToken::new(),
            state: Mutex::new(State { turn: None, has_asked: false }),
            _permit: permit,
        };
        place.wait();
        Arc::new(place)
    }
}

/// The place of one connection, given back when it is dropped.
pub(super) struct Place {
    waiting: Arc<Mutex<Waiting>>,
    evicted: CancellationToken,
    state: Mutex<State>,
    _permit: OwnedSemaphorePermit,
}

struct State {
    /// While no request is under way.
    turn: Option<u64>,
    has_asked: bool,
}

impl Place {
    /// A request is under way for as long as what is returned lives, and the place is not taken away.
    pub(super) fn ask(self: &Arc<Self>) -> Asking {
        let turn = {
            let mut state = lock(&self.state);
            state.has_asked = true;
            state.turn.take()
        };
        if let Some(turn) = turn {
            lock(&self.waiting).by_turn.remove(&turn);
        }
        Asking(Arc::clone(self))
    }

    /// Whether there has been a request.
    pub(super) fn has_asked(&self) -> bool {
        lock(&self.state).has_asked
    }

    /// Whether a request is under way.
    pub(super) fn is_asking(&self) -> bool {
        lock(&self.state).turn.is_none()
    }

    /// Waits until another needs the place.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    fn wait(&self) {
        let turn = {
            let mut waiting = lock(&self.waiting);
            let turn = waiting.next_turn;
            waiting.next_turn += 1;
            let waiter = Waiter { since: Instant::now(), evicted: self.evicted.clone() };
            waiting.by_turn.insert(turn, waiter);
            turn
        };
        lock(&self.state).turn = Some(turn);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turn) = lock(&self.state).turn.take() {
            lock(&self.waiting).by_turn.remove(&turn);
        }
    }
}

/// A request under way.
pub(super) struct Asking(Arc<Place>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// Nothing is left half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_has_asked_for_nothing_the_longest_has_to_go() {
        let places = Places::new(3);
        let first = places.take().await.expect("free");
        let second = places.take().await.expect("free");
        let third = places.take().await.expect("free");
        let asking = first.ask();
        drop(second.ask());

        let leaving = tokio::spawn(async move {
            third.evicted().await;
            assert!(!third.is_asking() && !third.has_asked());
        });
        let fourth = places.take().await.expect("the third makes room");
        leaving.await.expect("no panic");
        assert!(!first.evicted.is_cancelled() && !second.evicted.is_cancelled());

        drop(asking);
        let (_second, _fourth) = (second.ask(), fourth.ask());
        let leaving = tokio::spawn(async move { first.evicted().await });
        let fifth = places.take().await.expect("the first makes room");
        leaving.await.expect("no panic");
        let _fifth = fifth.ask();
        assert!(places.take().await.is_none(), "all have requests under way");
    }

    #[tokio::test]
    async fn what_is_gone_is_nobody_who_could_make_room() {
        let places = Places::new(1);
        drop(places.take().await.expect("free"));
        assert!(lock(&places.waiting).by_turn.is_empty());
        let place = places.take().await.expect("free");
        drop(place.ask());
        drop(place);
        assert!(lock(&places.waiting).by_turn.is_empty());
    }
}
