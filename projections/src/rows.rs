//! The rows that a batch touches, in memory.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::Id;

use crate::{
    counts::State,
    document::{
        ContextDocument, PauseDocument, PipelineDocument, PolicyDocument, ResourceDocument,
        SpecificationDocument, TaskDocument, TypeDocument,
    },
};

/// Rows of one table by key, and which of them have to be written.
#[derive(Debug)]
pub(crate) struct Table<T, K = Id> {
    rows: BTreeMap<K, T>,
    dirty: BTreeSet<K>,
}

impl<T, K> Default for Table<T, K> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), dirty: BTreeSet::new() }
    }
}

impl<T, K: Copy + Ord> Table<T, K> {
    /// Puts a row as it is stored.
    pub(crate) fn put(&mut self, key: K, row: T) {
        self.rows.insert(key, row);
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        self.rows.contains_key(&key)
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        self.rows.get(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.rows.iter()
    }

    /// The row to change, if it exists.
    pub(crate) fn edit(&mut self, key: K) -> Option<&mut T> {
        let row = self.rows.get_mut(&key)?;
        self.dirty.insert(key);
        Some(row)
    }

    /// The row to change, made if it does not exist.
    pub(crate) fn edit_or(&mut self, key: K, make: impl FnOnce() -> T) -> &mut T {
        self.dirty.insert(key);
        self.rows.entry(key).or_insert_with(make)
    }

    /// Puts a row to be written, whatever was there.
    pub(crate) fn set(&mut self, key: K, row: T) {
        self.dirty.insert(key);
        self.rows.insert(key, row);
    }

    /// Takes out the next row to write, in order of key.
    pub(crate) fn take_changed(&mut self) -> Option<(K, T)> {
        let key = self.dirty.pop_first()?;
        self.rows.remove(&key).map(|row| (key, row))
    }

    /// Takes out all that there is still: once what changed was taken, the rest.
    pub(crate) fn take_rest(&mut self) -> impl Iterator<Item = (K, T)> + use<T, K> {
        std::mem::take(&mut self.rows).into_iter()
    }
}

/// Rows by id and version.
pub(crate) type Versions<T> = Table<T, (Id, u64)>;

/// All rows that a batch may touch.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) tasks: Table<TaskDocument>,
    /// What the tasks that are stored are counted by.
    counted: BTreeMap<Id, State>,
    /// The tasks by the task that spawned them.
    children: BTreeMap<Id, BTreeSet<Id>>,
    pub(crate) contexts: Table<ContextDocument>,
    pub(crate) resources: Table<ResourceDocument>,
    pub(crate) specifications: Versions<SpecificationDocument>,
    pub(crate) types: Versions<TypeDocument>,
    pub(crate) pipelines: Versions<PipelineDocument>,
    pub(crate) policies: Versions<PolicyDocument>,
    pub(crate) pauses: Table<PauseDocument>,
}

impl Rows {
    /// Puts a task as it is stored.
    pub(crate) fn put_task(&mut self, task: TaskDocument) {
        self.note_parent(&task);
        self.counted.insert(task.id, State::of(&task));
        self.tasks.put(task.id, task);
    }

    /// What a task is counted by as it is stored; `None`: it is not.
    pub(crate) fn counted(&self, task: Id) -> Option<State> {
        self.counted.get(&task).copied()
    }

    /// Puts a new task.
    pub(crate) fn add_task(&mut self, task: TaskDocument) {
        self.note_parent(&task);
        self.tasks.set(task.id, task);
    }

    fn note_parent(&mut self, task: &TaskDocument) {
        if let Some(parent) = task.parent_id {
            self.children.entry(parent).or_default().insert(task.id);
        }
    }

    /// All that a task spawned, near and far.
    pub(crate) fn descendants(&self, of: Id) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut open = vec![of];
        while let Some(parent) = open.pop() {
            let children = self.children.get(&parent).into_iter().flatten();
            open.extend(children.copied().filter(|child| found.insert(*child)));
        }
        found
    }

    /// The latest version of a policy, to be changed.
    pub(crate) fn latest_policy(&mut self, id: Id) -> Option<&mut PolicyDocument> {
        let versions = self.policies.rows.range((id, 0)..=(id, u64::MAX));
        let (key, _) = versions.last()?;
        self.policies.edit(*key)
    }
}
