//! A context with all its tasks, seen at one moment: for trees, graphs, and the question why.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Dependency, Id, Name, Namespace, Timestamp, Type,
    task::{Failure, Outcome},
};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, PgConnection, types::Json};
use uuid::Uuid;

use super::{Reader, lookup::record};
use crate::{
    Error,
    document::{ContextDocument, ResourceStatus, TaskStatus},
};

/// A context with its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The context.
    pub context: ContextDocument,
    /// Its tasks, by id.
    pub tasks: BTreeMap<Id, GraphTask>,
    /// Tasks of other contexts that its tasks wait for, by id.
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
    /// Where executors look for it.
    pub queue: String,
    /// The resources that it reads, by input.
    pub reads: BTreeMap<String, Id>,
    /// The resources that it was to resolve, by output.
    pub writes: BTreeMap<String, Id>,
    /// What it waits for besides its inputs.
    pub depends_on: Option<Dependency>,
    /// Whether it has a `TaskSpawned` of its own, or is named by another event only.
    pub unfolded: bool,
    /// When the next attempt may be claimed.
    pub not_before: Option<Timestamp>,
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
    /// The task whose end made it impossible.
    pub root_cause: Option<Id>,
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

        let read = tasks.values().flat_map(|task| task.reads.values());
        let leaves = || tasks.values().flat_map(|task| leaves(task.depends_on.as_ref()));
        let awaited = leaves().filter_map(|leaf| match leaf {
            Dependency::Resource(id) => Some(id),
            _ => None,
        });
        let wanted: BTreeSet<Id> = read.chain(awaited).copied().collect();
        let resources = by_id::<GraphResource>(&mut tx, RESOURCE, "resources", &wanted).await?;
        let resources: BTreeMap<Id, GraphResource> =
            resources.into_iter().map(|resource| (resource.id, resource)).collect();

        let custodians = resources.values().filter_map(|resource| resource.custodian);
        let after = leaves().filter_map(|leaf| match leaf {
            Dependency::Task(id) => Some(*id),
            _ => None,
        });
        let outside: BTreeSet<Id> =
            custodians.chain(after).filter(|id| !tasks.contains_key(id)).collect();
        let outside = by_id::<GraphTask>(&mut tx, TASK, "tasks", &outside).await?;
        let outside = outside.into_iter().map(|task| (task.id, task)).collect();
        Ok(Graph { context, tasks, outside, resources, truncated, as_of_seq })
    }
}

fn leaves(expression: Option<&Dependency>) -> impl Iterator<Item = &Dependency> {
    expression.into_iter().flat_map(Dependency::leaves)
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

async fn by_id<T: for<'de> Deserialize<'de> + Send + Unpin + 'static>(
    connection: &mut PgConnection,
    columns: &'static str,
    table: &'static str,
    ids: &BTreeSet<Id>,
) -> Result<Vec<T>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Json<T>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT {columns} FROM {table} WHERE id = ANY($1)"
    )))
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading what a context depends on"))?;
    Ok(rows.into_iter().map(|Json(row)| row).collect())
}
