//! Lists of records: filtered by equality, ordered by time of change, page by page.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use kantoku_domain::{Id, Namespace, Timestamp};
use sqlx::{Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};

use super::{Page, Reader, bad_cursor, check_limit, places};
use crate::{
    Error,
    document::{Record, TaskDocument},
    query::{self, Condition, Known},
};

/// What a record must be. A field that the record does not have is refused, not ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose; `None` for all namespaces.
    pub namespace: Option<Namespace>,
    /// Its status.
    pub status: Option<String>,
    /// Its second status.
    pub sub_status: Option<String>,
    /// The context that it belongs to.
    pub context_id: Option<Id>,
    /// What it does.
    pub specification: Option<String>,
    /// What it runs.
    pub pipeline: Option<String>,
    /// The task that its chain of restarts began with; that task itself included.
    pub restart_root: Option<Id>,
    /// Whether it is paused itself.
    pub paused: Option<bool>,
    /// Labels that it must have, with these values.
    pub labels: BTreeMap<String, String>,
}

impl Filter {
    /// Whether `record` is so. What cannot be a filter of its kind matches nothing.
    pub fn matches<T: Record>(&self, record: &T) -> bool {
        let has = |column, wanted: Option<String>| {
            wanted.is_none_or(|wanted| record.column(column).is_some_and(|found| found == wanted))
        };
        let labels = |(key, value)| record.labels().and_then(|l| l.get(key)) == Some(value);
        self.namespace.as_ref().is_none_or(|namespace| namespace == record.namespace())
            && has("status", self.status.clone())
            && has("sub_status", self.sub_status.clone())
            && has("context_id", self.context_id.map(|id| id.to_string()))
            && has("specification", self.specification.clone())
            && has("pipeline", self.pipeline.clone())
            && has("restart_root", self.restart_root.map(|id| id.to_string()))
            && has("paused", self.paused.map(|paused| paused.to_string()))
            && self.labels.iter().all(labels)
    }

    /// What of `condition` it can say of the records of a namespace, or of all, and what is left of
    /// it. Both must hold.
    pub fn of(namespace: Option<&Namespace>, condition: &Condition) -> (Self, Condition) {
        super::find::split(namespace, condition)
    }

    /// The same without what changes in the life of a record.
    #[must_use]
    pub fn lasting(&self) -> Self {
        Self { status: None, sub_status: None, paused: None, ..self.clone() }
    }
}

/// Which part of which list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What the records must be.
    pub filter: Filter,
    /// Longest unchanged first, instead of last changed first.
    pub ascending: bool,
    /// How many, 1 to [`LIMIT_MAX`](super::LIMIT_MAX).
    pub limit: u32,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Reader {
    /// Tasks, with the status of their dependencies.
    pub async fn tasks(&self, query: &Query) -> Result<Page<TaskDocument>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let (mut items, next_cursor) = page(&mut tx, query, &Besides::default()).await?;
        super::dependencies::complete(&mut tx, &mut items).await?;
        Ok(Page { items, next_cursor, as_of_seq })
    }

    /// Contexts, resources, or tasks as they are stored (without the status of dependencies:
    /// enough for a tree or a graph of a context).
    pub async fn records<T: Record>(&self, query: &Query) -> Result<Page<T>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let (items, next_cursor) = page(&mut tx, query, &Besides::default()).await?;
        Ok(Page { items, next_cursor, as_of_seq })
    }
}

/// What is asked of a list besides its [`Query`].
#[derive(Default)]
pub(super) struct Besides<'a> {
    /// What else the records must be.
    pub(super) condition: Option<(&'a Condition, &'a Known)>,
    /// How many of them are passed over.
    pub(super) skip: u32,
}

