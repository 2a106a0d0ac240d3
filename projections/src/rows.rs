//! The rows that a batch touches, in memory.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::Id;

use crate::document::{
    ContextDocument, PipelineDocument, ResourceDocument, SpecificationDocument, TaskDocument,
    TypeDocument,
};

/// Rows of one table by id, and which of them have to be written.
#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: BTreeMap<Id, T>,
    dirty: BTreeSet<Id>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), dirty: BTreeSet::new() }
    }
}

impl<T> Table<T> {
    /// Puts a row as it is stored.
    pub(crate) fn put(&mut self, id: Id, row: T) {
        self.rows.insert(id, row);
    }

    pub(crate) fn contains(&self, id: Id) -> bool {
        self.rows.contains_key(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Id, &T)> {
        self.rows.iter()
    }

    /// The row to change, if it exists.
    pub(crate) fn edit(&mut self, id: Id) -> Option<&mut T> {
        let row = self.rows.get_mut(&id)?;
        self.dirty.insert(id);
        Some(row)
    }

    /// The row to change, made if it does not exist.
    pub(crate) fn edit_or(&mut self, id: Id, make: impl FnOnce() -> T) -> &mut T {
        self.dirty.insert(id);
        self.rows.entry(id).or_insert_with(make)
    }

    /// The rows to write, in order of id.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (Id, &T)> {
        self.dirty.iter().filter_map(|id| Some((*id, self.rows.get(id)?)))
    }
}

/// All rows that a batch may touch.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) tasks: Table<TaskDocument>,
    pub(crate) contexts: Table<ContextDocument>,
    pub(crate) resources: Table<ResourceDocument>,
    pub(crate) specifications: Vec<SpecificationDocument>,
    pub(crate) types: Vec<TypeDocument>,
    pub(crate) pipelines: Vec<PipelineDocument>,
}
