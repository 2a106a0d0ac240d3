//! Rows that were written lately, so that the next batch need not read them.
//!
//! What is here is what the tables hold, as long as nobody else has written them: the [`Mark`] of the
//! checkpoint tells. Whoever begins a batch takes all of it and gives it back when the batch is
//! committed, so that after a failure, of whatever kind, nothing is here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use kantoku_domain::Id;

use crate::document::{ContextDocument, ResourceDocument, TaskDocument};

/// How much text the rows of each kind have at most. In memory they take several times as much.
const TASK_BYTES_MAX: usize = 6 * 1024 * 1024;
const CONTEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
const RESOURCE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Which transaction wrote the checkpoint last, and of which table: another set of tables has another,
/// though it stands at the same position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) String);

/// Rows that were written lately.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) tasks: Kept<TaskDocument>,
    pub(crate) contexts: Kept<ContextDocument>,
    pub(crate) resources: Kept<ResourceDocument>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            tasks: Kept::new(TASK_BYTES_MAX),
            contexts: Kept::new(CONTEXT_BYTES_MAX),
            resources: Kept::new(RESOURCE_BYTES_MAX),
        }
    }
}

impl Cache {
    /// One that keeps nothing.
    pub(crate) fn closed() -> Self {
        Self { tasks: Kept::new(0), contexts: Kept::new(0), resources: Kept::new(0) }
    }
}

/// Where a cache lies between two batches.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Option<(Mark, Cache)>>);

impl Shelf {
    /// Takes the cache as of `mark`: an empty one, unless the tables are as they were left.
    pub(crate) fn take(&self, mark: &Mark) -> Cache {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        found.filter(|(left, _)| left == mark).map(|(_, cache)| cache).unwrap_or_default()
    }

    /// Puts it back as of `mark`, the one that its batch has left.
    pub(crate) fn give(&self, mark: Mark, cache: Cache) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((mark, cache));
    }
}

/// Rows of one table. The one that was written longest ago is forgotten first.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    rows: HashMap<Id, Entry<T>>,
    /// By when they were written.
    order: BTreeMap<u64, Id>,
    written: u64,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// `None`: lent to the batch that is under way.
    row: Option<T>,
    bytes: usize,
    written: u64,
}

impl<T> Kept<T> {
    fn new(bytes_max: usize) -> Self {
        Self { rows: HashMap::new(), order: BTreeMap::new(), written: 0, bytes: 0, bytes_max }
    }

    /// Lends a row: it is to be [put](Self::put), [given back](Self::give_back) or
    /// [forgotten](Self::forget).
    pub(crate) fn lend(&mut self, id: Id) -> Option<T> {
        self.rows.get_mut(&id)?.row.take()
    }

    /// Takes back a row that was lent and has not changed. One that was not lent is dropped.
    pub(crate) fn give_back(&mut self, id: Id, row: T) {
        if let Some(entry) = self.rows.get_mut(&id) {
            entry.row = Some(row);
        }
    }

    /// Keeps a row as it was written, as a text of so many bytes.
    pub(crate) fn put(&mut self, id: Id, row: T, bytes: usize) {
        self.forget(id);
        self.written += 1;
        self.bytes += bytes;
        self.order.insert(self.written, id);
        self.rows.insert(id, Entry { row: Some(row), bytes, written: self.written });
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.forget(oldest);
        }
    }

    /// Keeps a row no longer.
    pub(crate) fn forget(&mut self, id: Id) {
        if let Some(entry) = self.rows.remove(&id) {
            self.order.remove(&entry.written);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> Id {
        Id::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn what_was_written_longest_ago_is_forgotten_first() {
        let mut kept = Kept::new(100);
        for number in 1..=3 {
            kept.put(id(number), number, 40);
        }
        assert_eq!(
            (kept.lend(id(1)), kept.lend(id(2)), kept.lend(id(3))),
            (None, Some(2), Some(3))
        );
        kept.put(id(2), 20, 40);
        kept.give_back(id(3), 3);
        kept.put(id(4), 4, 40);
        assert_eq!(
            (kept.lend(id(3)), kept.lend(id(2)), kept.lend(id(4))),
            (None, Some(20), Some(4))
        );
        kept.give_back(id(3), 3);
        assert_eq!((kept.lend(id(3)), kept.bytes, kept.order.len()), (None, 80, 2));
        kept.put(id(5), 5, 101);
        assert_eq!((kept.bytes, kept.rows.len(), kept.order.len()), (0, 0, 0), "too long to keep");
    }

    #[test]
    fn a_cache_is_there_for_the_mark_that_it_was_left_at_and_once() {
        let shelf = Shelf::default();
        let mark = |text: &str| Mark(text.into());
        let mut cache = Cache::default();
        cache.tasks.bytes_max = 7;
        shelf.give(mark("1"), cache);
        assert_eq!(shelf.take(&mark("1")).tasks.bytes_max, 7);
        assert_eq!(shelf.take(&mark("1")).tasks.bytes_max, TASK_BYTES_MAX);
        shelf.give(mark("1"), Cache { tasks: Kept::new(7), ..Cache::default() });
        assert_eq!(shelf.take(&mark("2")).tasks.bytes_max, TASK_BYTES_MAX);
        assert_eq!(shelf.take(&mark("1")).tasks.bytes_max, TASK_BYTES_MAX);
    }
}
