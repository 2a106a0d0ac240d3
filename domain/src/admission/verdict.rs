//! What keeps tasks from being admitted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use super::{Admission, Blocked, Key, Lane, queue::Rank};
use crate::{Id, Timestamp};

/// Free slots that are kept for tasks that need others, too, and have waited longer than those that
/// would take them: without, a task with several limits could be overtaken for ever.
#[derive(Debug, Default)]
pub(super) struct Reserved(BTreeMap<Arc<Key>, Vec<(Reverse<i64>, Id)>>);

impl Reserved {
    /// How many slots are kept for tasks of a higher level, and for whom the first.
    fn before(&self, key: &Key, level: Reverse<i64>) -> (usize, Option<Id>) {
        let kept = self.0.get(key).map(Vec::as_slice).unwrap_or_default();
        let before: Vec<Id> =
            kept.iter().filter(|(higher, _)| *higher < level).map(|(_, id)| *id).collect();
        (before.len(), before.first().copied())
    }
}

impl Admission {
    /// What keeps a task that waits from being announced now; nothing, if it is its turn, or if it
    /// does not wait.
    pub fn why(&self, task_id: Id, now: Timestamp) -> Vec<Blocked> {
        let Some(waiting) = self.waiting.get(&task_id) else { return Vec::new() };
        let level = Reverse(waiting.level);
        let first =
            |lane: &Lane, queue: &super::Queue| queue.first(self.rules.is_fair(&lane.namespace));
        let ranks = self.lanes.iter().filter_map(|(lane, queue)| Some((first(lane, queue)?, lane)));
        let higher = ranks.filter(|(rank, _)| rank.level < level).map(Reverse);
        let mut higher: BinaryHeap<_> = higher.collect();
        let mut reserved = Reserved::default();
        while let Some(Reverse((rank, lane))) = higher.pop() {
            let blocked = self.blocked(lane, rank.level, &reserved, now);
            self.reserve(lane, &rank, &blocked, &mut reserved);
        }
        self.blocked(&waiting.lane, level, &reserved, now)
    }

    /// What blocks the tasks of a lane that stand at `level`.
    pub(super) fn blocked(
        &self,
        lane: &Lane,
        level: Reverse<i64>,
        reserved: &Reserved,
        now: Timestamp,
    ) -> Vec<Blocked> {
        let queue = (lane.namespace.clone(), lane.queue.clone());
        let announced = self.announced.get(&queue).copied().unwrap_or_default();
        let window = (announced >= self.window)
            .then_some(Blocked::Window { queue: queue.1, window: self.window });
        let keys = lane.keys.iter();
        keys.flat_map(|key| [self.is_full(key, level, reserved), self.is_fast(key, now)])
            .chain([window])
            .flatten()
            .collect()
    }

    fn is_full(&self, key: &Arc<Key>, level: Reverse<i64>, reserved: &Reserved) -> Option<Blocked> {
        let limit = self.rules.concurrency(key)?;
        let holders = self.counters.holders(key);
        let held = holders.map_or(0, std::collections::BTreeSet::len);
        let key = Arc::clone(key);
        if held >= limit as usize {
            let told = holders.into_iter().flatten().take(Blocked::TOLD_MAX);
            return Some(Blocked::Concurrency {
                key,
                limit,
                held,
                held_by: told.copied().collect(),
            });
        }
        let (kept, first) = reserved.before(&key, level);
        let for_task = first.filter(|_| held + kept >= limit as usize)?;
        Some(Blocked::Reserved { key, for_task })
    }

    fn is_fast(&self, key: &Arc<Key>, now: Timestamp) -> Option<Blocked> {
        let rate = self.rules.rate(key)?;
        let next = self.counters.next_start(key, now)?;
        Some(Blocked::Rate { key: Arc::clone(key), count: rate.count, per: rate.per, next })
    }

    /// Keeps what is free for the first task of a lane, if it lacks another slot and age counts.
    pub(super) fn reserve(
        &self,
        lane: &Lane,
        rank: &Rank,
        blocked: &[Blocked],
        reserved: &mut Reserved,
    ) {
        let full = |key: &Key| {
            blocked.iter().any(|blocked| match blocked {
                Blocked::Concurrency { key: full, .. } | Blocked::Reserved { key: full, .. } => {
                    **full == *key
                }
                Blocked::Rate { .. } | Blocked::Window { .. } => false,
            })
        };
        if !self.rules.ages(&lane.namespace) || !lane.keys.iter().any(|key| full(key)) {
            return;
        }
        let limited = |key: &&Arc<Key>| self.rules.concurrency(key).is_some() && !full(key);
        for key in lane.keys.iter().filter(limited) {
            let kept = reserved.0.entry(Arc::clone(key)).or_default();
            kept.push((rank.level, rank.task_id));
        }
    }
}
