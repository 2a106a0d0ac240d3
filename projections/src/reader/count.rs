//! How many records there are.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Postgres, QueryBuilder, Row as _};

use super::{Filter, Reader, list::push_filter};
use crate::{
    Error,
    counts::{self, State},
    document::{Record, TaskDocument},
};

const DOING: &str = "counting";

impl Reader {
    /// How many records there are by status (`finished/ok` where there is a second one), and the
    /// position that this is as of.
    pub async fn count<T: Record>(
        &self,
        filter: &Filter,
    ) -> Result<(BTreeMap<String, u64>, u64), Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        if T::TABLE == TaskDocument::TABLE
            && let Some(known) = kept(&mut tx, filter).await?
        {
            return Ok((known, as_of_seq));
        }
        let key = key::<T>();
        let mut sql =
            QueryBuilder::<Postgres>::new(format!("SELECT {key}, count(*) FROM {}", T::TABLE));
        push_filter::<T>(&mut sql, filter)?;
        sql.push(" GROUP BY 1");
        let counts: Vec<(String, i64)> =
            sql.build_query_as().fetch_all(&mut *tx).await.map_err(Error::database(DOING))?;
        Ok((counts.into_iter().map(|(key, count)| (key, count as u64)).collect(), as_of_seq))
    }
}

/// What records are counted by.
pub(super) fn key<T: Record>() -> &'static str {
    if T::COLUMNS.contains(&"sub_status") { "concat_ws('/', status, sub_status)" } else { "status" }
}

/// From the counts that are kept, for filters that ask for nothing else than they are kept by. `None`:
/// it has to be counted.
async fn kept(
    connection: &mut PgConnection,
    filter: &Filter,
) -> Result<Option<BTreeMap<String, u64>>, Error> {
    let Filter { namespace, status, sub_status, specification, .. } = filter.clone();
    let by = Filter { namespace, status, sub_status, specification, ..Filter::default() };
    if by != *filter {
        return Ok(None);
    }
    let sums = counts::COLUMNS.map(|column| format!("COALESCE(sum({column}), 0)::bigint"));
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT {}", sums.join(", ")));
    sql.push(" FROM counts WHERE true");
    if let Some(namespace) = by.namespace {
        sql.push(" AND namespace = ").push_bind(namespace.as_str().to_owned());
    }
    if let Some(specification) = by.specification {
        sql.push(" AND specification = ").push_bind(specification);
    }
    let row = sql.build().fetch_one(connection).await.map_err(Error::database(DOING))?;
    let mut found = BTreeMap::new();
    for column in 0..counts::COLUMNS.len() {
        let count: i64 = row.try_get(column).map_err(Error::database(DOING))?;
        if count == 0 {
            continue;
        }
        let Some((status, sub_status)) = State::of_column(column) else { return Ok(None) };
        let is =
            |wanted: &Option<String>, found| wanted.as_deref().is_none_or(|it| Some(it) == found);
        if is(&by.status, Some(status)) && is(&by.sub_status, sub_status) {
            let key = sub_status.map_or_else(|| status.into(), |sub| format!("{status}/{sub}"));
            found.insert(key, count as u64);
        }
    }
    Ok(Some(found))
}
