//! The tasks of a context, as a planner sees them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    Id, Task,
    dependency::{How, Needs},
    task::{Delegation, Outcome, Skipped, Spawned, Status},
};

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The task.
    pub id: Id,
    /// The `stream_seq` of its last event; 0 while it is planned only.
    pub position: u64,
    /// How it was spawned.
    pub spawned: Box<Spawned>,
    /// Where it is; [`Status::Absent`] while it is planned only.
    pub status: Status,
    /// How it finished.
    pub outcome: Option<Outcome>,
    /// Why it was skipped.
    pub skipped: Option<Skipped>,
    /// The outputs that it passed to children.
    pub delegated: BTreeMap<String, Delegation>,
    /// The task that took its place.
    pub restarted_as: Option<Id>,
}

impl Node {
    /// The task `id`, whose last event is at `position`. `None`: there is no such task.
    pub fn of(id: Id, position: u64, task: &Task) -> Option<Self> {
        Some(Self {
            id,
            position,
            spawned: task.spawned.clone()?,
            status: task.status,
            outcome: task.outcome,
            skipped: task.skipped.clone(),
            delegated: task.delegated.clone(),
            restarted_as: task.restarted_as,
        })
    }

    /// How it has ended; `None`: it has not.
    pub fn how(&self) -> Option<How> {
        match self.status {
            Status::Absent | Status::Initialized | Status::Received => None,
            Status::Cancelled => Some(How::Cancelled),
            Status::Finished if self.outcome == Some(Outcome::Ok) => Some(How::Ok),
            Status::Finished => Some(How::Failed),
            Status::Skipped => Some(match &self.skipped {
                Some(skipped) => skipped.into(),
                None => How::Cancelled,
            }),
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        match &self.spawned.step {
            Some(step) => format!("step {step:?}"),
            None => format!("task {}", self.id),
        }
    }
}

/// All tasks of a context, those that were restarted included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The context.
    pub context_id: Id,
    /// The tasks.
    pub nodes: BTreeMap<Id, Node>,
    /// The outputs of the pipeline, as they are now.
    pub outputs: BTreeMap<String, Id>,
    /// Whether the context was ordered to stop.
    pub cancelled: bool,
}

/// Who comes before and after whom. Only current tasks count: those that nothing took the place of,
/// and whose parents nothing took the place of.
pub(super) struct Links {
    /// What each current task waits for.
    pub(super) needs: BTreeMap<Id, Needs>,
    /// The tasks, current or not, that have or had each resource among their outputs.
    pub(super) makers: BTreeMap<Id, BTreeSet<Id>>,
    before: BTreeMap<Id, BTreeSet<Id>>,
    after: BTreeMap<Id, BTreeSet<Id>>,
    children: BTreeMap<Id, BTreeSet<Id>>,
}

impl Graph {
    /// The task that has the place of `id` now.
    pub(super) fn head(&self, id: Id) -> Id {
        let mut head = id;
        // Restarts form a tree, so that this ends; the count is for graphs that are none.
        for _ in 0..self.nodes.len() {
            match self.nodes.get(&head).and_then(|node| node.restarted_as) {
                Some(next) if self.nodes.contains_key(&next) => head = next,
                _ => break,
            }
        }
        head
    }

    /// The tasks that have not ended and wait, near or far, for `id`: what a cancellation takes with
    /// it if it is to reach dependents.
    pub fn live_dependents(&self, id: Id) -> Vec<Id> {
        let after = self.links().downstream([id]).into_iter().filter(|after| *after != id);
        after.filter(|after| self.nodes.get(after).is_some_and(|it| it.how().is_none())).collect()
    }

    /// The nearest task that `node` descends from and another took the place of, and that other.
    pub(super) fn replaced_ancestor(&self, node: &Node) -> Option<(&Node, Id)> {
        let mut parent = node.spawned.parent_id;
        for _ in 0..self.nodes.len() {
            let ancestor = self.nodes.get(&parent?)?;
            if let Some(winner) = ancestor.restarted_as {
                return Some((ancestor, winner));
            }
            parent = ancestor.spawned.parent_id;
        }
        None
    }

