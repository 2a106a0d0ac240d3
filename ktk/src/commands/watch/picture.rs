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
    /// The last change that was taken in.
    last_seq: u64,
    /// Whether there are tasks of which it is not known what they wait for.
    is_incomplete: bool,
}

impl Picture {
    pub(super) fn new(tree: Tree) -> Self {
        let place = tree.tasks.iter().enumerate().map(|(at, task)| (task.id, at)).collect();
        let last_seq = tree.as_of_seq;
        Self { tree, place, last_seq, is_incomplete: false }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// All changes up to here have been taken in. One event may change many tasks, so the last one
    /// does not count before another follows.
    pub(super) fn position(&self) -> u64 {
        self.tree.as_of_seq.max(self.last_seq.saturating_sub(1))
    }

    /// Whether the server knows more than what changes say.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Whether the task is another than it was, for somebody who looks at it.
    pub(super) fn is_news(&self, task: &TreeTask) -> bool {
        self.place.get(&task.id).is_none_or(|at| {
            let known = &self.tree.tasks[*at];
            State::of(known) != State::of(task) || known.attempt != task.attempt
        })
    }

    /// Takes in a change. The task as it is now, if that is news.
    pub(super) fn apply(&mut self, change: &TaskChanged) -> Option<&TreeTask> {
        if change.stream_seq <= self.tree.as_of_seq {
            return None;
        }
        self.last_seq = self.last_seq.max(change.stream_seq);
        let mut task = tree_task(&change.task);
        let is_news = self.is_news(&task);
        let at = self.place.get(&task.id).copied().unwrap_or(self.tree.tasks.len());
        if let Some(known) = self.tree.tasks.get_mut(at) {
            task.waits_for = std::mem::take(&mut known.waits_for);
            *known = task;
        } else {
            // A task that another one spawned meanwhile.
            self.is_incomplete = true;
            self.place.insert(task.id, at);
            self.tree.tasks.push(task);
        }
        is_news.then_some(&self.tree.tasks[at])
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
        restart_parent: task.restart_parent,
        restarted_as: task.restarted_as,
        waits_for: Vec::new(),
        started_at: task.started_at,
        finished_at: task.finished_at,
        error: task.error.as_ref().map(|failure| failure.message.clone()),
    }
}
