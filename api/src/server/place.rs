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
pub(super) const GRACE: Duration = Duration::from_millis(100);

/// How long a connection that has to go may take to do so, on a machine that has much to do.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// All places. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    queue: Arc<Mutex<Queue>>,
}

/// Those that could make room.
#[derive(Default)]
struct Queue {
    next_turn: u64,
    /// Those that have no request under way, in the order in which they began to wait for one.
    waiting: BTreeMap<u64, Waiter>,
    /// How many there are that nobody has listened to yet.
    arriving: usize,
}

struct Waiter {
    since: Instant,
    evicted: CancellationToken,
}

impl Places {
    /// So many.
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), queue: Arc::default() }
    }

    /// A place, if need be that of another; `None` when all have requests under way.
    pub(super) async fn take(&self) -> Option<Arc<Place>> {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return Some(self.place(permit));
            }
            let ripe = lock(&self.queue).next_ripe()?;
            if let Ok(Ok(permit)) = timeout_at(ripe, Arc::clone(&self.free).acquire_owned()).await {
                return Some(self.place(permit));
            }
            if lock(&self.queue).evict() {
                let left = timeout(LEAVE_WITHIN, Arc::clone(&self.free).acquire_owned()).await;
                return left.ok()?.ok().map(|permit| self.place(permit));
            }
        }
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Arc<Place> {
        lock(&self.queue).arriving += 1;
        Arc::new(Place {
            queue: Arc::clone(&self.queue),
            evicted: CancellationToken::new(),
            state: Mutex::new(State { standing: Standing::Arriving, has_asked: false }),
            _permit: permit,
        })
    }
}

impl Queue {
    /// When it is worth looking who has to go; `None` when nobody could.
    fn next_ripe(&self) -> Option<Instant> {
        let first = self.waiting.values().next().map(|waiter| waiter.since);
        let arriving = (self.arriving > 0).then(Instant::now);
        first.or(arriving).map(|since| since + GRACE)
    }

    /// Whether there was one that has waited long enough.
    fn evict(&mut self) -> bool {
        let first = self.waiting.first_entry();
        let ripe = first.filter(|first| first.get().since + GRACE <= Instant::now());
        ripe.is_some_and(|first| {
            first.remove().evicted.cancel();
            true
        })
    }
}

/// The place of one connection, given back when it is dropped.
pub(super) struct Place {
    queue: Arc<Mutex<Queue>>,
    evicted: CancellationToken,
    state: Mutex<State>,
    _permit: OwnedSemaphorePermit,
}

struct State {
    standing: Standing,
    has_asked: bool,
}

enum Standing {
    /// Nobody has listened to it yet.
    Arriving,
    /// It has its turn in the queue.
    Waiting(u64),
    /// A request is under way.
    Asking,
}

impl Place {
    /// It was listened to, and has asked for nothing so far.
    pub(super) fn listened(&self) {
        let mut state = lock(&self.state);
        if matches!(state.standing, Standing::Arriving) {
            self.leave(&state.standing);
            state.standing = self.wait();
        }
    }

    /// A request is under way for as long as what is returned lives, and the place is not taken away.
    pub(super) fn ask(self: &Arc<Self>) -> Asking {
        let mut state = lock(&self.state);
        self.leave(&state.standing);
        *state = State { standing: Standing::Asking, has_asked: true };
        Asking(Arc::clone(self))
    }

    /// Whether there has been a request.
    pub(super) fn has_asked(&self) -> bool {
        lock(&self.state).has_asked
    }

    /// Whether a request is under way.
    pub(super) fn is_asking(&self) -> bool {
        matches!(lock(&self.state).standing, Standing::Asking)
    }

    /// Waits until another needs the place.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    fn leave(&self, standing: &Standing) {
        let mut queue = lock(&self.queue);
        match standing {
            Standing::Arriving => queue.arriving -= 1,
            Standing::Waiting(turn) => drop(queue.waiting.remove(turn)),
            Standing::Asking => {}
        }
    }

    fn wait(&self) -> Standing {
        let mut queue = lock(&self.queue);
        let turn = queue.next_turn;
        queue.next_turn += 1;
        let waiter = Waiter { since: Instant::now(), evicted: self.evicted.clone() };
        queue.waiting.insert(turn, waiter);
        Standing::Waiting(turn)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(&lock(&self.state).standing);
    }
}

/// A request under way.
pub(super) struct Asking(Arc<Place>);

impl Drop for Asking {
    fn drop(&mut self) {
        lock(&self.0.state).standing = self.0.wait();
    }
}

/// Nothing is left half done under these locks; that of a place comes before that of the queue.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves as soon as it has to.
    fn leaving(place: Arc<Place>) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move { place.evicted().await })
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_asked_for_nothing_the_longest_has_to_go() {
        let places = Places::new(3);
        let [first, second, third] =
            [places.take().await, places.take().await, places.take().await]
                .map(|place| place.expect("free"));
        second.listened();
        third.listened();
        let left = leaving(second);
        let fourth = places.take().await.expect("the second makes room");
        left.await.expect("no panic");
        assert!(!first.evicted.is_cancelled() && !third.evicted.is_cancelled());

        let (_third, _fourth) = (third.ask(), fourth.ask());
        assert!(third.is_asking() && third.has_asked());
        drop(first.ask());
        let left = leaving(first);
        let fifth = places.take().await.expect("the first makes room");
        left.await.expect("no panic");
        let _fifth = fifth.ask();
        assert!(places.take().await.is_none(), "all have requests under way");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_has_to_go_who_was_not_listened_to() {
        let places = Places::new(1);
        let first = places.take().await.expect("free");
        assert!(timeout(GRACE * 5, places.take()).await.is_err(), "it is waited for");
        first.listened();
        let left = leaving(first);
        places.take().await.expect("it makes room");
        left.await.expect("no panic");
    }

    #[tokio::test]
    async fn who_is_gone_is_nobody_who_could_make_room() {
        let places = Places::new(1);
        let acts: [fn(&Arc<Place>); 3] =
            [|_| {}, |place| place.listened(), |place| drop(place.ask())];
        for act in acts {
            let place = places.take().await.expect("free");
            act(&place);
            drop(place);
            let queue = lock(&places.queue);
            assert!(queue.waiting.is_empty() && queue.arriving == 0);
        }
    }
}
