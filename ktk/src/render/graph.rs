//! The shape of a context: who is whose child, and on which level a task stands.

use std::collections::HashMap;

use kantoku_api::contract::TreeTask;
use kantoku_domain::Id;

/// The tasks of a tree by their places. A place is an index into the tree's tasks.
pub(super) struct Graph {
    /// The longest way from a task that waits for nothing, from 0.
    pub(super) level: Vec<usize>,
    /// The tasks that a task spawned.
    pub(super) children: Vec<Vec<usize>>,
    /// The tasks that no task here spawned.
    pub(super) roots: Vec<usize>,
    /// Where a task stands.
    pub(super) place: HashMap<Id, usize>,
}

impl Graph {
    /// `tasks` are in an order in which they can run: a task that is named before it comes, or not
    /// at all, does not count.
    pub(super) fn new(tasks: &[TreeTask]) -> Self {
        let mut graph = Self {
            level: Vec::with_capacity(tasks.len()),
            children: vec![Vec::new(); tasks.len()],
            roots: Vec::new(),
            place: HashMap::with_capacity(tasks.len()),
        };
        for (index, task) in tasks.iter().enumerate() {
            let before = task.waits_for.iter().chain(&task.parent_id);
            let levels = before.filter_map(|id| graph.place.get(id)).map(|at| graph.level[*at] + 1);
            graph.level.push(levels.max().unwrap_or(0));
            match task.parent_id.and_then(|parent| graph.place.get(&parent)) {
                Some(parent) => graph.children[*parent].push(index),
                None => graph.roots.push(index),
            }
            graph.place.insert(task.id, index);
        }
        // Level by level, and on each in the order in which they were given.
        graph.roots.sort_by_key(|at| graph.level[*at]);
        for children in &mut graph.children {
            children.sort_by_key(|at| graph.level[*at]);
        }
        graph
    }

    /// The tasks by level.
    pub(super) fn levels(&self) -> Vec<Vec<usize>> {
        let count = self.level.iter().max().map_or(0, |last| last + 1);
        let mut levels = vec![Vec::new(); count];
        for (index, level) in self.level.iter().enumerate() {
            levels[*level].push(index);
        }
        levels
    }
}
