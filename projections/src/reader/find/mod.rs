//! Records that a filter of the query language is about: lists in any order, ids, values, numbers.

mod cursor;
mod related;
mod sort;
mod split;
mod values;

use futures::TryStreamExt as _;
use kantoku_domain::{Id, Namespace};
use kantoku_streams::now;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row as _, Transaction};
use uuid::Uuid;

use self::cursor::Place;
use super::{
    Page, Query, Reader, check_limit,
    list::{self, Besides},
};
use crate::{
    Error,
    document::{Record, TaskDocument},
    query::{self, Condition, Known},
};

pub(super) use split::split;

pub use sort::Sort;
pub use values::{Distinct, Values};

/// A snapshot in which no statement takes longer than [`STATEMENT_SECONDS_MAX`].
const BEGIN_BOUNDED_QUERY: &str = "\
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '5s'";
/// How long one statement of such a query may take.
const STATEMENT_SECONDS_MAX: u32 = 5;
/// How many records may be passed over.
pub const SKIP_MAX: u32 = 10_000;
/// How many ids one answer may have.
pub const IDS_MAX: u32 = 100_000;

const DOING: &str = "finding records";

/// What is looked for, and which part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Find {
    /// Whose; `None` for all namespaces.
    pub namespace: Option<Namespace>,
    /// What the records must be.
    pub condition: Condition,
    /// In which order.
    pub sort: Sort,
    /// How many are passed over before the first page, up to [`SKIP_MAX`].
    pub skip: u32,
    /// How many, 1 to [`LIMIT_MAX`](super::LIMIT_MAX).
    pub limit: u32,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Default for Find {
    /// All, last changed first.
    fn default() -> Self {
        Self {
            namespace: None,
            condition: Condition::always(),
            sort: Sort::default(),
            skip: 0,
            limit: super::LIMIT_MAX,
            cursor: None,
        }
    }
}

/// A snapshot to find records in, and what their condition is judged by.
pub(super) struct Asked {
    pub(super) tx: Transaction<'static, Postgres>,
    pub(super) known: Known,
    pub(super) as_of_seq: u64,
}

impl Reader {
    /// Tasks, with the status of their dependencies.
    pub async fn find_tasks(&self, find: &Find) -> Result<Page<TaskDocument>, Error> {
        let (mut tx, as_of_seq) = self.snapshot_by(BEGIN_BOUNDED_QUERY).await?;
        let (mut items, next_cursor) = page(&mut tx, find).await.map_err(too_slow)?;
        super::dependencies::complete(&mut tx, &mut items).await.map_err(too_slow)?;
        Ok(Page { items, next_cursor, as_of_seq })
    }

    /// Records as they are stored.
    pub async fn find<T: Record>(&self, find: &Find) -> Result<Page<T>, Error> {
        let (mut tx, as_of_seq) = self.snapshot_by(BEGIN_BOUNDED_QUERY).await?;
        let (items, next_cursor) = page(&mut tx, find).await.map_err(too_slow)?;
        Ok(Page { items, next_cursor, as_of_seq })
    }

    /// The ids of records, in the order of ids, at most [`IDS_MAX`] of them; an error if there are
    /// more. And the position that this is as of.
    pub async fn find_ids<T: Record>(
        &self,
        namespace: Option<&Namespace>,
        condition: &Condition,
    ) -> Result<(Vec<Id>, u64), Error> {
        let Asked { mut tx, known, as_of_seq } = self.ask(condition).await?;
        let mut sql = QueryBuilder::new(format!("SELECT id FROM {}", T::TABLE));
        push_where(&mut sql, namespace, condition, &known);
        sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(IDS_MAX) + 1);
        let ids: Vec<Uuid> = sql.build_query_scalar().fetch_all(&mut *tx).await.map_err(failed)?;
        if ids.len() > IDS_MAX as usize {
            let mut sql = QueryBuilder::new(format!("SELECT count(*) FROM {}", T::TABLE));
            push_where(&mut sql, namespace, condition, &known);
            let count: i64 = sql.build_query_scalar().fetch_one(&mut *tx).await.map_err(failed)?;
            let message = format!(
                "it is about {count} records, more than {IDS_MAX}: ask for less at once, e.g. a time"
            );
            return Err(invalid("filter", message));
        }
        Ok((ids.into_iter().map(Id::from_uuid).collect(), as_of_seq))
    }

    /// Begins a query for what `condition` is about.
    pub(super) async fn ask(&self, condition: &Condition) -> Result<Asked, Error> {
        let (mut tx, as_of_seq) = self.snapshot_by(BEGIN_BOUNDED_QUERY).await?;
        let known = related::known(&mut tx, condition, now()).await.map_err(too_slow)?;
        Ok(Asked { tx, known, as_of_seq })
    }
}

