//! The last items of a sequence, and who is to be woken for which of them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kantoku_domain::Id;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::Notify;

use super::{metric, size::bytes_of};

/// How many items a watcher is given at once.
const TAKE_MAX: usize = 64;

/// Something with a place in a sequence.
pub(crate) trait Item: Serialize + Send + Sync + 'static {
    /// Its position in the stream. Several items may have the same.
    fn at_seq(&self) -> u64;
    /// What it is about.
    fn subjects(&self) -> [Id; 2];
}

/// What a watcher is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Interest {
    /// Everything.
    All,
    /// What is about this.
    Of(Id),
}

impl Interest {
    fn covers(self, item: &impl Item) -> bool {
        match self {
            Self::All => true,
            Self::Of(id) => item.subjects().contains(&id),
        }
    }
}

/// The watcher missed something of interest, or may have: what it has not seen has left the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the watcher was too slow")]
pub(crate) struct Lagged;

/// The last items of a sequence. Cheap to clone; clones share everything.
pub(crate) struct Ring<T> {
    inner: Arc<Mutex<Inner<T>>>,
    name: &'static str,
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), name: self.name }
    }
}

struct Inner<T> {
    items: VecDeque<Kept<T>>,
    /// The index of the first item; every item ever pushed has one of its own.
    first: u64,
    /// Items at this position and below may have left, or were never here.
    floor: u64,
    /// Up to here everything has been pushed.
    head: u64,
    bytes: usize,
    items_max: usize,
    bytes_max: usize,
    watchers: HashMap<u64, State>,
    interests: HashMap<Interest, HashSet<u64>>,
    next_watcher: u64,
}

struct Kept<T> {
    item: Arc<T>,
    bytes: usize,
}

struct State {
    notify: Arc<Notify>,
    /// The index of the first item of interest that it has not seen.
    pending: Option<u64>,
    lagged: bool,
}

impl<T: Item> Ring<T> {
    /// Keeps at most so many items and bytes, but always the last item. Everything up to position
    /// `head` is over.
    pub(crate) fn new(name: &'static str, items_max: usize, bytes_max: usize, head: u64) -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            first: 0,
            floor: head,
            head,
            bytes: 0,
            items_max,
            bytes_max,
            watchers: HashMap::new(),
            interests: HashMap::new(),
            next_watcher: 0,
        };
        Self { inner: Arc::new(Mutex::new(inner)), name }
    }

    /// The position up to which everything has been pushed.
    pub(crate) fn head(&self) -> u64 {
        self.lock().head
    }

    /// Watches for what comes after position `after`.
    pub(crate) fn watch(&self, interest: Interest, after: u64) -> Watcher<T> {
        let mut inner = self.lock();
        let number = inner.next_watcher;
        inner.next_watcher += 1;
        let from = inner.items.partition_point(|kept| kept.item.at_seq() <= after);
        let state = State {
            notify: Arc::default(),
            pending: (from < inner.items.len()).then_some(inner.first + from as u64),
            lagged: after < inner.floor,
        };
        let notify = Arc::clone(&state.notify);
        inner.watchers.insert(number, state);
        inner.interests.entry(interest).or_default().insert(number);
        drop(inner);
        metric::watchers(self.name, 1.0);
        Watcher { ring: self.clone(), interest, number, notify }
    }

    /// Appends items, in order, and says that everything up to `head` is here now.
    pub(super) fn push(&self, items: impl IntoIterator<Item = Arc<T>>, head: u64) {
        let items: Vec<_> =
            items.into_iter().map(|item| Kept { bytes: bytes_of(&*item), item }).collect();
        self.push_kept(items, head);
    }

    /// The same, where it is known how much memory each item takes.
    pub(super) fn push_sized(&self, items: impl IntoIterator<Item = (Arc<T>, usize)>, head: u64) {
        self.push_kept(items.into_iter().map(|(item, bytes)| Kept { item, bytes }), head);
    }

    fn push_kept(&self, items: impl IntoIterator<Item = Kept<T>>, head: u64) {
        let mut inner = self.lock();
        for kept in items {
            inner.push(kept);
        }
        inner.head = inner.head.max(head);
        metric::position(self.name, inner.head);
    }

    /// Forgets everything: what comes next is after position `head`.
    pub(super) fn restart(&self, head: u64) {
        let mut inner = self.lock();
        inner.first += inner.items.len() as u64;
        inner.items.clear();
        (inner.floor, inner.head, inner.bytes) = (head, head, 0);
        for state in inner.watchers.values_mut() {
            (state.pending, state.lagged) = (None, true);
            state.notify.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // Nothing that holds the lock can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Item> Inner<T> {
    fn push(&mut self, kept: Kept<T>) {
        let index = self.first + self.items.len() as u64;
        let [subject, other] = kept.item.subjects();
        let other = (other != subject).then_some(Interest::Of(other));
        for interest in [Interest::All, Interest::Of(subject)].into_iter().chain(other) {
            for number in self.interests.get(&interest).into_iter().flatten() {
                let Some(state) = self.watchers.get_mut(number) else { continue };
                if state.pending.is_none() {
                    state.pending = Some(index);
                    state.notify.notify_one();
                }
            }
        }
        self.bytes += kept.bytes;
        self.items.push_back(kept);
        while self.items.len() > self.items_max.max(1)
            || (self.bytes > self.bytes_max && self.items.len() > 1)
        {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let Some(gone) = self.items.pop_front() else { return };
        self.first += 1;
        self.bytes -= gone.bytes;
        self.floor = gone.item.at_seq();
    }

    /// What is pending for a watcher; `None` when that is nothing.
    fn take(&mut self, number: u64, interest: Interest) -> Option<Result<Vec<Arc<T>>, Lagged>> {
        let first = self.first;
        let state = self.watchers.get_mut(&number)?;
        if std::mem::take(&mut state.lagged) || state.pending.is_some_and(|index| index < first) {
            state.pending = None;
            return Some(Err(Lagged));
        }
        let from = (state.pending.take()? - first) as usize;
        let mut taken = Vec::new();
        for (index, kept) in self.items.iter().enumerate().skip(from) {
            if taken.len() == TAKE_MAX {
                state.pending = Some(first + index as u64);
                break;
            }
            if interest.covers(&*kept.item) {
                taken.push(Arc::clone(&kept.item));
            }
        }
        (!taken.is_empty()).then_some(Ok(taken))
    }
}

/// Who is woken for items. Idle, it costs nothing, and never lags behind what does not concern it.
pub(crate) struct Watcher<T: Item> {
    ring: Ring<T>,
    interest: Interest,
    number: u64,
    notify: Arc<Notify>,
}

impl<T: Item> Watcher<T> {
    /// The next items of interest, in order: at least one. After [`Lagged`] it goes on with what is
    /// pushed from then on; the rest is to be read elsewhere.
    pub(crate) async fn next(&mut self) -> Result<Vec<Arc<T>>, Lagged> {
        loop {
            let taken = self.ring.lock().take(self.number, self.interest);
            if let Some(taken) = taken {
                return taken.inspect_err(|_| metric::lagged(self.ring.name));
            }
            self.notify.notified().await;
        }
    }
}

impl<T: Item> Drop for Watcher<T> {
    fn drop(&mut self) {
        let mut inner = self.ring.lock();
        inner.watchers.remove(&self.number);
        if let Some(numbers) = inner.interests.get_mut(&self.interest) {
            numbers.remove(&self.number);
            if numbers.is_empty() {
                inner.interests.remove(&self.interest);
            }
        }
        drop(inner);
        metric::watchers(self.ring.name, -1.0);
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
pub(super) mod tests;
