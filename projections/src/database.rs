//! A schema of a database: made, migrated, compared, swapped.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::Error;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Serialises the making of schemas, as `CREATE SCHEMA IF NOT EXISTS` is not safe against itself.
const SCHEMA_LOCK: i64 = 0x006b_746b_5f73_6368;

/// How long a query waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A pool of connections whose `search_path` is one schema with the tables of this build.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    schema: String,
}

impl Database {
    /// The schema that is live unless configured otherwise.
    pub const SCHEMA: &'static str = "ktk";

    /// Connects to `url`, makes `schema` if it is missing and migrates it. At most
    /// `connections_max` connections are held; a [`Reader`](crate::Reader) keeps one of them.
    pub async fn open(url: &str, schema: &str, connections_max: u32) -> Result<Self, Error> {
        check_schema(schema)?;
        let options = PgConnectOptions::from_str(url)
            // The cause may quote the URL.
            .map_err(|_| Error::Url)?
            .application_name("kantoku")
            .options([("search_path", schema), ("TimeZone", "UTC")]);
        let pool = PgPoolOptions::new()
            .max_connections(connections_max.max(2))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(Error::database("connecting"))?;
        let database = Self { pool, schema: schema.to_owned() };
        database.migrate().await?;
        Ok(database)
    }

    async fn migrate(&self) -> Result<(), Error> {
        let doing = "making the schema";
        let mut tx = self.pool.begin().await.map_err(Error::database(doing))?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(SCHEMA_LOCK)
            .execute(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {}", self.schema)))
            .execute(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
        tx.commit().await.map_err(Error::database(doing))?;
        MIGRATIONS
            .run(&self.pool)
            .await
            .map_err(|source| Error::Migration { schema: self.schema.clone(), source })
    }

    /// The schema's name.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes all connections; returns when they are closed.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A digest per table of `schema` over all its rows, whatever their order: equal digests mean
    /// equal rows. Only the record of migrations is left out.
    pub async fn digests(&self, schema: &str) -> Result<BTreeMap<String, String>, Error> {
        check_schema(schema)?;
        let doing = "comparing tables";
        let mut tx = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(Error::database(doing))?;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT tablename::text FROM pg_tables \
             WHERE schemaname = $1 AND tablename <> '_sqlx_migrations' ORDER BY 1",
        )
        .bind(schema)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database(doing))?;
        let mut digests = BTreeMap::new();
        for table in tables {
            let digest = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT md5(coalesce(string_agg(row, '' ORDER BY row COLLATE \"C\"), '')) \
                 FROM (SELECT md5(t::text) AS row FROM {schema}.\"{table}\" t) rows"
            )))
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
            digests.insert(table, digest);
        }
        tx.commit().await.map_err(Error::database(doing))?;
        Ok(digests)
    }

    /// Puts the tables of `rebuilt` in the place of this schema's, in one transaction that waits
    /// for running batches; the old tables are under the name `rebuilt` afterwards. Refused while
    /// the rebuild is behind, so that no reader sees time run backwards.
    pub async fn swap(&self, rebuilt: &str) -> Result<(), Error> {
        check_schema(rebuilt)?;
        let doing = "swapping schemas";
        let live = &self.schema;
        let mut tx = self.pool.begin().await.map_err(Error::database(doing))?;
        let mut positions = [0_i64; 2];
        for (position, schema) in positions.iter_mut().zip([live.as_str(), rebuilt]) {
            *position = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT stream_seq FROM {schema}.checkpoint FOR UPDATE"
            )))
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database(doing))?;
        }
        if positions[1] < positions[0] {
            return Err(Error::Behind { rebuilt: positions[1] as u64, live: positions[0] as u64 });
        }
        let aside = format!("{live}_aside");
        for (from, to) in
            [(live.as_str(), aside.as_str()), (rebuilt, live.as_str()), (aside.as_str(), rebuilt)]
        {
            sqlx::query(AssertSqlSafe(format!("ALTER SCHEMA {from} RENAME TO {to}")))
                .execute(&mut *tx)
                .await
                .map_err(Error::database(doing))?;
        }
        tx.commit().await.map_err(Error::database(doing))
    }

    /// Drops `schema`, which must be another than this one: what a swap or a check left over.
    pub async fn drop_schema(&self, schema: &str) -> Result<(), Error> {
        check_schema(schema)?;
        if schema == self.schema {
            return Err(Error::Query {
                field: "schema",
                message: format!("{schema} is in use; name the one beside it"),
            });
        }
        sqlx::query(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE")))
            .execute(&self.pool)
            .await
            .map_err(Error::database("dropping a schema"))?;
        Ok(())
    }
}

/// Names stand in SQL as they are, so they are plain.
fn check_schema(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    if first && name.len() <= 48 && name.chars().all(plain) && !name.starts_with("pg_") {
        Ok(())
    } else {
        Err(Error::Schema(name.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_need_quotes_are_refused() {
        for good in ["ktk", "ktk_rebuild_2"] {
            assert!(check_schema(good).is_ok(), "{good}");
        }
        for bad in ["", "Ktk", "1a", "a b", "a;drop", "pg_x", "a\"b", &"a".repeat(49)] {
            assert!(check_schema(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_bad_url_is_not_repeated() {
        let error = Database::open("postgres://me:hunter2@host:notaport/x", "ktk", 2)
            .await
            .expect_err("no such port");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