async fn page<T: Record>(
    connection: &mut PgConnection,
    find: &Find,
) -> Result<(Vec<T>, Option<String>), Error> {
    if find.skip > SKIP_MAX {
        return Err(invalid("skip", format!("{} is more than {SKIP_MAX}", find.skip)));
    }
    let digest = cursor::digest::<T>(find);
    let place = find.cursor.as_deref().map(|cursor| Place::parse(cursor, &digest)).transpose()?;
    let began = place.as_ref().map_or_else(now, |place| place.now);
    let known = related::known(connection, &find.condition, began).await?;
    let skip = if place.is_none() { find.skip } else { 0 };
    let (items, next) = match &find.sort {
        sort if sort.is_of_change() => by_change(connection, find, place, skip, &known).await?,
        _ => in_order(connection, find, place, skip, &known).await?,
    };
    let next = next.map(|(id, key)| Place { now: began, id, key }.write(&digest));
    Ok((items, next))
}

/// The page, and the id and the key of its last record if there is another.
type Part<T> = (Vec<T>, Option<(Id, String)>);

/// By time of change: as lists with nothing but equality are read, with whatever else is asked.
async fn by_change<T: Record>(
    connection: &mut PgConnection,
    find: &Find,
    place: Option<Place>,
    skip: u32,
    known: &Known,
) -> Result<Part<T>, Error> {
    let (filter, rest) = split(find.namespace.as_ref(), &find.condition);
    let query = Query {
        filter,
        ascending: !find.sort.descending,
        limit: find.limit,
        cursor: place.map(|place| format!("{}_{}", place.key, place.id.uuid().simple())),
    };
    let condition = (rest != Condition::always()).then_some((&rest, known));
    let (items, next) = list::page::<T>(connection, &query, &Besides { condition, skip }).await?;
    let last = items.last().map(|last: &T| (last.id(), last.updated_at().micros().to_string()));
    Ok((items, next.and(last)))
}

/// In any other order: all that match are read and sorted, unless the time is up before.
async fn in_order<T: Record>(
    connection: &mut PgConnection,
    find: &Find,
    place: Option<Place>,
    skip: u32,
    known: &Known,
) -> Result<Part<T>, Error> {
    let limit = check_limit(find.limit)?;
    let (compare, order) = if find.sort.descending { ("<", "DESC") } else { (">", "ASC") };
    let mut sql =
        QueryBuilder::new("SELECT id, document, key::text AS key FROM (SELECT id, document, ");
    find.sort.push_key(&mut sql);
    sql.push(format!(" AS key FROM {}", T::TABLE));
    push_where(&mut sql, find.namespace.as_ref(), &find.condition, known);
    sql.push(") found");
    if let Some(place) = place {
        sql.push(format!(" WHERE (key, id) {compare} ("));
        find.sort.push_value(&mut sql, &place.key)?;
        sql.push(", ").push_bind(place.id.uuid()).push(")");
    }
    // One more than asked for tells whether there is a next page.
    sql.push(format!(" ORDER BY found.key {order}, id {order} LIMIT ")).push_bind(limit + 1);
    sql.push(" OFFSET ").push_bind(i64::from(skip));

    let mut rows = sql.build().fetch(connection);
    let (mut items, mut bytes, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.try_next().await.map_err(Error::database(DOING))? {
        if items.len() == limit as usize || bytes >= list::PAGE_BYTES_MAX {
            return Ok((items, last));
        }
        let (item, length) = list::document::<T>(&row).map_err(Error::database(DOING))?;
        last = Some((item.id(), row.try_get("key").map_err(Error::database(DOING))?));
        items.push(item);
        bytes += length;
    }
    Ok((items, None))
}

fn push_where(
    sql: &mut QueryBuilder<Postgres>,
    namespace: Option<&Namespace>,
    condition: &Condition,
    known: &Known,
) {
    sql.push(" WHERE ");
    if let Some(namespace) = namespace {
        sql.push("namespace = ").push_bind(namespace.as_str().to_owned()).push(" AND ");
    }
    query::sql::push(sql, condition, known);
}

fn invalid(field: &'static str, message: impl Into<String>) -> Error {
    Error::Query { field, message: message.into() }
}

/// Says what came of a query that began by [`Reader::ask`].
pub(super) fn failed(error: sqlx::Error) -> Error {
    too_slow(Error::database(DOING)(error))
}

/// Says what to do about a query that was stopped as it took too long.
fn too_slow(error: Error) -> Error {
    const QUERY_CANCELED: &str = "57014";
    let Error::Database { source, .. } = &error else { return error };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() != Some(QUERY_CANCELED) {
        return error;
    }
    let message = format!(
        "it took longer than {STATEMENT_SECONDS_MAX} s to find what it is about; ask for less: one \
         namespace, a status, a specification, a label"
    );
    invalid("filter", message)
}
