//! Which tasks of a context are current: those that nothing took the place of, and whose parents
//! nothing took the place of.

use std::borrow::Cow;

use kantoku_api::contract::Tree;
pub(crate) use kantoku_api::contract::are_current;

/// The context without the tasks that others took the place of.
pub(crate) fn current(tree: &Tree) -> Cow<'_, Tree> {
    if tree.tasks.iter().all(|task| task.restarted_as.is_none()) {
        return Cow::Borrowed(tree);
    }
    Cow::Owned(tree.clone().current())
}

#[cfg(test)]
mod tests {
    use kantoku_api::contract::TreeTask;

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
