//! A bounded map that drops what was not used for the longest time.

use std::{borrow::Borrow, hash::Hash};

use lru::LruCache;

/// Bounded by the number of entries and by the bytes that they are said to take.
#[derive(Debug)]
pub(crate) struct Lru<K: Eq + Hash, V> {
    entries: LruCache<K, Slot<V>>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    bytes: usize,
}

impl<K: Eq + Hash, V> Lru<K, V> {
    pub(crate) fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, entries_max, bytes_max }
    }

    /// What is under `key`, which counts as a use.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|slot| &slot.value)
    }

    /// Puts `value`, of `bytes`, under `key`, and drops others where room is needed.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.bytes += bytes;
        if let Some(before) = self.entries.put(key, Slot { value, bytes }) {
            self.bytes -= before.bytes;
        }
        while self.entries.len() > self.entries_max || self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.entries.pop_lru() else { return };
            self.bytes -= oldest.bytes;
        }
    }

    /// Takes out what is under `key`.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let slot = self.entries.pop(key)?;
        self.bytes -= slot.bytes;
        Some(slot.value)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_goes_first() {
        let mut lru = Lru::new(2, 100);
        lru.insert("a", 1, 1);
        lru.insert("b", 2, 1);
        assert_eq!(lru.get("a"), Some(&1));
        lru.insert("c", 3, 1);
        assert_eq!((lru.get("a").copied(), lru.bytes), (Some(1), 2));
        assert_eq!(lru.get("b"), None);
        assert_eq!((lru.remove("b"), lru.remove("c")), (None, Some(3)));
        assert_eq!(lru.bytes, 1);
    }

    #[test]
    fn bytes_are_bounded_and_counted_exactly() {
        let mut lru = Lru::new(100, 10);
        lru.insert("a", 1, 4);
        lru.insert("b", 2, 4);
        lru.insert("b", 3, 5);
        assert_eq!(
            (lru.get("a").copied(), lru.get("b").copied(), lru.bytes),
            (Some(1), Some(3), 9)
        );
        lru.insert("c", 4, 9);
        assert_eq!((lru.entries.len(), lru.bytes), (1, 9));
        lru.insert("d", 5, 11);
        assert_eq!((lru.entries.len(), lru.bytes), (0, 0), "it has no room");
    }
}
