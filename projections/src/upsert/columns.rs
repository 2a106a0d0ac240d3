//! Rows → the columns of their tables, in the order of the statement.

use kantoku_domain::{Id, task::Outcome};
use sqlx::types::time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Arguments,
    text::{json, json_as_is},
};
use crate::{
    cache::Kept,
    counts::{self, Changes},
    document::{ContextDocument, ContextStatus, Record, ResourceDocument, TaskDocument},
    rows::{Rows, Table},
};

/// What every record has.
#[derive(Default)]
struct Common {
    ids: Vec<Uuid>,
    times: Vec<OffsetDateTime>,
    documents: Vec<String>,
    namespaces: Vec<String>,
    statuses: Vec<&'static str>,
}

impl Common {
    /// Adds a row, and keeps it in `cache` if it is `live`, which is to say: likely to change again.
    /// One whose text says something else than itself is not kept.
    fn add<T: Record>(&mut self, row: T, status: &'static str, live: bool, cache: &mut Kept<T>) {
        let id = row.id();
        self.ids.push(id.uuid());
        self.times.push(row.updated_at().to_offset());
        self.namespaces.push(row.namespace().to_string());
        self.statuses.push(status);
        let text = json_as_is(&row);
        match &text {
            Ok(text) if live => cache.put(id, row, text.len()),
            _ => cache.forget(id),
        }
        self.documents.push(text.unwrap_or_else(|changed| changed));
    }

    /// The first columns of each table of records.
    fn bind(self, arguments: Arguments<'_>) -> Arguments<'_> {
        arguments
            .bind(self.ids)
            .bind(self.times)
            .bind(self.documents)
            .bind(self.namespaces)
            .bind(self.statuses)
    }
}

#[derive(Default)]
pub(super) struct Tasks {
    common: Common,
    sub_statuses: Vec<Option<&'static str>>,
    contexts: Vec<Uuid>,
    specifications: Vec<String>,
    unfolded: Vec<bool>,
    labels: Vec<String>,
    positions: Vec<i64>,
    parents: Vec<Option<Uuid>>,
    roots: Vec<Option<Uuid>>,
    paused: Vec<bool>,
}

impl Tasks {
    /// The tasks that have changed, and by how much that changes the counts.
    pub(super) fn of(rows: &mut Rows, cache: &mut Kept<TaskDocument>) -> (Self, Changes) {
        let (mut columns, mut counts) = (Self::default(), Changes::default());
        while let Some((id, task)) = rows.tasks.take_changed() {
            counts.add(rows.counted(id), &task);
            columns.sub_statuses.push(task.sub_status.map(|outcome| match outcome {
                Outcome::Ok => "ok",
                Outcome::Failed => "failed",
            }));
            columns.contexts.push(task.context_id.uuid());
            columns.specifications.push(task.specification.to_string());
            columns.unfolded.push(task.unfolded);
            columns.labels.push(json(&task.labels));
            columns.positions.push(task.stream_seq as i64);
            columns.parents.push(task.parent_id.map(Id::uuid));
            columns.roots.push(task.restart_root.map(Id::uuid));
            columns.paused.push(task.paused.is_some());
            let (status, live) = (task.status.name(), !task.status.is_terminal());
            columns.common.add(task, status, live, cache);
        }
        give_back(&mut rows.tasks, cache);
        (columns, counts)
    }

    pub(super) fn bind(self, arguments: Arguments<'_>) -> Arguments<'_> {
        self.common
            .bind(arguments)
            .bind(self.sub_statuses)
            .bind(self.contexts)
            .bind(self.specifications)
            .bind(self.unfolded)
            .bind(self.labels)
            .bind(self.positions)
            .bind(self.parents)
            .bind(self.roots)
            .bind(self.paused)
    }
}

#[derive(Default)]
pub(super) struct Contexts {
    common: Common,
    pipelines: Vec<Option<String>>,
    labels: Vec<String>,
    positions: Vec<i64>,
    paused: Vec<bool>,
}

impl Contexts {
    /// The contexts that have changed.
    pub(super) fn of(
        table: &mut Table<ContextDocument>,
        cache: &mut Kept<ContextDocument>,
    ) -> Self {
        let mut columns = Self::default();
        while let Some((_, context)) = table.take_changed() {
            let pipeline = context.pipeline.as_ref();
            columns.pipelines.push(pipeline.map(|pipeline| pipeline.name.to_string()));
            columns.labels.push(json(&context.labels));
            columns.positions.push(context.stream_seq as i64);
            columns.paused.push(context.paused.is_some());
            let (status, live) = (context.status.name(), context.status == ContextStatus::Running);
            columns.common.add(context, status, live, cache);
        }
        give_back(table, cache);
        columns
    }

    pub(super) fn bind(self, arguments: Arguments<'_>) -> Arguments<'_> {
        self.common
            .bind(arguments)
            .bind(self.pipelines)
            .bind(self.labels)
            .bind(self.positions)
            .bind(self.paused)
    }
}

#[derive(Default)]
pub(super) struct Resources {
    common: Common,
    contexts: Vec<Option<Uuid>>,
}

impl Resources {
    /// The resources that have changed.
    pub(super) fn of(
        table: &mut Table<ResourceDocument>,
        cache: &mut Kept<ResourceDocument>,
    ) -> Self {
        let mut columns = Self::default();
        while let Some((_, resource)) = table.take_changed() {
            columns.contexts.push(resource.context_id.map(Id::uuid));
            let (status, live) = (resource.status.name(), !resource.has_value());
            columns.common.add(resource, status, live, cache);
        }
        give_back(table, cache);
        columns
    }

    pub(super) fn bind(self, arguments: Arguments<'_>) -> Arguments<'_> {
        self.common.bind(arguments).bind(self.contexts)
    }
}

/// Gives back what was lent and has not changed.
fn give_back<T>(table: &mut Table<T>, cache: &mut Kept<T>) {
    table.take_rest().for_each(|(id, row)| cache.give_back(id, row));
}

#[derive(Default)]
pub(super) struct Counts {
    namespaces: Vec<String>,
    specifications: Vec<String>,
    by: [Vec<i64>; counts::COLUMNS.len()],
}

impl Counts {
    /// By how much the counts change.
    pub(super) fn of(changes: Changes) -> Self {
        let mut columns = Self::default();
        for (namespace, specification, by) in changes.into_rows() {
            columns.namespaces.push(namespace);
            columns.specifications.push(specification);
            columns.by.iter_mut().zip(by).for_each(|(column, by)| column.push(by));
        }
        columns
    }

    pub(super) fn bind(self, arguments: Arguments<'_>) -> Arguments<'_> {
        let arguments = arguments.bind(self.namespaces).bind(self.specifications);
        self.by.into_iter().fold(arguments, Arguments::bind)
    }
}
