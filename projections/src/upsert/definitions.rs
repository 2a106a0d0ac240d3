//! Rows that are more than one version of something, and pauses: few, and seldom written.

use sqlx::{AssertSqlSafe, PgConnection};

use super::text::json;
use crate::{
    Error,
    document::{PauseDocument, Versioned},
    rows::{Rows, Table, Versions},
};

/// Writes all of these that have changed.
pub(super) async fn upsert(connection: &mut PgConnection, rows: &mut Rows) -> Result<(), Error> {
    versions(connection, &mut rows.specifications).await?;
    versions(connection, &mut rows.types).await?;
    versions(connection, &mut rows.pipelines).await?;
    versions(connection, &mut rows.policies).await?;
    pauses(connection, &mut rows.pauses).await
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