    /// Whether nothing took the place of a task, nor of those that it descends from.
    fn is_current(&self, node: &Node, known: &mut BTreeMap<Id, bool>) -> bool {
        let mut trail = Vec::new();
        let mut next = Some(node);
        let mut is_current = true;
        while let Some(node) = next {
            if let Some(known) = known.get(&node.id) {
                is_current = *known;
                break;
            }
            trail.push(node.id);
            if node.restarted_as.is_some() {
                is_current = false;
                break;
            }
            // Noted beforehand, so that a circle ends.
            known.insert(node.id, true);
            next = node.spawned.parent_id.and_then(|parent| self.nodes.get(&parent));
        }
        known.extend(trail.into_iter().map(|id| (id, is_current)));
        is_current
    }

    pub(super) fn links(&self) -> Links {
        let mut known = BTreeMap::new();
        let current: Vec<&Node> =
            self.nodes.values().filter(|node| self.is_current(node, &mut known)).collect();
        let mut links = Links {
            needs: current.iter().map(|node| (node.id, Needs::of(&node.spawned))).collect(),
            makers: BTreeMap::new(),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            children: BTreeMap::new(),
        };
        for node in self.nodes.values() {
            for output in node.spawned.outputs.values() {
                links.makers.entry(output.id).or_default().insert(node.id);
            }
        }
        for node in &current {
            if let Some(parent) = node.spawned.parent_id {
                links.children.entry(parent).or_default().insert(node.id);
            }
            for named in links.needs[&node.id].named() {
                let task = BTreeSet::from([self.head(named)]);
                for before in links.makers.get(&named).unwrap_or(&task) {
                    if *before != node.id && links.needs.contains_key(before) {
                        links.after.entry(*before).or_default().insert(node.id);
                        links.before.entry(node.id).or_default().insert(*before);
                    }
                }
            }
        }
        links
    }
}

impl Links {
    /// The tasks of which `id` reads an output, or on whose end it depends.
    pub(super) fn before(&self, id: Id) -> impl Iterator<Item = Id> {
        self.before.get(&id).into_iter().flatten().copied()
    }

    /// All that reads an output of `from` or depends on its end, and what does so of that, those
    /// included.
    pub(super) fn downstream(&self, from: impl IntoIterator<Item = Id>) -> BTreeSet<Id> {
        reach(from, |id| self.after.get(&id).into_iter().flatten().copied().collect())
    }

    /// All that `from` spawned, and those spawned, those not included.
    pub(super) fn descendants(&self, from: &BTreeSet<Id>) -> BTreeSet<Id> {
        let children = |id: Id| self.children.get(&id).into_iter().flatten().copied();
        let first: Vec<Id> = from.iter().copied().flat_map(children).collect();
        reach(first, |id| children(id).collect())
    }

    /// The current tasks, each after those that it waits for and after its parent; what waits in a circle
    /// comes last.
    pub(super) fn order(&self) -> Vec<Id> {
        let next = |id: &Id| {
            let children = self.children.get(id).into_iter().flatten();
            self.after.get(id).into_iter().flatten().chain(children)
        };
        let mut before: BTreeMap<Id, usize> = self.needs.keys().map(|id| (*id, 0)).collect();
        for id in self.needs.keys() {
            for after in next(id) {
                before.entry(*after).and_modify(|count| *count += 1);
            }
        }
        let free = before.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id);
        let mut due: VecDeque<Id> = free.collect();
        let mut order = Vec::with_capacity(before.len());
        while let Some(id) = due.pop_front() {
            before.remove(&id);
            order.push(id);
            for after in next(&id) {
                if let Some(count) = before.get_mut(after) {
                    *count -= 1;
                    if *count == 0 {
                        due.push_back(*after);
                    }
                }
            }
        }
        order.extend(before.into_keys());
        order
    }
}

fn reach(from: impl IntoIterator<Item = Id>, next: impl Fn(Id) -> Vec<Id>) -> BTreeSet<Id> {
    let mut open: Vec<Id> = from.into_iter().collect();
    let mut found: BTreeSet<Id> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        open.extend(next(id).into_iter().filter(|id| found.insert(*id)));
    }
    found
}
