//! The shape of a context: who stands below whom, and on which level a task stands.

use std::collections::HashMap;

use kantoku_api::contract::TreeTask;
use kantoku_domain::Id;

/// What a tree of tasks branches by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// A task stands below the one that spawned it.
    #[default]
    Parent,
    /// A task stands below the last of those that it waits for.
    Data,
}

/// The tasks of a tree by their places. A place is an index into the tree's tasks.
pub(super) struct Graph {
    /// The longest way from a task that waits for nothing, from 0.
    pub(super) level: Vec<usize>,
    /// The tasks that stand below a task.
    pub(super) children: Vec<Vec<usize>>,
    /// The tasks that stand below none.
    pub(super) roots: Vec<usize>,
    /// Where a task stands.
    pub(super) place: HashMap<Id, usize>,
}

impl Graph {
    /// `tasks` are in an order in which they can run: a task that is named before it comes, or not
    /// at all, does not count.
    pub(super) fn new(tasks: &[TreeTask], by: By) -> Self {
        let mut graph = Self {
            level: Vec::with_capacity(tasks.len()),
            children: vec![Vec::new(); tasks.len()],
            roots: Vec::new(),
            place: HashMap::with_capacity(tasks.len()),
        };
        for (index, task) in tasks.iter().enumerate() {
            let place = |id: &Id| graph.place.get(id).copied();
            let before = task.waits_for.iter().chain(&task.parent_id).filter_map(place);
            let level = before.clone().map(|at| graph.level[at] + 1).max().unwrap_or(0);
            let above = match by {
                By::Parent => task.parent_id.as_ref().and_then(place),
                By::Data => before.max_by_key(|at| (graph.level[*at], std::cmp::Reverse(*at))),
            };
            graph.level.push(level);
            match above {
                Some(above) => graph.children[above].push(index),
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
