//! What depends on other rows: added to tasks when they are read.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{Dependency as Expression, Id};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error,
    document::{Dependency, DependencyStatus, TaskDocument},
};

/// Fills in `dependencies` and `source`.
pub(super) async fn complete(
    connection: &mut PgConnection,
    tasks: &mut [TaskDocument],
) -> Result<(), Error> {
    let mut resources = BTreeSet::new();
    let mut others = BTreeSet::new();
    for (_, leaf) in tasks.iter().flat_map(TaskDocument::waits_for) {
        match leaf {
            Expression::Resource(id) => resources.insert(id),
            Expression::Task(id) => others.insert(id),
            _ => false,
        };
    }
    let resources = statuses(
        connection,
        "SELECT id, CASE WHEN document ? 'value' OR document ? 'digest' THEN 'ready' \
                         WHEN status = 'allocated' THEN 'pending' ELSE 'failed' END \
         FROM resources WHERE id = ANY($1)",
        &resources,
    )
    .await?;
    let others = statuses(
        connection,
        "SELECT id, CASE WHEN sub_status = 'ok' THEN 'ready' \
                         WHEN status IN ('finished', 'cancelled', 'skipped') THEN 'failed' \
                         ELSE 'pending' END \
         FROM tasks WHERE id = ANY($1)",
        &others,
    )
    .await?;
    let sources = sources(connection, tasks).await?;
    for task in tasks {
        task.dependencies = task
            .waits_for()
            .into_iter()
            .map(|(name, data)| {
                let known = match &data {
                    Expression::Resource(id) => resources.get(id),
                    Expression::Task(id) => others.get(id),
                    _ => None,
                };
                let status = known.copied().unwrap_or(DependencyStatus::Pending);
                Dependency { name: name.to_owned(), data, status }
            })
            .collect();
        let key = (task.namespace.to_string(), task.specification.to_string(), task.version as i64);
        task.source = sources.get(&key).cloned();
    }
    Ok(())
}

async fn statuses(
    connection: &mut PgConnection,
    sql: &'static str,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, DependencyStatus>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, String)> = sqlx::query_as(sql)
        .bind(ids)
        .fetch_all(connection)
        .await
        .map_err(Error::database("reading dependencies"))?;
    let status = |name: &str| match name {
        "ready" => DependencyStatus::Ready,
        "failed" => DependencyStatus::Failed,
        _ => DependencyStatus::Pending,
    };
    Ok(rows.into_iter().map(|(id, name)| (Id::from_uuid(id), status(&name))).collect())
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
