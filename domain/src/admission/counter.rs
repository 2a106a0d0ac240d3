//! Who holds what, and what has started lately.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::Key;
use crate::{Id, Timestamp, policy::Rate};

#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    holders: HashMap<Arc<Key>, BTreeSet<Id>>,
    /// The last starts under each rate, as many as it allows, earliest first.
    starts: HashMap<Arc<Key>, Starts>,
    /// How many rates are kept before those are looked for that nothing has started under lately.
    starts_max: usize,
}

/// What has started lately, in microseconds, in an order that says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedStarts {
    starts: Vec<(Key, Rate, Vec<i64>)>,
    starts_max: usize,
}

#[derive(Clone, Debug)]
struct Starts {
    rate: Rate,
    at: VecDeque<Timestamp>,
}

impl Starts {
    /// When another may start; in the past, if now.
    fn next(&self) -> Option<Timestamp> {
        let count = self.rate.count as usize;
        let full_since = self.at.len().checked_sub(count).and_then(|index| self.at.get(index))?;
        Some(full_since.plus(self.rate.per.duration()))
    }

    fn add(&mut self, at: Timestamp) {
        // Clocks differ: what comes late may be dated earlier.
        let place = self.at.partition_point(|other| *other <= at);
        self.at.insert(place, at);
        while self.at.len() > self.rate.count as usize {
            self.at.pop_front();
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.at.back().is_none_or(|last| last.plus(self.rate.per.duration()) <= now)
    }
}

impl Counters {
    /// A task holds what is counted by `key`.
    pub(super) fn take(&mut self, key: &Arc<Key>, task_id: Id) {
        self.holders.entry(Arc::clone(key)).or_default().insert(task_id);
    }

    pub(super) fn give_back(&mut self, key: &Arc<Key>, task_id: Id) {
        if let Some(holders) = self.holders.get_mut(key) {
            holders.remove(&task_id);
            if holders.is_empty() {
                self.holders.remove(key);
            }
        }
    }

    pub(super) fn holders(&self, key: &Key) -> Option<&BTreeSet<Id>> {
        self.holders.get(key)
    }

    pub(super) fn in_use(&self) -> impl Iterator<Item = (&Key, usize)> {
        self.holders.iter().map(|(key, holders)| (&**key, holders.len()))
    }

    /// An attempt has started that is counted by `key`.
    pub(super) fn start(&mut self, key: &Arc<Key>, rate: Rate, at: Timestamp) {
        let starts = self.starts.entry(Arc::clone(key));
        let starts = starts.or_insert_with(|| Starts { rate, at: VecDeque::new() });
        starts.rate = rate;
        starts.add(at);
        if self.starts.len() > self.starts_max {
            self.starts.retain(|_, starts| !starts.is_over(at));
            self.starts_max = 2 * self.starts.len() + 1_024;
        }
    }

    /// When another attempt may start under `key`; `None`: now.
    pub(super) fn next_start(&self, key: &Key, now: Timestamp) -> Option<Timestamp> {
        self.starts.get(key)?.next().filter(|next| now < *next)
    }

    pub(super) fn knows_starts(&self, key: &Key) -> bool {
        self.starts.contains_key(key)
    }

    /// The starts, to be kept: who holds what follows from the tasks.
    pub(super) fn saved(&self) -> SavedStarts {
        let starts = self.starts.iter().map(|(key, starts)| {
            let at = starts.at.iter().map(|at| at.micros()).collect();
            (Key::clone(key), starts.rate, at)
        });
        let mut starts: Vec<_> = starts.collect();
        starts.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        SavedStarts { starts, starts_max: self.starts_max }
    }

    /// Counters that know of starts, and of nobody who holds anything.
    pub(super) fn restored(saved: SavedStarts) -> Self {
        let starts = saved.starts.into_iter().map(|(key, rate, at)| {
            let at = at.into_iter().map(Timestamp::from_micros).collect();
            (Arc::new(key), Starts { rate, at })
        });
        Self { holders: HashMap::new(), starts: starts.collect(), starts_max: saved.starts_max }
    }

    /// Forgets who holds what, and starts under what is no rate any more.
    pub(super) fn restart(&mut self, rate: impl Fn(&Key) -> Option<Rate>) {
        self.holders.clear();
        self.starts.retain(|key, starts| match rate(key) {
            Some(rate) => {
                starts.rate = rate;
                true
            }
            None => false,
        });
    }
}