pub(super) async fn page<T: Record>(
    connection: &mut sqlx::PgConnection,
    query: &Query,
    besides: &Besides<'_>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let limit = check_limit(query.limit)?;
    let (compare, order) = if query.ascending { (">", "ASC") } else { ("<", "DESC") };
    // One more than asked for tells whether there is a next page.
    let limit_and_one = limit + 1;
    let skip = i64::from(besides.skip);
    let in_places = places::are_asked::<T>(&query.filter);
    let mut sql = QueryBuilder::<Postgres>::default();
    if in_places {
        places::push_begin::<T>(&mut sql, &query.filter);
        push_filter::<T>(&mut sql, &places::rest::<T>(&query.filter))?;
        places::push_condition::<T>(&mut sql);
    } else {
        sql.push(format!("SELECT id, document FROM {}", T::TABLE));
        push_filter::<T>(&mut sql, &query.filter)?;
    }
    if let Some((condition, known)) = besides.condition {
        sql.push(" AND ");
        query::sql::push(&mut sql, condition, known);
    }
    if let Some(cursor) = &query.cursor {
        let (at, id) = parse_cursor(cursor).ok_or_else(bad_cursor)?;
        sql.push(format!(" AND (updated_at, id) {compare} ("));
        sql.push_bind(at.to_offset()).push(", ").push_bind(id.uuid()).push(")");
    }
    sql.push(format!(" ORDER BY updated_at {order}, id {order} LIMIT "));
    sql.push_bind(if in_places { limit_and_one + skip } else { limit_and_one });
    if in_places {
        places::push_end(&mut sql, order, limit_and_one);
    }
    if skip > 0 {
        sql.push(" OFFSET ").push_bind(skip);
    }
    let mut rows = sql.build().fetch(connection);
    let (mut items, mut bytes): (Vec<T>, usize) = (Vec::new(), 0);
    let mut next = None;
    while let Some(row) = rows.try_next().await.map_err(Error::database(DOING))? {
        if items.len() == limit as usize || bytes >= PAGE_BYTES_MAX {
            next = items.last().map(cursor);
            break;
        }
        let (item, length) = document(&row).map_err(Error::database(DOING))?;
        items.push(item);
        bytes += length;
    }
    Ok((items, next))
}

const DOING: &str = "reading a list";

/// How long the documents of one page are together, but for the last: a page may hold fewer than
/// were asked for.
pub(super) const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A document, and the length of its text.
pub(super) fn document<T: Record>(row: &PgRow) -> Result<(T, usize), sqlx::Error> {
    let length = row.try_get_raw("document")?.as_bytes().map_or(0, <[u8]>::len);
    let Json(item) = row.try_get("document")?;
    Ok((item, length))
}

fn cursor<T: Record>(last: &T) -> String {
    format!("{}_{}", last.updated_at().micros(), last.id().uuid().simple())
}

fn parse_cursor(cursor: &str) -> Option<(Timestamp, Id)> {
    let (micros, id) = cursor.split_once('_')?;
    Some((Timestamp::from_micros(micros.parse().ok()?), id.parse().ok()?))
}

pub(super) fn push_filter<T: Record>(
    sql: &mut QueryBuilder<Postgres>,
    filter: &Filter,
) -> Result<(), Error> {
    sql.push(" WHERE true");
    if let Some(namespace) = &filter.namespace {
        sql.push(" AND namespace = ").push_bind(namespace.as_str().to_owned());
    }
    let texts = [
        ("status", &filter.status),
        ("sub_status", &filter.sub_status),
        ("specification", &filter.specification),
        ("pipeline", &filter.pipeline),
    ];
    for (column, value) in texts {
        if let Some(value) = value {
            check_column::<T>(column)?;
            sql.push(format!(" AND {column} = ")).push_bind(value.clone());
        }
    }
    if let Some(id) = filter.context_id {
        check_column::<T>("context_id")?;
        sql.push(" AND context_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.restart_root {
        check_column::<T>("restart_root")?;
        sql.push(" AND (restart_root = ").push_bind(id.uuid());
        sql.push(" OR id = ").push_bind(id.uuid()).push(")");
    }
    if let Some(paused) = filter.paused {
        check_column::<T>("paused")?;
        // Not bound: so that the planner knows which it is.
        sql.push(if paused { " AND paused" } else { " AND NOT paused" });
    }
    if !filter.labels.is_empty() {
        check_column::<T>("labels")?;
        // Only those that have labels are in the index.
        sql.push(" AND labels <> '{}' AND labels @> ").push_bind(Json(filter.labels.clone()));
    }
    Ok(())
}

fn check_column<T: Record>(column: &'static str) -> Result<(), Error> {
    if T::COLUMNS.contains(&column) {
        return Ok(());
    }
    Err(Error::Query {
        field: column,
        message: format!("a {} is filtered by {}", T::KIND, T::COLUMNS.join(", ")),
    })
}
