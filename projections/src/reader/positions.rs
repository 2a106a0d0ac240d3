//! The ids of all tasks of a context, for whoever reads each of them from the stream.

use kantoku_domain::{Id, Namespace};
use uuid::Uuid;

use super::{Reader, lookup::record};
use crate::{Error, document::ContextDocument};

/// The tasks of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextTasks {
    /// All of them, children and those that were restarted included, by id; with the `stream_seq`
    /// of the last event of each, announcements aside, or 0 of one that is named only.
    pub tasks: Vec<(Id, u64)>,
    /// Whether there are more.
    pub truncated: bool,
    /// The position that they are as of.
    pub as_of_seq: u64,
}

impl Reader {
    /// The ids of the tasks of a context, at most `tasks_max`. Decisions about them are made on
    /// what the stream says, not on rows.
    pub async fn context_tasks(
        &self,
        namespace: &Namespace,
        context_id: Id,
        tasks_max: usize,
    ) -> Result<ContextTasks, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        record::<ContextDocument>(&mut tx, namespace, context_id, as_of_seq).await?;
        // One more than asked for tells that there are more.
        let limit = i64::try_from(tasks_max).unwrap_or(i64::MAX).saturating_add(1);
        let rows: Vec<(Uuid, i64)> = sqlx::query_as(
            "SELECT id, (document -> 'position')::bigint FROM tasks WHERE context_id = $1 \
             ORDER BY id LIMIT $2",
        )
        .bind(context_id.uuid())
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("reading the tasks of a context"))?;
        let truncated = rows.len() > tasks_max;
        let tasks = rows.into_iter().take(tasks_max);
        let tasks = tasks.map(|(id, position)| (Id::from_uuid(id), position as u64)).collect();
        Ok(ContextTasks { tasks, truncated, as_of_seq })
    }
}
