//! An order of tasks that wait: by level, then the contexts that hold least, then the first come.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{Id, Timestamp};

/// A task by when it began to wait.
type Place = (Timestamp, Id);

/// Where the first of a queue stands: the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) level: Reverse<i64>,
    share: u32,
    since: Timestamp,
    pub(super) task_id: Id,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    levels: BTreeMap<Reverse<i64>, Level>,
}

/// The tasks of one level, by context.
#[derive(Clone, Debug, Default)]
struct Level {
    contexts: HashMap<Id, BTreeSet<Place>>,
    /// Each context by what it holds and its first task.
    by_share: BTreeSet<(u32, Place, Id)>,
    /// All tasks, for when shares do not count.
    by_place: BTreeSet<Place>,
}

impl Level {
    fn first_of(&self, context: Id) -> Option<Place> {
        self.contexts.get(&context)?.first().copied()
    }

    /// Changes the tasks of a context, and keeps its place among the others.
    fn change(&mut self, context: Id, share: u32, change: impl FnOnce(&mut BTreeSet<Place>)) {
        if let Some(first) = self.first_of(context) {
            self.by_share.remove(&(share, first, context));
        }
        let tasks = self.contexts.entry(context).or_default();
        change(tasks);
        match tasks.first().copied() {
            Some(first) => {
                self.by_share.insert((share, first, context));
            }
            None => {
                self.contexts.remove(&context);
            }
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Adds a task of a context that holds `share`.
    pub(super) fn insert(&mut self, level: i64, context: Id, share: u32, place: Place) {
        let level = self.levels.entry(Reverse(level)).or_default();
        level.by_place.insert(place);
        level.change(context, share, |tasks| {
            tasks.insert(place);
        });
    }

    /// Takes out a task of a context that holds `share`.
    pub(super) fn remove(&mut self, level: i64, context: Id, share: u32, place: Place) {
        let Some(of_level) = self.levels.get_mut(&Reverse(level)) else { return };
        of_level.by_place.remove(&place);
        of_level.change(context, share, |tasks| {
            tasks.remove(&place);
        });
        if of_level.by_place.is_empty() {
            self.levels.remove(&Reverse(level));
        }
    }

    /// Takes in that a context holds `after` now.
    pub(super) fn set_share(&mut self, context: Id, before: u32, after: u32) {
        for level in self.levels.values_mut() {
            if let Some(first) = level.first_of(context)
                && level.by_share.remove(&(before, first, context))
            {
                level.by_share.insert((after, first, context));
            }
        }
    }

    /// Where the first task stands, with equal shares of contexts or without.
    pub(super) fn first(&self, is_fair: bool) -> Option<Rank> {
        let (level, of_level) = self.levels.first_key_value()?;
        let (share, (since, task_id)) = if is_fair {
            let (share, place, _) = of_level.by_share.first()?;
            (*share, *place)
        } else {
            (0, *of_level.by_place.first()?)
        };
        Some(Rank { level: *level, share, since, task_id })
    }
}
