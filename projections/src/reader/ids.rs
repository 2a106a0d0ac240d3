//! Ids without documents.

use kantoku_domain::{Id, Namespace};
use uuid::Uuid;

use super::Reader;
use crate::Error;

impl Reader {
    /// The tasks of a context, at most `max` of them, and the position that this is as of.
    pub async fn task_ids(
        &self,
        namespace: &Namespace,
        context_id: Id,
        max: usize,
    ) -> Result<(Vec<Id>, u64), Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM tasks WHERE context_id = $1 AND namespace = $2 ORDER BY id LIMIT $3",
        )
        .bind(context_id.uuid())
        .bind(namespace.as_str())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("reading the ids of tasks"))?;
        Ok((ids.into_iter().map(Id::from_uuid).collect(), as_of_seq))
    }
}
