//! Admission: which of the tasks that could run may be announced now.
//!
//! Slots are no tokens that somebody could lose: they are derived from the attempts that are
//! announced or run. Whoever folds the same events has the same slots in use, and a change of a
//! policy counts everything anew.

mod blocked;
mod counter;
mod key;
mod queue;
mod rules;
mod saved;
mod verdict;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use counter::Counters;
use queue::Queue;
use rules::Rules;
use verdict::Reserved;

use crate::{Id, Name, Namespace, Timestamp, policy::Definition};

pub use blocked::Blocked;
pub use key::{Key, Profile};
pub use saved::Saved;

/// Where tasks wait that are alike for every limit: they are blocked together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    namespace: Namespace,
    queue: String,
    keys: Vec<Arc<Key>>,
}

#[derive(Clone, Debug)]
struct Waiting {
    profile: Arc<Profile>,
    attempt: u32,
    since: Timestamp,
    lane: Arc<Lane>,
    level: i64,
}

#[derive(Clone, Debug)]
struct Held {
    profile: Arc<Profile>,
    attempt: u32,
    at: Timestamp,
    is_claimed: bool,
}

#[derive(Clone, Debug, Default)]
struct Share {
    held: u32,
    /// The lanes in which tasks of the context wait, and how many.
    lanes: BTreeMap<Arc<Lane>, usize>,
}

/// Which tasks were admitted, and when to ask again without anything having happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// They have their slots and are to be announced. Should that fail, release them.
    pub chosen: Vec<Id>,
    /// When the clock alone admits more: a rate allows another.
    pub next: Option<Timestamp>,
}

/// The tasks that wait for admission, and those that have it.
#[derive(Clone, Debug)]
pub struct Admission {
    window: usize,
    rules: Rules,
    waiting: HashMap<Id, Waiting>,
    lanes: BTreeMap<Arc<Lane>, Queue>,
    held: HashMap<Id, Held>,
    counters: Counters,
    /// Per namespace and queue: how many are announced and not claimed.
    announced: BTreeMap<(Namespace, String), usize>,
    /// Per context.
    shares: HashMap<Id, Share>,
}

impl Admission {
    /// At most `window` tasks of a queue are announced and not claimed, so that priority, fairness,
    /// pause and cancellation act late.
    pub fn new(window: usize) -> Self {
        Self {
            window,
            rules: Rules::default(),
            waiting: HashMap::new(),
            lanes: BTreeMap::new(),
            held: HashMap::new(),
            counters: Counters::default(),
            announced: BTreeMap::new(),
            shares: HashMap::new(),
        }
    }

    /// Takes in that a policy has a new version, or holds no longer. Everything is counted anew,
    /// and what holds slots keeps them: where there are fewer now, nothing is admitted until enough
    /// have ended. A new rate counts what holds slots now.
    pub fn set_policy(
        &mut self,
        namespace: &Namespace,
        name: &Name,
        definition: Option<Definition>,
    ) {
        self.rules.set(namespace, name, definition);
        self.counters.restart(|key| self.rules.rate(key));
        let fresh = Self::new(self.window);
        let held = std::mem::take(&mut self.held);
        let waiting = std::mem::take(&mut self.waiting);
        (self.lanes, self.announced, self.shares) = (fresh.lanes, fresh.announced, fresh.shares);
        let mut starts = Vec::new();
        for held in held.into_values() {
            for key in self.rules.keys(&held.profile) {
                self.counters.take(&key, held.profile.task_id);
                if let Some(rate) = self.rules.rate(&key)
                    && !self.counters.knows_starts(&key)
                {
                    starts.push((key, rate, held.at));
                }
            }
            self.insert_held(held);
        }
        for (key, rate, at) in starts {
            self.counters.start(&key, rate, at);
        }
        for waiting in waiting.into_values() {
            self.wait(&waiting.profile, waiting.attempt, waiting.since);
        }
    }

    /// Takes in that `attempt` of a task could run, but for admission, since then. Once more, or
    /// while it has its slots, changes nothing.
    pub fn wait(&mut self, profile: &Arc<Profile>, attempt: u32, since: Timestamp) {
        let id = profile.task_id;
        if self.waiting.contains_key(&id) || self.held.contains_key(&id) {
            return;
        }
        let lane = Arc::new(Lane {
            namespace: profile.namespace.clone(),
            queue: profile.queue.clone(),
            keys: self.rules.keys(profile),
        });
        let level = self.rules.level(&profile.namespace, profile.priority, since);
        let share = self.shares.entry(profile.context_id).or_default();
        *share.lanes.entry(Arc::clone(&lane)).or_default() += 1;
        let queue = self.lanes.entry(Arc::clone(&lane)).or_default();
        queue.insert(level, profile.context_id, share.held, (since, id));
        let profile = Arc::clone(profile);
        self.waiting.insert(id, Waiting { profile, attempt, since, lane, level });
    }

    /// Takes in that a task cannot run any more, or not now: it was paused, cancelled, skipped.
    pub fn withdraw(&mut self, task_id: Id) {
        let Some(waiting) = self.waiting.remove(&task_id) else { return };
        let context = waiting.profile.context_id;
        let Some(share) = self.shares.get_mut(&context) else { return };
        if let Some(queue) = self.lanes.get_mut(&waiting.lane) {
            queue.remove(waiting.level, context, share.held, (waiting.since, task_id));
            if queue.is_empty() {
                self.lanes.remove(&waiting.lane);
            }
        }
        if let Some(count) = share.lanes.get_mut(&waiting.lane) {
            *count -= 1;
            if *count == 0 {
                share.lanes.remove(&waiting.lane);
            }
        }
        self.forget_if_idle(context);
    }

