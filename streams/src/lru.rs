//! A bounded map that drops what was not used for the longest time.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Bounded by the number of entries and by the bytes that they are said to take.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    entries: HashMap<K, Slot<V>>,
    /// When each entry was used last, the oldest first.
    uses: BTreeMap<u64, K>,
    clock: u64,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    pub(crate) fn new(entries_max: usize, bytes_max: usize) -> Self {
        let (entries, uses) = (HashMap::new(), BTreeMap::new());
        Self { entries, uses, clock: 0, bytes: 0, entries_max, bytes_max }
    }

    /// What is under `key`, which counts as a use.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let slot = self.entries.get_mut(key)?;
        self.clock += 1;
        if let Some(key) = self.uses.remove(&slot.used) {
            self.uses.insert(self.clock, key);
        }
        slot.used = self.clock;
        Some(&slot.value)
    }

    /// Puts `value`, of `bytes`, under `key`, and drops others where room is needed.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        self.clock += 1;
        self.bytes += bytes;
        self.uses.insert(self.clock, key.clone());
        self.entries.insert(key, Slot { value, bytes, used: self.clock });
        while self.entries.len() > self.entries_max || self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.uses.first_key_value() else { return };
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(slot) = self.entries.remove(key) {
            self.uses.remove(&slot.used);
            self.bytes -= slot.bytes;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.uses.clear();
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
        assert_eq!(lru.get(&"a"), Some(&1));
        lru.insert("c", 3, 1);
        assert_eq!((lru.get(&"a").copied(), lru.bytes), (Some(1), 2));
        assert_eq!(lru.get(&"b"), None);
    }

    #[test]
    fn bytes_are_bounded_and_counted_exactly() {
        let mut lru = Lru::new(100, 10);
        lru.insert("a", 1, 4);
        lru.insert("b", 2, 4);
        lru.insert("b", 3, 5);
        assert_eq!(
            (lru.get(&"a").copied(), lru.get(&"b").copied(), lru.bytes),
            (Some(1), Some(3), 9)
        );
        lru.insert("c", 4, 9);
        assert_eq!((lru.entries.len(), lru.uses.len(), lru.bytes), (1, 1, 9));
        lru.insert("d", 5, 11);
        assert_eq!((lru.entries.len(), lru.uses.len(), lru.bytes), (0, 0, 0), "it has no room");
    }
}
