//! A context with all its tasks, seen at one moment: for trees, graphs, and the question why.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Dependency, Id, Name, Namespace, Timestamp, Type,
    dependency::{Cause, Trigger},
    pause::Paused,
    task::{Failure, Outcome},
};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use super::{CHAIN, Reader, lookup::record, uuids};
use crate::{
    Error,
    document::{
        Approval, ContextDocument, ResourceDocument, ResourceStatus, TaskDocument, TaskStatus,
    },
};

/// A context with its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The context.
    pub context: ContextDocument,
    /// Its tasks, by id.
    pub tasks: BTreeMap<Id, GraphTask>,
    /// Tasks of other contexts that its tasks wait for, and what took their places, by id.
    pub outside: BTreeMap<Id, GraphTask>,
    /// The resources that its tasks read, by id. One that nobody allocated is missing.
    pub resources: BTreeMap<Id, GraphResource>,
    /// Whether there are more tasks.
    pub truncated: bool,
    /// The position that all this is as of.
    pub as_of_seq: u64,
}

/// A task without its values.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GraphTask {
    /// The id.
    pub id: Id,
    /// The execution that it belongs to.
    pub context_id: Id,
    /// Its name in the pipeline, or its key under its parent.
    pub step: Option<String>,
    /// What it does.
    pub specification: Name,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// How it finished.
    pub sub_status: Option<Outcome>,
    /// The attempt that is ready, runs or ran last; 0 before the first.
    pub attempt: u32,
    /// The task that spawned it.
    pub parent_id: Option<Id>,
    /// The task that it took the place of.
    pub restart_parent: Option<Id>,
    /// The task that took its place.
    pub restarted_as: Option<Id>,
    /// Where executors look for it.
    pub queue: String,
    /// The resources that it reads, by input.
    pub reads: BTreeMap<String, Id>,
    /// The resources that it was to resolve, by output.
    pub writes: BTreeMap<String, Id>,
    /// What it waits for besides its inputs.
    pub depends_on: Option<Dependency>,
    /// When it runs, unless all that it reads and depends on has to be there.
    pub when: Option<Trigger>,
    /// Whether it is to wait, by whom and why.
    pub paused: Option<Paused>,
    /// Who has said yes, by approval.
    #[serde(default)]
    pub approvals: BTreeMap<String, Vec<Approval>>,
    /// Whether it has a `TaskSpawned` of its own, or is named by another event only.
    pub unfolded: bool,
    /// When the next attempt may be claimed.
    pub not_before: Option<Timestamp>,
    /// When it began to wait: when it was spawned, or came back from being skipped.
    pub waiting_since: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When the last attempt was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Who claimed the last attempt.
    pub node: Option<String>,
    /// What went wrong last.
    pub error: Option<Failure>,
    /// Why it was cancelled, or what cannot arrive any more.
    pub reason: Option<String>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
    /// The task whose end made it impossible.
    pub root_cause: Option<Id>,
    /// Other tasks because of which it would be impossible, too.
    #[serde(default)]
    pub other_causes: Vec<Id>,
    /// Of one that was skipped: whether anybody failed, or a rule chose so.
    pub cause: Option<Cause>,
}

/// A resource without its value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GraphResource {
    /// The id.
    pub id: Id,
    /// Where it is in its life.
    pub status: ResourceStatus,
    /// Whether it has a value: released resources keep theirs.
    pub has_value: bool,
    /// What its value must be.
    #[serde(rename = "type")]
    pub type_: Type,
    /// The task that may or did resolve it; `None` when anyone may.
    pub custodian: Option<Id>,
}

impl From<&TaskDocument> for GraphTask {
    fn from(task: &TaskDocument) -> Self {
        let reads = task.inputs.iter();
        let writes = task.outputs.iter().map(|(name, output)| (name.clone(), output.id));
        Self {
            id: task.id,
            context_id: task.context_id,
            step: task.step.clone(),
            specification: task.specification.clone(),
            status: task.status,
            sub_status: task.sub_status,
            attempt: task.attempt,
            parent_id: task.parent_id,
            restart_parent: task.restart_parent,
            restarted_as: task.restarted_as,
            queue: task.queue.clone(),
            reads: reads.filter_map(|(name, it)| Some((name.clone(), it.resource()?))).collect(),
            writes: writes.collect(),
            depends_on: task.depends_on.clone(),
            when: task.when.clone(),
            paused: task.paused.clone(),
            approvals: task.approvals.clone(),
            unfolded: task.unfolded,
            not_before: task.not_before,
            waiting_since: task.waiting_since,
            updated_at: task.updated_at,
            started_at: task.started_at,
            finished_at: task.finished_at,
            node: task.node.clone(),
            error: task.error.clone(),
            reason: task.reason.clone(),
            cancelled_by: task.cancelled_by.clone(),
            root_cause: task.root_cause,
            other_causes: task.other_causes.clone(),
            cause: task.cause,
        }
    }
}

