//! The documents as of a position, folded in memory: for looking back, without a database.

use kantoku_domain::{Id, Recorded};

use crate::{
    document::{ContextDocument, ResourceDocument, TaskDocument},
    fold::fold,
    part::Part,
    rows::Rows,
};

/// What the tables would hold after the events that were taken in, all of it in memory.
#[derive(Debug, Default)]
pub struct Model {
    rows: Rows,
    as_of_seq: u64,
}

impl Model {
    /// Takes in the next event, in the order of the stream from the first on.
    pub fn take(&mut self, recorded: &Recorded) {
        fold(&mut self.rows, Part::whole(recorded));
        self.as_of_seq = recorded.stream_seq;
    }

    /// The position of the last event that was taken in; 0 before the first.
    pub fn as_of_seq(&self) -> u64 {
        self.as_of_seq
    }

    /// The task `id`.
    pub fn task(&self, id: Id) -> Option<&TaskDocument> {
        self.rows.tasks.get(id)
    }

    /// The context `id`.
    pub fn context(&self, id: Id) -> Option<&ContextDocument> {
        self.rows.contexts.get(id)
    }

    /// The resource `id`.
    pub fn resource(&self, id: Id) -> Option<&ResourceDocument> {
        self.rows.resources.get(id)
    }

    /// All tasks by id.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskDocument> {
        self.rows.tasks.iter().map(|(_, task)| task)
    }

    /// All contexts by id.
    pub fn contexts(&self) -> impl Iterator<Item = &ContextDocument> {
        self.rows.contexts.iter().map(|(_, context)| context)
    }

    /// All resources by id.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceDocument> {
        self.rows.resources.iter().map(|(_, resource)| resource)
    }
}
