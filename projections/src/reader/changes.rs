//! What has changed since a position, in the order of the stream.

use kantoku_domain::Id;
use sqlx::{PgConnection, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Filter, Reader, check_limit, list::push_filter};
use crate::{
    Error,
    document::{ContextDocument, Record, TaskDocument},
};

/// A place in the order of changes, which is that of the stream, and of ids where one event changed
/// several records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The position in the stream.
    pub stream_seq: u64,
    /// The last record of that position which lies before this place.
    pub id: Id,
}

impl Mark {
    /// Behind all that the event at `stream_seq` changed.
    pub const fn behind(stream_seq: u64) -> Self {
        Self { stream_seq, id: Id::from_uuid(Uuid::max()) }
    }
}

/// Records that changed since a place, each as it is now. One that changed several times is at the
/// place of its last change, and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes<T> {
    /// The records, in the order of their last changes.
    pub items: Vec<T>,
    /// Where to go on.
    pub next: Mark,
    /// Whether there is nothing more, as of `as_of_seq`.
    pub is_complete: bool,
    /// The position that they are as of.
    pub as_of_seq: u64,
}

impl Reader {
    /// Up to `limit` of the tasks that changed after `after`, with the status of their
    /// dependencies.
    pub async fn changed_tasks(
        &self,
        filter: &Filter,
        after: Mark,
        limit: u32,
    ) -> Result<Changes<TaskDocument>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let mut changes = changed(&mut tx, filter, after, limit, as_of_seq).await?;
        super::dependencies::complete(&mut tx, &mut changes.items).await?;
        Ok(changes)
    }

    /// Up to `limit` of the contexts that changed after `after`.
    pub async fn changed_contexts(
        &self,
        filter: &Filter,
        after: Mark,
        limit: u32,
    ) -> Result<Changes<ContextDocument>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        changed(&mut tx, filter, after, limit, as_of_seq).await
    }
}

async fn changed<T: Record>(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Mark,
    limit: u32,
    as_of_seq: u64,
) -> Result<Changes<T>, Error> {
    let limit = check_limit(limit)?;
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT document FROM {}", T::TABLE));
    push_filter::<T>(&mut sql, filter)?;
    let stream_seq = i64::try_from(after.stream_seq).unwrap_or(i64::MAX);
    sql.push(" AND (stream_seq, id) > (").push_bind(stream_seq);
    sql.push(", ").push_bind(after.id.uuid());
    sql.push(") ORDER BY stream_seq, id LIMIT ").push_bind(limit);
    let rows: Vec<Json<T>> = sql
        .build_query_scalar()
        .fetch_all(connection)
        .await
        .map_err(Error::database("reading changes"))?;
    let is_complete = (rows.len() as i64) < limit;
    let items: Vec<T> = rows.into_iter().map(|Json(row)| row).collect();
    let next = match items.last() {
        Some(last) if !is_complete => Mark { stream_seq: last.stream_seq(), id: last.id() },
        _ => after.max(Mark::behind(as_of_seq)),
    };
    Ok(Changes { items, next, is_complete, as_of_seq })
}
