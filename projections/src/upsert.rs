//! Rows → tables: one statement per table, whatever the number of rows.

use kantoku_domain::{Id, Recorded};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, types::time::OffsetDateTime};
use uuid::Uuid;

use crate::{
    Error,
    document::{Record, Versioned},
    rows::{Rows, Table},
};

/// Writes every changed row, and the index of `events`.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    rows: &Rows,
    events: &[Recorded],
) -> Result<(), Error> {
    records(connection, &rows.tasks).await?;
    records(connection, &rows.contexts).await?;
    records(connection, &rows.resources).await?;
    versions(connection, rows.specifications.iter().map(|row| (row.id, row.version, row))).await?;
    versions(connection, rows.types.iter().map(|row| (row.id, row.version, row))).await?;
    versions(connection, rows.pipelines.iter().map(|row| (row.id, row.version, row))).await?;
    index(connection, events).await
}

async fn records<T: Record>(connection: &mut PgConnection, table: &Table<T>) -> Result<(), Error> {
    let mut ids = Vec::new();
    let mut times = Vec::new();
    let mut documents = Vec::new();
    for (id, row) in table.changed() {
        ids.push(id.uuid());
        times.push(row.updated_at().to_offset());
        documents.push(json(row));
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (id, updated_at, document) \
         SELECT id, updated_at, document::jsonb \
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[]) AS r (id, updated_at, document) \
         ON CONFLICT (id) DO UPDATE \
         SET updated_at = excluded.updated_at, document = excluded.document",
        T::TABLE
    )))
    .bind(ids)
    .bind(times)
    .bind(documents)
    .execute(connection)
    .await
    .map_err(Error::database("writing rows"))?;
    Ok(())
}

async fn versions<'a, T: Versioned>(
    connection: &mut PgConnection,
    rows: impl Iterator<Item = (Id, u64, &'a T)>,
) -> Result<(), Error> {
    let mut ids = Vec::new();
    let mut numbers = Vec::new();
    let mut documents = Vec::new();
    for (id, version, row) in rows {
        ids.push(id.uuid());
        numbers.push(version as i64);
        documents.push(json(row));
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (id, version, document) \
         SELECT id, version, document::jsonb \
         FROM UNNEST($1::uuid[], $2::bigint[], $3::text[]) AS r (id, version, document) \
         ON CONFLICT (id, version) DO NOTHING",
        T::TABLE
    )))
    .bind(ids)
    .bind(numbers)
    .bind(documents)
    .execute(connection)
    .await
    .map_err(Error::database("writing definitions"))?;
    Ok(())
}

async fn index(connection: &mut PgConnection, events: &[Recorded]) -> Result<(), Error> {
    let positions: Vec<i64> = events.iter().map(|event| event.stream_seq as i64).collect();
    let namespaces: Vec<&str> = events.iter().map(|event| event.namespace.as_str()).collect();
    let aggregates: Vec<&str> = events.iter().map(|event| event.aggregate.name()).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id.uuid()).collect();
    let versions: Vec<i64> = events.iter().map(|event| event.version as i64).collect();
    let types: Vec<&str> = events.iter().map(|event| event.event.name()).collect();
    let event_ids: Vec<Uuid> = events.iter().map(|event| event.metadata.event_id.uuid()).collect();
    let contexts: Vec<Uuid> =
        events.iter().map(|event| event.metadata.correlation_id.uuid()).collect();
    let actors: Vec<String> = events.iter().map(|event| storable(&event.metadata.actor)).collect();
    let times: Vec<OffsetDateTime> =
        events.iter().map(|event| event.metadata.at.to_offset()).collect();
    sqlx::query(
        "INSERT INTO events (stream_seq, namespace, aggregate, id, version, type, event_id, \
                             context_id, actor, at) \
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], \
                              $6::text[], $7::uuid[], $8::uuid[], $9::text[], $10::timestamptz[])",
    )
    .bind(positions)
    .bind(namespaces)
    .bind(aggregates)
    .bind(ids)
    .bind(versions)
    .bind(types)
    .bind(event_ids)
    .bind(contexts)
    .bind(actors)
    .bind(times)
    .execute(connection)
    .await
    .map_err(Error::database("writing the index of events"))?;
    Ok(())
}

/// A document as text. Postgres stores no NUL characters in text or jsonb, and an event must not
/// stop a projection for good: they become U+FFFD here. The event keeps them.
fn json<T: Serialize>(row: &T) -> String {
    let text = serde_json::to_string(row).expect("documents have only text as keys");
    if !text.contains("\\u0000") {
        return text;
    }
    let mut value = serde_json::from_str(&text).expect("the text was just made");
    replace_nul(&mut value);
    value.to_string()
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) => *text = storable(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(map) => {
            let entries = std::mem::take(map);
            map.extend(entries.into_iter().map(|(key, mut value)| {
                replace_nul(&mut value);
                (storable(&key), value)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_postgres_refuses_are_replaced() {
        let row = serde_json::json!({"a\0": ["b\0", 1, {"c": "\\u0000"}]});
        assert_eq!(json(&row), r#"{"a�":["b�",1,{"c":"\\u0000"}]}"#);
    }
}
