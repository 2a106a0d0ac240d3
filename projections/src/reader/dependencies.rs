//! What depends on other rows: added to tasks when they are read.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Dependency as Expression, Timestamp,
    dependency::{Facts, Readiness, Status},
};
use kantoku_streams::now;
use sqlx::PgConnection;

use super::facts::Known;
use crate::{
    Error, Model,
    document::{Awaited, Dependency, DependencyStatus, TaskDocument},
};

/// Fills in `dependencies` and `source`.
pub(super) async fn complete(
    connection: &mut PgConnection,
    tasks: &mut [TaskDocument],
) -> Result<(), Error> {
    let known = Known::load(connection, tasks).await?;
    let sources = sources(connection, tasks).await?;
    let now = now();
    for task in tasks {
        task.dependencies = dependencies(task, &known, now);
        let key = (task.namespace.to_string(), task.specification.to_string(), task.version as i64);
        task.source = sources.get(&key).cloned();
    }
    Ok(())
}

/// The same for one that was folded in memory, as of a position and its time.
pub(super) async fn complete_past(
    connection: &mut PgConnection,
    task: &mut TaskDocument,
    model: &Model,
    (as_of_seq, at): (u64, Timestamp),
) -> Result<(), Error> {
    let known = Known::of_past(connection, task, model, as_of_seq).await?;
    task.dependencies = dependencies(task, &known, at);
    let sources = sources(connection, std::slice::from_ref(task)).await?;
    task.source = sources.into_values().next();
    Ok(())
}

/// What the task waits for, judged by the rules that decide about it: as of now, or of its end.
fn dependencies(task: &TaskDocument, known: &Known, now: Timestamp) -> Vec<Dependency> {
    let facts = known.of(task);
    let now = task.finished_at.unwrap_or(now);
    let status = |awaited: &Awaited| match () {
        () if task.is_past_waiting() => DependencyStatus::Ready,
        () => judge(awaited, &facts, now),
    };
    let waits_for = task.waits_for().into_iter();
    waits_for
        .map(|awaited| {
            let status = status(&awaited);
            Dependency { name: awaited.name, data: awaited.data, status }
        })
        .collect()
}

fn judge(awaited: &Awaited, facts: &impl Facts, now: Timestamp) -> DependencyStatus {
    let resource = matches!(awaited.data, Expression::Resource(_)).then_some(&awaited.data);
    if resource.is_some_and(|resource| resource.evaluate(facts, now) == Status::Ready) {
        // It has arrived, whatever the task's rule says of the others.
        return DependencyStatus::Ready;
    }
    match awaited.needs.evaluate(facts, now) {
        Readiness::Pending { .. } => DependencyStatus::Pending,
        Readiness::Ready { .. } => DependencyStatus::Ready,
        Readiness::Failed(_) => DependencyStatus::Failed,
    }
}

/// Who maintains the specifications of `tasks`, by namespace, name and version.
async fn sources(
    connection: &mut PgConnection,
    tasks: &[TaskDocument],
) -> Result<BTreeMap<(String, String, i64), String>, Error> {
    let keys: BTreeSet<(&str, &str, i64)> = tasks
        .iter()
        .map(|task| (task.namespace.as_str(), task.specification.as_str(), task.version as i64))
        .collect();
    let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
        "SELECT namespace, name, version, document ->> 'source' \
         FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS wanted (namespace, name, version) \
         JOIN specifications USING (namespace, name, version) \
         WHERE document ->> 'source' IS NOT NULL",
    )
    .bind(keys.iter().map(|key| key.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.1).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.2).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading sources"))?;
    Ok(rows
        .into_iter()
        .map(|(namespace, name, version, source)| ((namespace, name, version), source))
        .collect())
}
