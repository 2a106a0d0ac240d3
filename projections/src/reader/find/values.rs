//! How many records there are, and which values a field has among them.

use std::collections::BTreeMap;

use kantoku_domain::Namespace;
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};

use super::{Asked, check_limit, failed, push_where, split};
use crate::{
    Error,
    document::Record,
    query::{Condition, Field, Kind},
    reader::{Reader, count},
};

/// The values of a field, each with the number of records that have it; those with most first. Null
/// stands for those that have none.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// The values.
    pub values: Vec<(Value, u64)>,
    /// Whether these are all of them.
    pub is_complete: bool,
    /// The position that they are as of.
    pub as_of_seq: u64,
}

/// The values of a field, in their order, null not among them.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    /// The values.
    pub values: Vec<Value>,
    /// Whether these are all of them.
    pub is_complete: bool,
    /// The position that they are as of.
    pub as_of_seq: u64,
}

/// A value, and how many have it.
type Counted = (Option<Json<Value>>, i64);

impl Reader {
    /// How many records are so by status, as [`Reader::count`] has it, and the position that this is
    /// as of.
    pub async fn count_found<T: Record>(
        &self,
        namespace: Option<&Namespace>,
        condition: &Condition,
    ) -> Result<(BTreeMap<String, u64>, u64), Error> {
        let (filter, rest) = split(namespace, condition);
        if rest == Condition::always() {
            return self.count::<T>(&filter).await;
        }
        let Asked { mut tx, known, as_of_seq } = self.ask(condition).await?;
        let key = count::key::<T>();
        let mut sql = QueryBuilder::new(format!("SELECT {key}, count(*) FROM {}", T::TABLE));
        push_where(&mut sql, namespace, condition, &known);
        sql.push(" GROUP BY 1");
        let counts: Vec<(String, i64)> =
            sql.build_query_as().fetch_all(&mut *tx).await.map_err(failed)?;
        Ok((counts.into_iter().map(|(key, count)| (key, count as u64)).collect(), as_of_seq))
    }

    /// How many records there are for each value of a field.
    pub async fn count_by<T: Record>(
        &self,
        field: &Field,
        namespace: Option<&Namespace>,
        condition: &Condition,
        limit: u32,
    ) -> Result<Values, Error> {
        let limit = check_limit(limit)?;
        let Asked { mut tx, known, as_of_seq } = self.ask(condition).await?;
        let mut sql = QueryBuilder::new("SELECT value, count(*) FROM (");
        push_values::<T>(&mut sql, field);
        push_where(&mut sql, namespace, condition, &known);
        sql.push(") found GROUP BY value ORDER BY 2 DESC, value LIMIT ").push_bind(limit + 1);
        let mut rows: Vec<Counted> =
            sql.build_query_as().fetch_all(&mut *tx).await.map_err(failed)?;
        let is_complete = cut(&mut rows, limit);
        let value = |value: Option<Json<Value>>| value.map_or(Value::Null, |Json(value)| value);
        let values = rows.into_iter().map(|(found, count)| (value(found), count as u64));
        Ok(Values { values: values.collect(), is_complete, as_of_seq })
    }

    /// The values that a field has.
    pub async fn distinct<T: Record>(
        &self,
        field: &Field,
        namespace: Option<&Namespace>,
        condition: &Condition,
        limit: u32,
    ) -> Result<Distinct, Error> {
        let limit = check_limit(limit)?;
        let Asked { mut tx, known, as_of_seq } = self.ask(condition).await?;
        let mut sql = QueryBuilder::new("SELECT DISTINCT value FROM (");
        push_values::<T>(&mut sql, field);
        push_where(&mut sql, namespace, condition, &known);
        sql.push(") found WHERE value IS NOT NULL ORDER BY value LIMIT ").push_bind(limit + 1);
        let mut rows: Vec<Json<Value>> =
            sql.build_query_scalar().fetch_all(&mut *tx).await.map_err(failed)?;
        let is_complete = cut(&mut rows, limit);
        let values = rows.into_iter().map(|Json(value)| value).collect();
        Ok(Distinct { values, is_complete, as_of_seq })
    }
}

/// What each record has in the field, as JSON; NULL for null. What records is to follow.
fn push_values<T: Record>(sql: &mut QueryBuilder<Postgres>, field: &Field) {
    sql.push("SELECT ");
    match field.column.filter(|_| !field.is_label && field.kind != Kind::Time) {
        Some(column) => sql.push("to_jsonb(").push(column).push(")"),
        None => {
            sql.push("NULLIF(document #> ").push_bind(field.path.clone()).push(", 'null'::jsonb)")
        }
    };
    sql.push(format!(" AS value FROM {}", T::TABLE));
}

/// Leaves `limit` of the rows, of which one more was asked for; whether these are all.
fn cut<T>(rows: &mut Vec<T>, limit: i64) -> bool {
    let is_complete = rows.len() as i64 <= limit;
    rows.truncate(limit as usize);
    is_complete
}
