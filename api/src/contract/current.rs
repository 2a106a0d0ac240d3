//! Which tasks of a context are current: those that nothing took the place of, and whose parents
//! nothing took the place of.

use std::collections::HashMap;

use super::{Tree, TreeTask};
use kantoku_domain::Id;

/// For each task, in the same order, whether it is current.
pub fn are_current(tasks: &[TreeTask]) -> Vec<bool> {
    let places: HashMap<Id, usize> =
        tasks.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
    // What is known of a task once it is looked at.
    let mut known: Vec<Option<bool>> = vec![None; tasks.len()];
    let mut way = Vec::new();
    for place in 0..tasks.len() {
        let mut next = Some(place);
        // A walk and not a recursion, as tasks may spawn each other thousands deep.
        let is_current = loop {
            let Some(at) = next else { break true };
            if let Some(is_current) = known[at] {
                break is_current;
            }
            if tasks[at].restarted_as.is_some() {
                known[at] = Some(false);
                break false;
            }
            way.push(at);
            // A walk that came back to where it was would never end.
            known[at] = Some(true);
            next = tasks[at].parent_id.and_then(|parent| places.get(&parent).copied());
        };
        for at in way.drain(..) {
            known[at] = Some(is_current);
        }
    }
    known.into_iter().map(|is_current| is_current == Some(true)).collect()
}

impl Tree {
    /// The context without the tasks that others took the place of, and what these had spawned.
    #[must_use]
    pub fn current(mut self) -> Self {
        if self.tasks.iter().any(|task| task.restarted_as.is_some()) {
            let mut current = are_current(&self.tasks).into_iter();
            self.tasks.retain(|_| current.next() == Some(true));
        }
        self
    }
}
