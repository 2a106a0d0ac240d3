//! The announcements that were met here: each may come twice, ahead of its delivery and by it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kantoku_streams::Delivery;

/// How many announcements are remembered whose claim is decided.
const DECIDED_MAX: usize = 16 * 1024;

/// See the module. Cheap to clone; clones share everything.
pub(crate) struct Seen<D = Delivery>(Arc<Mutex<State<D>>>);

struct State<D> {
    /// How often the stream went back.
    generation: u64,
    /// Those whose claim is under way, with the delivery that came meanwhile.
    open: HashMap<u64, Option<D>>,
    /// Those whose claim is decided, whoever won it.
    decided: HashSet<u64>,
    order: VecDeque<u64>,
}

/// What to do with a delivery.
#[derive(Debug, PartialEq)]
pub(crate) enum Met<D> {
    /// The claim is to be made; this is the delivery to settle after it.
    First(D),
    /// The claim is decided: the delivery is of no more use.
    Decided(D),
    /// The claim is under way, and will settle it.
    Kept,
    /// It is new, and there is no room to begin it.
    NoRoom(D),
}

impl<D> Default for Seen<D> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            generation: 0,
            open: HashMap::new(),
            decided: HashSet::new(),
            order: VecDeque::new(),
        })))
    }
}

impl<D> Clone for Seen<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> Seen<D> {
    /// What is met from now on is of this generation of the stream: positions of another one are
    /// those of other announcements.
    pub(crate) fn of_generation(&self, generation: u64) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.generation, generation) != generation {
            state.open.clear();
            state.decided.clear();
            state.order.clear();
        }
    }

    /// Whether the announcement at `ready_seq` is new. Then its claim is to be made, and
    /// [decided](Self::decide).
    pub(crate) fn begin(&self, ready_seq: u64) -> bool {
        let mut state = self.lock();
        if state.decided.contains(&ready_seq) || state.open.contains_key(&ready_seq) {
            return false;
        }
        state.open.insert(ready_seq, None);
        true
    }

    /// The announcement at `ready_seq` was delivered. Only [`Met::First`] begins it.
    pub(crate) fn meet(&self, ready_seq: u64, delivery: D, has_room: bool) -> Met<D> {
        let mut state = self.lock();
        if state.decided.contains(&ready_seq) {
            return Met::Decided(delivery);
        }
        if let Some(kept) = state.open.get_mut(&ready_seq) {
            *kept = Some(delivery);
            return Met::Kept;
        }
        if !has_room {
            return Met::NoRoom(delivery);
        }
        state.open.insert(ready_seq, None);
        Met::First(delivery)
    }

    /// The claim is over: `is_decided` if it is known by whom the attempt was claimed. Gives the
    /// delivery that came meanwhile.
    pub(crate) fn decide(&self, ready_seq: u64, is_decided: bool) -> Option<D> {
        let mut state = self.lock();
        let kept = state.open.remove(&ready_seq).flatten();
        if is_decided && state.decided.insert(ready_seq) {
            state.order.push_back(ready_seq);
            if state.order.len() > DECIDED_MAX
                && let Some(oldest) = state.order.pop_front()
            {
                state.decided.remove(&oldest);
            }
        }
        kept
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_claimed_once_and_its_delivery_settled_after_the_claim() {
        let seen = Seen::default();
        assert!(seen.begin(7), "ahead of its delivery");
        assert!(!seen.begin(7));
        assert_eq!(seen.meet(7, "delivery", false), Met::Kept);
        assert_eq!(seen.decide(7, true), Some("delivery"));
        assert_eq!(seen.meet(7, "again", false), Met::Decided("again"));
        assert!(!seen.begin(7));

        assert_eq!(seen.meet(8, "delivery", false), Met::NoRoom("delivery"));
        assert_eq!(seen.meet(8, "delivery", true), Met::First("delivery"));
        assert!(!seen.begin(8), "the short cut came late");
        assert_eq!(seen.decide(8, false), None);
        assert!(seen.begin(8), "the outcome was not known");
    }

    #[test]
    fn positions_of_a_stream_that_went_back_are_new() {
        let seen = Seen::<()>::default();
        assert!(seen.begin(7) && seen.begin(8));
        seen.decide(7, true);
        seen.of_generation(0);
        assert!(!seen.begin(7) && !seen.begin(8));
        seen.of_generation(1);
        assert!(seen.begin(7) && seen.begin(8));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let seen = Seen::<()>::default();
        for seq in 0..2 * DECIDED_MAX as u64 {
            assert!(seen.begin(seq));
            seen.decide(seq, true);
        }
        let state = seen.lock();
        assert_eq!((state.decided.len(), state.order.len()), (DECIDED_MAX, DECIDED_MAX));
    }
}
