//! The index of events.

use kantoku_domain::{Event, Id, Namespace, Timestamp};
use sqlx::{Postgres, QueryBuilder, Row, postgres::PgRow, types::time::OffsetDateTime};
use uuid::Uuid;

use super::{
    LIMIT_MAX, Page, Reader, bad_cursor, check_limit,
    find::{Asked, failed},
};
use crate::{
    Error,
    document::EventDocument,
    query::{self, Condition, Known},
};

/// Which events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventQuery {
    /// Whose; `None` for all namespaces.
    pub namespace: Option<Namespace>,
    /// Of which aggregate.
    pub id: Option<Id>,
    /// Of which context.
    pub context_id: Option<Id>,
    /// Of which type, e.g. `TaskFinished`.
    pub type_: Option<String>,
    /// What they must be besides.
    pub condition: Condition,
    /// Only those at higher positions.
    pub after_seq: u64,
    /// Only those up to this position.
    pub until_seq: Option<u64>,
    /// How many, 1 to [`LIMIT_MAX`](super::LIMIT_MAX).
    pub limit: u32,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

const COLUMNS: &str =
    "stream_seq, namespace, aggregate, id, version, type, event_id, context_id, actor, at";

impl Default for EventQuery {
    /// As many as a page may have, from the first on.
    fn default() -> Self {
        Self {
            namespace: None,
            id: None,
            context_id: None,
            type_: None,
            condition: Condition::always(),
            after_seq: 0,
            until_seq: None,
            limit: LIMIT_MAX,
            cursor: None,
        }
    }
}

impl Reader {
    /// Events in the order of the stream.
    pub async fn events(&self, query: &EventQuery) -> Result<Page<EventDocument>, Error> {
        let limit = check_limit(query.limit)?;
        let cursor = query.cursor.as_ref().map(|cursor| cursor.parse::<u64>()).transpose();
        let cursor = cursor.map_err(|_| bad_cursor())?.unwrap_or(0);
        let after = i64::try_from(query.after_seq.max(cursor)).unwrap_or(i64::MAX);
        let Asked { mut tx, known, as_of_seq } = self.ask(&query.condition).await?;
        let mut sql = QueryBuilder::<Postgres>::default();
        push_query(&mut sql, query, &known, after, limit + 1);
        let doing = "reading the index of events";
        let rows = sql.build().fetch_all(&mut *tx).await.map_err(failed)?;
        let more = rows.len() > limit as usize;
        let items: Vec<EventDocument> = rows
            .iter()
            .take(limit as usize)
            .map(document)
            .collect::<Result<_, _>>()
            .map_err(Error::database(doing))?;
        let next_cursor = items.last().filter(|_| more).map(|item| item.stream_seq.to_string());
        Ok(Page { items, next_cursor, as_of_seq })
    }
}

fn push_query(
    sql: &mut QueryBuilder<Postgres>,
    query: &EventQuery,
    known: &Known,
    after: i64,
    limit: i64,
) {
    // All events of a namespace lie in its index by type.
    let by_type = query.id.is_none() && query.context_id.is_none() && query.type_.is_none();
    let by_type = by_type && query.namespace.is_some();
    if by_type {
        let types: Vec<String> = Event::NAMES.iter().map(ToString::to_string).collect();
        sql.push("SELECT event.* FROM UNNEST(").push_bind(types);
        sql.push("::text[]) AS wanted (type), LATERAL (");
    }
    // Rows as documents, for conditions that are not about a column: the planner makes none otherwise.
    sql.push(format!("SELECT {COLUMNS} FROM ("));
    sql.push("SELECT *, to_jsonb(events) AS document FROM events) events");
    sql.push(" WHERE stream_seq > ").push_bind(after);
    if let Some(until) = query.until_seq {
        sql.push(" AND stream_seq <= ").push_bind(i64::try_from(until).unwrap_or(i64::MAX));
    }
    if let Some(namespace) = &query.namespace {
        sql.push(" AND namespace = ").push_bind(namespace.as_str().to_owned());
    }
    if let Some(id) = query.id {
        sql.push(" AND id = ").push_bind(id.uuid());
    }
    if let Some(id) = query.context_id {
        sql.push(" AND context_id = ").push_bind(id.uuid());
    }
    if let Some(type_) = &query.type_ {
        sql.push(" AND type = ").push_bind(type_.clone());
    }
    if by_type {
        sql.push(" AND type = wanted.type");
    }
    if query.condition != Condition::always() {
        sql.push(" AND ");
        query::sql::push(sql, &query.condition, known);
    }
    sql.push(" ORDER BY stream_seq LIMIT ").push_bind(limit);
    if by_type {
        sql.push(") event ORDER BY stream_seq LIMIT ").push_bind(limit);
    }
}

fn document(row: &PgRow) -> Result<EventDocument, sqlx::Error> {
    let id = |column: &str| row.try_get::<Uuid, _>(column).map(Id::from_uuid);
    Ok(EventDocument {
        stream_seq: row.try_get::<i64, _>("stream_seq")? as u64,
        namespace: row.try_get("namespace")?,
        aggregate: row.try_get("aggregate")?,
        id: id("id")?,
        version: row.try_get::<i64, _>("version")? as u64,
        type_: row.try_get("type")?,
        event_id: id("event_id")?,
        context_id: id("context_id")?,
        actor: row.try_get("actor")?,
        at: Timestamp::from(row.try_get::<OffsetDateTime, _>("at")?),
    })
}
