//! Tables compared by digest.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    Database, Error,
    checkpoint::{self, Checkpoint},
};

/// Digests by table, and the position that they are as of.
pub type Digests = (Checkpoint, BTreeMap<String, String>);

impl Database {
    /// A digest per table over all its rows, whatever their order: equal digests mean equal rows.
    /// Only the record of migrations is left out. All are as of one position.
    pub async fn digests(&self) -> Result<Digests, Error> {
        let doing = "comparing tables";
        let mut tx = self
            .pool()
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(Error::database(doing))?;
        let checkpoint = checkpoint::read(&mut tx).await?;
        let tables = tables(&mut tx).await?;
        let mut digests = BTreeMap::new();
        for table in tables {
            let digest = digest(&mut tx, &table).await?;
            digests.insert(table, digest);
        }
        tx.commit().await.map_err(Error::database(doing))?;
        Ok((checkpoint, digests))
    }

    /// The tables of this schema, but for the record of migrations.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, Error> {
        let doing = "listing tables";
        let mut connection = self.pool().acquire().await.map_err(Error::database(doing))?;
        tables(&mut connection).await
    }
}

async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables \
         WHERE schemaname = current_schema() AND tablename <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .map_err(Error::database("listing tables"))
}

/// The number of rows and the sum of their digests: no sorting, however long the table is.
async fn digest(connection: &mut PgConnection, table: &str) -> Result<String, Error> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT count(*) || ':' || \
                coalesce(sum(('x' || left(row, 16))::bit(64)::bigint), 0) || ':' || \
                coalesce(sum(('x' || right(row, 16))::bit(64)::bigint), 0) \
         FROM (SELECT md5(t::text) AS row FROM \"{table}\" t OFFSET 0) rows"
    )))
    .fetch_one(connection)
    .await
    .map_err(Error::database("comparing tables"))
}