impl From<&ResourceDocument> for GraphResource {
    fn from(resource: &ResourceDocument) -> Self {
        Self {
            id: resource.id,
            status: resource.status,
            has_value: resource.has_value(),
            type_: resource.type_.clone(),
            custodian: resource.custodian,
        }
    }
}

/// The documents of tasks, without values.
const TASK: &str = "document - 'inputs' - 'outputs' - 'result' - 'labels' - 'delegated' \
    || jsonb_build_object( \
        'reads', COALESCE((SELECT jsonb_object_agg(key, value #> '{source,resource}') \
                           FROM jsonb_each(document -> 'inputs') \
                           WHERE value -> 'source' ? 'resource'), '{}'), \
        'writes', COALESCE((SELECT jsonb_object_agg(key, value -> 'id') \
                            FROM jsonb_each(document -> 'outputs')), '{}'))";

const RESOURCE: &str = "document - 'value' \
    || jsonb_build_object('has_value', document ? 'value' OR document ? 'digest')";

impl Reader {
    /// A context with its tasks, at most `tasks_max` of them, in one state of all tables.
    pub async fn graph(
        &self,
        namespace: &Namespace,
        context_id: Id,
        tasks_max: usize,
    ) -> Result<Graph, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let context = record::<ContextDocument>(&mut tx, namespace, context_id, as_of_seq).await?;
        let mut tasks = of_context(&mut tx, context_id, tasks_max).await?;
        let truncated = tasks.len() > tasks_max;
        tasks.truncate(tasks_max);
        let tasks: BTreeMap<Id, GraphTask> =
            tasks.into_iter().map(|task| (task.id, task)).collect();

        let read = tasks.values().flat_map(|task| task.reads.values()).copied();
        let named: BTreeSet<Id> = read.chain(tasks.values().flat_map(waited_for)).collect();
        let resources = resources(&mut tx, &named).await?;
        let custodians = resources.values().filter_map(|resource| resource.custodian);
        let outside = named.iter().copied().chain(custodians);
        let outside = outside.filter(|id| !tasks.contains_key(id)).collect();
        let mut outside = with_successors(&mut tx, &outside).await?;
        outside.retain(|id, _| !tasks.contains_key(id));
        Ok(Graph { context, tasks, outside, resources, truncated, as_of_seq })
    }
}

/// The tasks and resources that a task waits for besides its inputs.
pub(super) fn waited_for(task: &GraphTask) -> impl Iterator<Item = Id> {
    let leaves = task.depends_on.iter().flat_map(Dependency::leaves);
    let upstream = task.when.iter().flat_map(|when| &when.upstream);
    leaves.filter_map(Dependency::named).copied().chain(upstream.map(|upstream| upstream.task))
}

/// One more than asked for tells that there are more.
async fn of_context(
    connection: &mut PgConnection,
    context_id: Id,
    tasks_max: usize,
) -> Result<Vec<GraphTask>, Error> {
    let rows: Vec<Json<GraphTask>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT {TASK} FROM tasks WHERE context_id = $1 ORDER BY id LIMIT $2"
    )))
    .bind(context_id.uuid())
    .bind(i64::try_from(tasks_max).unwrap_or(i64::MAX).saturating_add(1))
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading the tasks of a context"))?;
    Ok(rows.into_iter().map(|Json(task)| task).collect())
}

/// Those of `ids` that are resources.
async fn resources(
    connection: &mut PgConnection,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, GraphResource>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Json<GraphResource>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT {RESOURCE} FROM resources WHERE id = ANY($1)"
    )))
    .bind(uuids(ids))
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading what a context depends on"))?;
    Ok(rows.into_iter().map(|Json(row)| (row.id, row)).collect())
}

/// Those of `ids` that are tasks, with whatever took their places.
async fn with_successors(
    connection: &mut PgConnection,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, GraphTask>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Json<GraphTask>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "{CHAIN} SELECT {TASK} FROM chain JOIN tasks USING (id)"
    )))
    .bind(uuids(ids))
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading what a context depends on"))?;
    Ok(rows.into_iter().map(|Json(row)| (row.id, row)).collect())
}
