//! What is known of a context while it is watched.

use std::collections::HashMap;

use kantoku_api::contract::{TaskChanged, Tree, TreeTask};
use kantoku_domain::Id;
use kantoku_projections::document::TaskDocument;

use crate::render::State;

/// A tree that changes are taken into.
pub(super) struct Picture {
    tree: Tree,
    place: HashMap<Id, usize>,
    /// Whether there are tasks of which it is not known what they wait for.
    is_incomplete: bool,
}

impl Picture {
    pub(super) fn new(tree: Tree) -> Self {
        let place = tree.tasks.iter().enumerate().map(|(at, task)| (task.id, at)).collect();
        Self { tree, place, is_incomplete: false }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether the server knows more than what changes say.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Takes in a change. The task as it is now, if that is news to somebody who looks at it.
    pub(super) fn apply(&mut self, change: &TaskChanged) -> Option<&TreeTask> {
        if change.stream_seq <= self.tree.as_of_seq {
            return None;
        }
        let mut task = tree_task(&change.task);
        let Some(at) = self.place.get(&task.id).copied() else {
            // A task that another one spawned meanwhile.
            self.is_incomplete = true;
            self.place.insert(task.id, self.tree.tasks.len());
            self.tree.tasks.push(task);
            return self.tree.tasks.last();
        };
        let known = &mut self.tree.tasks[at];
        task.waits_for = std::mem::take(&mut known.waits_for);
        let is_news = State::of(known) != State::of(&task) || known.attempt != task.attempt;
        *known = task;
        is_news.then_some(known)
    }
}

/// A task as a tree has it; what it waits for is not in its document.
fn tree_task(task: &TaskDocument) -> TreeTask {
    TreeTask {
        id: task.id,
        step: task.step.clone(),
        specification: task.specification.clone(),
        status: task.status,
        sub_status: task.sub_status,
        attempt: task.attempt,
        parent_id: task.parent_id,
        waits_for: Vec::new(),
        started_at: task.started_at,
        finished_at: task.finished_at,
        error: task.error.as_ref().map(|failure| failure.message.clone()),
    }
}