    /// Takes in that an attempt was announced: it has its slots, whatever the limits are by now. The
    /// same attempt again, as when it is announced anew, has the same.
    pub fn announced(&mut self, profile: &Arc<Profile>, attempt: u32, at: Timestamp) {
        self.hold(profile, attempt, at, false);
    }

    /// Takes in that an attempt was claimed.
    pub fn claimed(&mut self, profile: &Arc<Profile>, attempt: u32, at: Timestamp) {
        self.hold(profile, attempt, at, true);
    }

    /// Takes in that an attempt has ended, or was announced and is void: its slots are free.
    pub fn release(&mut self, task_id: Id) {
        let Some(held) = self.held.remove(&task_id) else { return };
        for key in self.rules.keys(&held.profile) {
            self.counters.give_back(&key, task_id);
        }
        if !held.is_claimed {
            self.count_announced(&held.profile, false);
        }
        self.set_share(held.profile.context_id, false);
    }

    /// Admits what may run now, at most `max` tasks, best first: by priority and age, then the
    /// contexts that hold least, then the first come. All limits of a task are taken at once or none.
    /// What is blocked is passed over by what is not.
    pub fn admit(&mut self, now: Timestamp, max: usize) -> Admitted {
        let mut admitted = Admitted::default();
        let mut reserved = Reserved::default();
        let first = |(lane, queue): (&Arc<Lane>, &Queue)| {
            Some(Reverse((queue.first(self.rules.is_fair(&lane.namespace))?, Arc::clone(lane))))
        };
        let mut lanes: BinaryHeap<_> = self.lanes.iter().filter_map(first).collect();
        while admitted.chosen.len() < max
            && let Some(Reverse((rank, lane))) = lanes.pop()
        {
            let Some(queue) = self.lanes.get(&lane) else { continue };
            let Some(current) = queue.first(self.rules.is_fair(&lane.namespace)) else { continue };
            if current != rank {
                // Its context has got something meanwhile, or it was the first itself.
                lanes.push(Reverse((current, lane)));
                continue;
            }
            let blocked = self.blocked(&lane, rank.level, &reserved, now);
            if blocked.is_empty() {
                self.take_slots(rank.task_id, now);
                admitted.chosen.push(rank.task_id);
                lanes.push(Reverse((rank, lane)));
            } else {
                let next = blocked.iter().filter_map(Blocked::next).min();
                admitted.next = admitted.next.into_iter().chain(next).min();
                self.reserve(&lane, &rank, &blocked, &mut reserved);
            }
        }
        admitted
    }

    /// How many tasks hold what is counted by each key.
    pub fn in_use(&self) -> impl Iterator<Item = (&Key, usize)> {
        self.counters.in_use()
    }

    /// How many tasks wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn take_slots(&mut self, task_id: Id, now: Timestamp) {
        if let Some(waiting) = self.waiting.get(&task_id) {
            let (profile, attempt) = (Arc::clone(&waiting.profile), waiting.attempt);
            self.hold(&profile, attempt, now, false);
        }
    }

    fn hold(&mut self, profile: &Arc<Profile>, attempt: u32, at: Timestamp, is_claimed: bool) {
        let id = profile.task_id;
        self.withdraw(id);
        if let Some(held) = self.held.get_mut(&id) {
            if attempt <= held.attempt {
                if is_claimed && attempt == held.attempt && !held.is_claimed {
                    held.is_claimed = true;
                    self.count_announced(profile, false);
                }
                return;
            }
            self.release(id);
        }
        for key in self.rules.keys(profile) {
            self.counters.take(&key, id);
            if let Some(rate) = self.rules.rate(&key) {
                self.counters.start(&key, rate, at);
            }
        }
        self.insert_held(Held { profile: Arc::clone(profile), attempt, at, is_claimed });
    }

    fn insert_held(&mut self, held: Held) {
        if !held.is_claimed {
            self.count_announced(&held.profile, true);
        }
        self.set_share(held.profile.context_id, true);
        self.held.insert(held.profile.task_id, held);
    }

    fn count_announced(&mut self, profile: &Profile, is_more: bool) {
        let key = (profile.namespace.clone(), profile.queue.clone());
        let count = self.announced.entry(key.clone()).or_default();
        *count = if is_more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.announced.remove(&key);
        }
    }

    fn set_share(&mut self, context: Id, is_more: bool) {
        let share = self.shares.entry(context).or_default();
        let before = share.held;
        share.held = if is_more { before + 1 } else { before.saturating_sub(1) };
        for lane in share.lanes.keys() {
            if let Some(queue) = self.lanes.get_mut(lane) {
                queue.set_share(context, before, share.held);
            }
        }
        self.forget_if_idle(context);
    }

    fn forget_if_idle(&mut self, context: Id) {
        let is_idle = |share: &Share| share.held == 0 && share.lanes.is_empty();
        if self.shares.get(&context).is_some_and(is_idle) {
            self.shares.remove(&context);
        }
    }
}
