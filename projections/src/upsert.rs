//! Rows → tables: one statement for all that changes, whatever the number of rows.

use kantoku_domain::{Recorded, Timestamp};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, types::time::OffsetDateTime};
use uuid::Uuid;

use crate::{
    Error,
    checkpoint::CHANNEL,
    document::{PauseDocument, Record, Versioned},
    rows::{Rows, Table, Versions},
};

/// Records, the index of events and the checkpoint. Postgres delivers the notice with the commit,
/// not before.
const UPSERT: &str = "\
    WITH task AS ( \
        INSERT INTO tasks (id, updated_at, document) \
        SELECT id, updated_at, document::jsonb \
        FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[]) AS r (id, updated_at, document) \
        ON CONFLICT (id) DO UPDATE \
        SET updated_at = excluded.updated_at, document = excluded.document \
    ), context AS ( \
        INSERT INTO contexts (id, updated_at, document) \
        SELECT id, updated_at, document::jsonb \
        FROM UNNEST($4::uuid[], $5::timestamptz[], $6::text[]) AS r (id, updated_at, document) \
        ON CONFLICT (id) DO UPDATE \
        SET updated_at = excluded.updated_at, document = excluded.document \
    ), resource AS ( \
        INSERT INTO resources (id, updated_at, document) \
        SELECT id, updated_at, document::jsonb \
        FROM UNNEST($7::uuid[], $8::timestamptz[], $9::text[]) AS r (id, updated_at, document) \
        ON CONFLICT (id) DO UPDATE \
        SET updated_at = excluded.updated_at, document = excluded.document \
    ), event AS ( \
        INSERT INTO events (stream_seq, namespace, aggregate, id, version, type, event_id, \
                            context_id, actor, at) \
        SELECT * FROM UNNEST($10::bigint[], $11::text[], $12::text[], $13::uuid[], $14::bigint[], \
                             $15::text[], $16::uuid[], $17::uuid[], $18::text[], \
                             $19::timestamptz[]) \
    ), moved AS ( \
        UPDATE checkpoint SET stream_seq = $20, event_id = $21, stream_created = $22 \
        RETURNING stream_seq \
    ) \
    SELECT pg_notify($23, current_schema() || ' ' || stream_seq) FROM moved";

/// Writes every changed row, the index of `events`, and the position of the `last` of them.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    mut rows: Rows,
    events: &[&Recorded],
    last: &Recorded,
    stream_created: Timestamp,
) -> Result<(), Error> {
    versions(connection, &mut rows.specifications).await?;
    versions(connection, &mut rows.types).await?;
    versions(connection, &mut rows.pipelines).await?;
    versions(connection, &mut rows.policies).await?;
    pauses(connection, &mut rows.pauses).await?;
    let tasks = Columns::of(&mut rows.tasks);
    let contexts = Columns::of(&mut rows.contexts);
    let resources = Columns::of(&mut rows.resources);
    let index = Index::of(events);
    let mut upsert = sqlx::query(UPSERT);
    for columns in [tasks, contexts, resources] {
        upsert = upsert.bind(columns.ids).bind(columns.times).bind(columns.documents);
    }
    upsert
        .bind(index.positions)
        .bind(index.namespaces)
        .bind(index.aggregates)
        .bind(index.ids)
        .bind(index.versions)
        .bind(index.types)
        .bind(index.event_ids)
        .bind(index.contexts)
        .bind(index.actors)
        .bind(index.times)
        .bind(last.stream_seq as i64)
        .bind(last.metadata.event_id.uuid())
        .bind(stream_created.to_offset())
        .bind(CHANNEL)
        .execute(connection)
        .await
        .map_err(Error::database("writing the rows of a batch"))?;
    Ok(())
}

/// The changed rows of a table of records.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    times: Vec<OffsetDateTime>,
    documents: Vec<String>,
}

impl Columns {
    /// A row is dropped when its text is made: both of all of them take much memory.
    fn of<T: Record>(table: &mut Table<T>) -> Self {
        let mut columns = Self::default();
        while let Some((id, row)) = table.take_changed() {
            columns.ids.push(id.uuid());
            columns.times.push(row.updated_at().to_offset());
            columns.documents.push(json(&row));
        }
        columns
    }
}

/// The index of a batch.
#[derive(Default)]
struct Index<'a> {
    positions: Vec<i64>,
    namespaces: Vec<&'a str>,
    aggregates: Vec<&'a str>,
    ids: Vec<Uuid>,
    versions: Vec<i64>,
    types: Vec<&'a str>,
    event_ids: Vec<Uuid>,
    contexts: Vec<Uuid>,
    actors: Vec<String>,
    times: Vec<OffsetDateTime>,
}

impl<'a> Index<'a> {
    fn of(events: &[&'a Recorded]) -> Self {
        let mut index = Self::default();
        for event in events {
            index.positions.push(event.stream_seq as i64);
            index.namespaces.push(event.namespace.as_str());
            index.aggregates.push(event.aggregate.name());
            index.ids.push(event.id.uuid());
            index.versions.push(event.version as i64);
            index.types.push(event.event.name());
            index.event_ids.push(event.metadata.event_id.uuid());
            index.contexts.push(event.metadata.correlation_id.uuid());
            index.actors.push(storable(&event.metadata.actor));
            index.times.push(event.metadata.at.to_offset());
        }
        index
    }
}

async fn versions<T: Versioned>(
    connection: &mut PgConnection,
    table: &mut Versions<T>,
) -> Result<(), Error> {
    let mut ids = Vec::new();
    let mut numbers = Vec::new();
    let mut documents = Vec::new();
    while let Some(((id, version), row)) = table.take_changed() {
        ids.push(id.uuid());
        numbers.push(version as i64);
        documents.push(json(&row));
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (id, version, document) \
         SELECT id, version, document::jsonb \
         FROM UNNEST($1::uuid[], $2::bigint[], $3::text[]) AS r (id, version, document) \
         ON CONFLICT (id, version) DO UPDATE SET document = excluded.document",
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

async fn pauses(
    connection: &mut PgConnection,
    table: &mut Table<PauseDocument>,
) -> Result<(), Error> {
    let (mut ids, mut documents) = (Vec::new(), Vec::new());
    while let Some((id, row)) = table.take_changed() {
        ids.push(id.uuid());
        documents.push(json(&row));
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO pauses (id, document) \
         SELECT id, document::jsonb FROM UNNEST($1::uuid[], $2::text[]) AS r (id, document) \
         ON CONFLICT (id) DO UPDATE SET document = excluded.document",
    )
    .bind(ids)
    .bind(documents)
    .execute(connection)
    .await
    .map_err(Error::database("writing pauses"))?;
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
