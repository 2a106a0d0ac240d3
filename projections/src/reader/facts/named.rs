//! Tasks and resources that expressions name.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Id, Timestamp,
    dependency::{Cause, How, RootCauses},
    task::Outcome,
};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use crate::{
    Error,
    document::{ResourceDocument, ResourceStatus, TaskDocument, TaskStatus},
    reader::{CHAIN, uuids},
};

/// What matters of a resource.
#[derive(Deserialize)]
pub(super) struct ResourceRow {
    id: Id,
    pub(super) has_value: bool,
    pub(super) status: ResourceStatus,
    pub(super) custodian: Option<Id>,
    pub(super) resolved_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
}

/// What matters of a task.
#[derive(Deserialize)]
pub(super) struct TaskRow {
    pub(super) id: Id,
    pub(super) restarted_as: Option<Id>,
    status: TaskStatus,
    sub_status: Option<Outcome>,
    root_cause: Option<Id>,
    other_causes: Option<Vec<Id>>,
    cause: Option<Cause>,
    pub(super) finished_at: Option<Timestamp>,
}

impl From<&ResourceDocument> for ResourceRow {
    fn from(resource: &ResourceDocument) -> Self {
        Self {
            id: resource.id,
            has_value: resource.has_value(),
            status: resource.status,
            custodian: resource.custodian,
            resolved_at: resource.resolved_at,
            updated_at: resource.updated_at,
        }
    }
}

impl From<&TaskDocument> for TaskRow {
    fn from(task: &TaskDocument) -> Self {
        Self {
            id: task.id,
            restarted_as: task.restarted_as,
            status: task.status,
            sub_status: task.sub_status,
            root_cause: task.root_cause,
            other_causes: Some(task.other_causes.clone()),
            cause: task.cause,
            finished_at: task.finished_at,
        }
    }
}

impl TaskRow {
    /// How it has ended; `None`: it has not.
    pub(super) fn how(&self) -> Option<How> {
        match self.status {
            TaskStatus::Finished if self.sub_status == Some(Outcome::Ok) => Some(How::Ok),
            TaskStatus::Finished => Some(How::Failed),
            TaskStatus::Cancelled => Some(How::Cancelled),
            TaskStatus::Skipped => Some(How::Skipped {
                root_causes: RootCauses::all(
                    self.root_cause.unwrap_or(self.id),
                    self.other_causes.as_deref().unwrap_or_default(),
                ),
                cause: self.cause.unwrap_or_default(),
            }),
            TaskStatus::Initialized | TaskStatus::Ready | TaskStatus::Received => None,
        }
    }
}

/// Those of `ids` that are resources.
pub(super) async fn resources(
    connection: &mut PgConnection,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, ResourceRow>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Json<ResourceRow>> = sqlx::query_scalar(
        "SELECT jsonb_build_object( \
             'id', id, 'has_value', document ? 'value' OR document ? 'digest', 'status', status, \
             'custodian', document -> 'custodian', 'resolved_at', document -> 'resolved_at', \
             'updated_at', document -> 'updated_at') \
         FROM resources WHERE id = ANY($1)",
    )
    .bind(uuids(ids))
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading the resources that are waited for"))?;
    Ok(rows.into_iter().map(|Json(row)| (row.id, row)).collect())
}

/// Those of `ids` that are tasks, with whatever took their places.
pub(super) async fn tasks(
    connection: &mut PgConnection,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, TaskRow>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Json<TaskRow>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "{CHAIN} SELECT jsonb_build_object( \
             'id', id, 'restarted_as', document -> 'restarted_as', \
             'status', document -> 'status', 'sub_status', document -> 'sub_status', \
             'root_cause', document -> 'root_cause', \
             'other_causes', document -> 'other_causes', 'cause', document -> 'cause', \
             'finished_at', document -> 'finished_at') \
         FROM chain JOIN tasks USING (id)",
    )))
    .bind(uuids(ids))
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading the tasks that are waited for"))?;
    Ok(rows.into_iter().map(|Json(row)| (row.id, row)).collect())
}
