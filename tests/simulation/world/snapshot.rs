//! Snapshots of nodes: a node that starts goes on from the one before and what it has to say must be
//! what it would say had it folded the whole history.

use std::{collections::BTreeSet, sync::Arc};

use kantoku_handlers::{Handler, HandlerName};

use super::{World, node::Node};
use crate::{broken::Broken, judge::ensure, rng::Rng};

/// How many more snapshots of each node are tried at rest.
const CUTS: usize = 4;

const SAME: &str = "a node that goes on from a snapshot is what it would be without";

/// What the handlers of a node wrote down, and where. The first one is of nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    position: u64,
    saved: Vec<(HandlerName, Vec<u8>)>,
}

impl Node {
    fn each(&mut self) -> impl Iterator<Item = (HandlerName, &mut dyn Handler)> {
        let handlers = self.handlers.iter_mut();
        let handlers = handlers.map(|(name, handler)| (*name, &mut **handler as &mut dyn Handler));
        let keeper = self.keeper.iter_mut();
        let keeper = keeper.map(|keeper| (HandlerName::LeaseKeeper, keeper as &mut dyn Handler));
        handlers.chain(keeper)
    }

    /// Only of a node that has done nothing but fold.
    fn save(&mut self) -> Snapshot {
        let position = self.position;
        let saved = self.each().map(|(name, handler)| (name, handler.save().expect("written")));
        Snapshot { saved: saved.collect(), position }
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        for (name, handler) in self.each() {
            let saved = snapshot.saved.iter().find(|(of, _)| *of == name);
            if let Some((_, saved)) = saved {
                handler.restore(saved).expect("read");
            }
        }
        self.position = snapshot.position;
    }
}

impl World {
    /// The handlers of a node as the history makes them that it has from a snapshot on.
    fn folded(&self, index: usize, from: &Snapshot, to: u64) -> Node {
        let mut node = self.anew(index);
        node.restore(from);
        while node.position < to {
            let Some(recorded) = self.ledger.at(node.position + 1) else { break };
            node.each().for_each(|(_, handler)| handler.apply(recorded));
            node.position += 1;
        }
        node
    }

    /// The node takes a snapshot somewhere since the last, and goes on from that.
    pub(super) fn restore(&mut self, index: usize) {
        if self.broken != Broken::Nothing {
            return;
        }
        let mut rng = Rng::new(!self.seed, self.decisions);
        let last = Arc::clone(&self.snapshots[index]);
        let at = rng.between(last.position, self.ledger.head());
        let snapshot = self.folded(index, &last, at).save();
        self.nodes[index].restore(&snapshot);
        self.snapshots[index] = Arc::new(snapshot);
        self.tally.count("a node starts from a snapshot");
        self.check_snapshot(index, self.ledger.head());
    }

    /// From the last snapshot of a node on, and from others, the same is known and due as from the
    /// first event on.
    pub(super) fn check_snapshots(&mut self, index: usize) {
        let (mut rng, head) = (Rng::new(!self.seed, u64::MAX), self.ledger.head());
        self.check_snapshot(index, head);
        for _ in 0..CUTS {
            let at = rng.between(0, head);
            let to = rng.between(at, head);
            self.snapshots[index] = Arc::new(self.folded(index, &Snapshot::default(), at).save());
            self.check_snapshot(index, to);
        }
    }

    fn check_snapshot(&mut self, index: usize, head: u64) {
        if self.violation.is_some() || self.broken != Broken::Nothing {
            return;
        }
        let of = |from: &Snapshot| self.folded(index, from, head);
        let (last, nothing) = (Arc::clone(&self.snapshots[index]), Snapshot::default());
        let mut whole = [self.due_of(of(&last)), self.due_of(of(&nothing))];
        let saved = [of(&last).save(), of(&nothing).save()];
        let mut again = self.anew(index);
        again.restore(&saved[0]);
        let restored = self.due_of(again);
        let [with, without] = &mut whole;
        let verdict = ensure(with == without && restored == *without, SAME, || {
            let mut other: BTreeSet<_> = with.symmetric_difference(without).cloned().collect();
            other.extend(restored.symmetric_difference(without).cloned());
            format!(
                "of node {index} at {head} from {} this is due for one only: {other:#?}",
                last.position
            )
        })
        .and_then(|()| {
            let [one, other] = &saved;
            let pairs = one.saved.iter().zip(&other.saved);
            let differ = pairs.filter(|(one, other)| one != other);
            let differ: Vec<_> = differ.map(|((name, _), _)| *name).collect();
            ensure(differ.is_empty(), SAME, || {
                format!("at {head} from {} these are not: {differ:?}", last.position)
            })
        });
        self.judged(verdict);
    }

    /// What is due for a node, in an order that says nothing.
    fn due_of(&self, mut node: Node) -> BTreeSet<String> {
        let now = self.clock.wall();
        let due = node.each().flat_map(|(_, handler)| handler.due(now, usize::MAX));
        due.map(|effect| format!("{effect:?}")).collect()
    }
}
