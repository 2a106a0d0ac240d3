//! What queries would have said, of rows that were folded in memory.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{Id, Namespace, Timestamp};
use uuid::Uuid;

use super::{
    Reader, dependencies,
    graph::{Graph, GraphResource, GraphTask, waited_for},
    uuids,
};
use crate::{Error, Model, document::TaskDocument};

impl Reader {
    /// The task `id` of `model` with the status of its dependencies, as [`Self::task`] would have
    /// told it at position `as_of_seq`, which was reached at `at`. `model` holds what it waits for.
    pub async fn past_task(
        &self,
        model: &Model,
        id: Id,
        as_of_seq: u64,
        at: Timestamp,
    ) -> Result<Option<TaskDocument>, Error> {
        let Some(task) = model.task(id) else { return Ok(None) };
        let (mut tx, _) = self.snapshot().await?;
        let mut task = task.clone();
        dependencies::complete_past(&mut tx, &mut task, model, (as_of_seq, at)).await?;
        Ok(Some(task))
    }

    /// The contexts of those of `ids` that are tasks or resources of `namespace`. A resource that
    /// belongs to no context stands for itself.
    pub async fn contexts_of(
        &self,
        namespace: &Namespace,
        ids: &BTreeSet<Id>,
    ) -> Result<BTreeSet<Id>, Error> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (mut tx, _) = self.snapshot().await?;
        let found: Vec<Uuid> = sqlx::query_scalar(
            "SELECT context_id FROM tasks WHERE id = ANY($1) AND namespace = $2 UNION \
             SELECT COALESCE((document ->> 'context_id')::uuid, id) FROM resources \
             WHERE id = ANY($1) AND namespace = $2",
        )
        .bind(uuids(ids))
        .bind(namespace.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("looking up contexts"))?;
        Ok(found.into_iter().map(Id::from_uuid).collect())
    }
}

impl Model {
    /// The context with its tasks, at most `tasks_max` of them, as [`Reader::graph`] would have told
    /// it. What lies in other contexts is there as far as these were taken in.
    pub fn graph(&self, context_id: Id, tasks_max: usize) -> Option<Graph> {
        let context = self.context(context_id)?.clone();
        let mut of_context = self.tasks().filter(|task| task.context_id == context_id);
        let tasks: BTreeMap<Id, GraphTask> =
            of_context.by_ref().take(tasks_max).map(|task| (task.id, task.into())).collect();
        let truncated = of_context.next().is_some();
        let read = tasks.values().flat_map(|task| task.reads.values()).copied();
        let named: BTreeSet<Id> = read.chain(tasks.values().flat_map(waited_for)).collect();
        let resources = named.iter().filter_map(|id| self.resource(*id));
        let resources: BTreeMap<Id, GraphResource> =
            resources.map(|resource| (resource.id, resource.into())).collect();
        let custodians = resources.values().filter_map(|resource| resource.custodian);
        let outside = self.with_successors(named.iter().copied().chain(custodians));
        let outside = outside.filter(|task| !tasks.contains_key(&task.id));
        let outside = outside.map(|task| (task.id, task.into())).collect();
        Some(Graph { context, tasks, outside, resources, truncated, as_of_seq: self.as_of_seq() })
    }

    /// What the task waits for of which nothing was taken in.
    pub fn unknown_to(&self, id: Id) -> BTreeSet<Id> {
        let Some(task) = self.task(id).filter(|task| !task.is_past_waiting()) else {
            return BTreeSet::new();
        };
        let named = task.waits_for().into_iter().flat_map(|awaited| awaited.needs.named());
        named.filter(|id| self.task(*id).is_none() && self.resource(*id).is_none()).collect()
    }

    /// Those of `ids` that are tasks, and whatever took their places.
    pub(super) fn with_successors(
        &self,
        ids: impl IntoIterator<Item = Id>,
    ) -> impl Iterator<Item = &TaskDocument> {
        let mut found = BTreeMap::new();
        let mut open: Vec<Id> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            if let Some(task) = self.task(id).filter(|_| !found.contains_key(&id)) {
                open.extend(task.restarted_as);
                found.insert(id, task);
            }
        }
        found.into_values()
    }
}
