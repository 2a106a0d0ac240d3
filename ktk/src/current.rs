//! Which tasks of a context are current: those that nothing took the place of, and whose parents
//! nothing took the place of.

use std::{borrow::Cow, collections::HashMap};

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_domain::Id;

/// For each task, in the same order, whether it is current.
pub(crate) fn are_current(tasks: &[TreeTask]) -> Vec<bool> {
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

/// The context without the tasks that others took the place of.
pub(crate) fn current(tree: &Tree) -> Cow<'_, Tree> {
    if tree.tasks.iter().all(|task| task.restarted_as.is_none()) {
        return Cow::Borrowed(tree);
    }
    let mut current = are_current(&tree.tasks).into_iter();
    let mut tree = tree.clone();
    tree.tasks.retain(|_| current.next() == Some(true));
    Cow::Owned(tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{id, task};

    #[test]
    fn what_was_replaced_is_not_current_and_neither_is_what_it_spawned() {
        let child = |n, parent| TreeTask { parent_id: Some(id(parent)), ..task(n, "child", &[]) };
        let restarted = |task| TreeTask { restarted_as: Some(id(9)), ..task };
        let tasks = [
            child(4, 3),
            child(3, 2),
            restarted(task(2, "a", &[])),
            task(9, "a", &[]),
            child(5, 9),
            restarted(child(6, 9)),
            // Whatever its parent is.
            child(7, 77),
        ];
        assert_eq!(are_current(&tasks), [false, false, false, true, true, false, true]);
    }

    #[test]
    fn who_spawned_itself_ends_nobodys_patience() {
        let child = |n, parent| TreeTask { parent_id: Some(id(parent)), ..task(n, "child", &[]) };
        assert_eq!(are_current(&[child(1, 2), child(2, 1)]), [true, true]);
        let mut deep = vec![TreeTask { restarted_as: Some(id(0)), ..task(1, "root", &[]) }];
        deep.extend((2..100_000).map(|n| child(n, n - 1)));
        deep.reverse();
        assert!(are_current(&deep).into_iter().all(|is_current| !is_current));
    }
}
