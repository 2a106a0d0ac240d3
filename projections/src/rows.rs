//! The rows that a batch touches, in memory.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{Event, Id, Recorded, task::Spawned};
use sqlx::{AssertSqlSafe, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    Error,
    document::{
        ContextDocument, PipelineDocument, Record, ResourceDocument, SpecificationDocument,
        TaskDocument, TypeDocument,
    },
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

    /// The rows to write, in order of id, so that two writers cannot wait for each other.
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

impl Rows {
    /// Reads every row that folding `events` may look at. Tasks come first: they name their
    /// contexts and their outputs.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        events: &[Recorded],
    ) -> Result<Self, Error> {
        let mut wanted = Wanted::default();
        for recorded in events {
            wanted.add(recorded);
        }
        let mut tasks = Table::<TaskDocument>::default();
        load(connection, &mut tasks, "id = ANY($1)", &wanted.tasks).await?;
        load(connection, &mut tasks, "context_id = ANY($1) AND NOT unfolded", &wanted.cancelled)
            .await?;
        for task in tasks.rows.values() {
            wanted.contexts.insert(task.context_id);
            wanted.resources.extend(task.outputs.values().map(|output| output.id));
        }
        let mut rows = Self { tasks, ..Self::default() };
        load(connection, &mut rows.contexts, "id = ANY($1)", &wanted.contexts).await?;
        load(connection, &mut rows.resources, "id = ANY($1)", &wanted.resources).await?;
        Ok(rows)
    }
}

async fn load<T: Record>(
    connection: &mut PgConnection,
    table: &mut Table<T>,
    condition: &str,
    ids: &BTreeSet<Id>,
) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Json<T>)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT id, document FROM {} WHERE {condition}",
        T::TABLE
    )))
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading the rows of a batch"))?;
    table.rows.extend(rows.into_iter().map(|(id, Json(row))| (Id::from_uuid(id), row)));
    Ok(())
}

/// The ids that a batch names.
#[derive(Default)]
struct Wanted {
    tasks: BTreeSet<Id>,
    contexts: BTreeSet<Id>,
    resources: BTreeSet<Id>,
    cancelled: BTreeSet<Id>,
}

impl Wanted {
    fn add(&mut self, recorded: &Recorded) {
        let id = recorded.id;
        match &recorded.event {
            Event::ContextOpened(opened) => {
                self.contexts.insert(id);
                opened.plan.iter().for_each(|planned| self.add_task(planned.id, &planned.task));
            }
            Event::ContextCancelled(_) => {
                self.contexts.insert(id);
                self.cancelled.insert(id);
            }
            Event::TaskSpawned(spawned) => self.add_task(id, spawned),
            Event::TaskReady(ready) => {
                self.tasks.insert(ready.task_id);
            }
            Event::TaskFinished(finished) => {
                self.tasks.insert(id);
                finished.children.iter().for_each(|child| self.add_task(child.id, &child.task));
            }
            Event::TaskReceived(_)
            | Event::TaskAttemptFailed(_)
            | Event::TaskCancelled(_)
            | Event::TaskSkipped(_) => {
                self.tasks.insert(id);
            }
            Event::ResourceAllocated(_)
            | Event::ResourceInitialized(_)
            | Event::ResourceReleased(_) => {
                self.resources.insert(id);
            }
            Event::SpecificationApplied(_) | Event::TypeApplied(_) | Event::PipelineApplied(_) => {}
        }
    }

    fn add_task(&mut self, id: Id, spawned: &Spawned) {
        self.tasks.insert(id);
        self.contexts.insert(spawned.context_id);
        self.resources.extend(spawned.outputs.values().map(|output| output.id));
    }
}
