//! A schema of a database: opened, made, migrated, dropped.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection as _, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Error, dialer::Dialer, transaction::Transaction};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Serialises the making of schemas, as `CREATE SCHEMA IF NOT EXISTS` is not safe against itself.
const SCHEMA_LOCK: i64 = 0x006b_746b_5f73_6368;

/// How long a query waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A pool of connections whose `search_path` is one schema with the tables of this build.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    schema: String,
    dialer: Arc<Dialer>,
}

/// Without the options of the connections, which may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Database {
    /// The schema that is live unless configured otherwise.
    pub const SCHEMA: &'static str = "ktk";

    /// Connects to `url`, makes `schema` if it is missing and migrates it. At most
    /// `connections_max` connections are held; a [`Reader`](crate::Reader) keeps one of them.
    pub async fn open(url: &str, schema: &str, connections_max: u32) -> Result<Self, Error> {
        check_schema(schema)?;
        // The cause may quote the URL.
        let options = PgConnectOptions::from_str(url).map_err(|_| Error::Url)?;
        Self::connect(options, schema.to_owned(), connections_max).await
    }

    /// Opens the schema of this name beside this one.
    pub(crate) async fn beside(&self, schema: &str, connections_max: u32) -> Result<Self, Error> {
        let options = self.pool.connect_options().as_ref().clone();
        Self::connect(options, schema.to_owned(), connections_max).await
    }

    async fn connect(
        options: PgConnectOptions,
        schema: String,
        connections_max: u32,
    ) -> Result<Self, Error> {
        let options = options.application_name("kantoku").options([
            ("search_path", schema.as_str()),
            ("TimeZone", "UTC"),
            // What a crash of Postgres loses is made again from the stream, checkpoint included.
            ("synchronous_commit", "off"),
            // Statements are short and planned once; compiling them anew each time takes far longer.
            ("jit", "off"),
        ]);
        let dialer = Arc::new(Dialer::default());
        dialer.dial(&options).await?;
        let pool = PgPoolOptions::new()
            .max_connections(connections_max.max(2))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(Error::database("connecting"))?;
        let database = Self { pool, schema, dialer };
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

    /// Makes sure that there is somebody to dial, before a pool dials without end: an error where
    /// there is not, or was not a moment ago.
    pub(crate) async fn dial(&self) -> Result<(), Error> {
        self.dialer.dial(&self.pool.connect_options()).await
    }

    /// A connection that is at hand and works or, if one can be had, a new one.
    pub(crate) async fn acquire(
        &self,
        doing: &'static str,
    ) -> Result<PoolConnection<Postgres>, Error> {
        while let Some(mut connection) = self.pool.try_acquire() {
            if connection.ping().await.is_ok() {
                return Ok(connection);
            }
            drop(connection.detach());
        }
        // While all are in use, one will be given back.
        if self.pool.size() < self.pool.options().get_max_connections() {
            self.dial().await?;
        }
        self.pool.acquire().await.map_err(Error::database(doing))
    }

    /// Begins a transaction by `sql`, on a connection that is at hand or, if one can be had, a new one.
    pub(crate) async fn begin(
        &self,
        sql: &'static str,
        doing: &'static str,
    ) -> Result<Transaction, Error> {
        // Those that are broken are found out so, each once.
        for _ in 0..=self.pool.size() {
            let Some(connection) = self.pool.try_acquire() else { break };
            match Transaction::begin_on(connection, sql).await {
                Ok(begun) => return Ok(begun),
                Err(error) if is_lost(&error) => {
                    tracing::debug!(%error, "a connection to Postgres was lost");
                }
                Err(error) => return Err(Error::database(doing)(error)),
            }
        }
        // While all are in use, one will be given back.
        if self.pool.size() < self.pool.options().get_max_connections() {
            self.dial().await?;
        }
        Transaction::begin(&self.pool, sql).await.map_err(Error::database(doing))
    }

    /// Closes all connections; returns when they are closed.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Drops the schema of this name, if there is one.
    pub(crate) async fn drop_beside(&self, schema: &str) -> Result<(), Error> {
        debug_assert_ne!(schema, self.schema);
        sqlx::query(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE")))
            .execute(&self.pool)
            .await
            .map_err(Error::database("dropping a schema"))?;
        Ok(())
    }
}

/// Whether it is the connection that is no good: it broke, or the server took leave (class 57P).
fn is_lost(error: &sqlx::Error) -> bool {
    let Some(said) = error.as_database_error() else { return true };
    said.code().is_some_and(|code| code.starts_with("57P"))
}

/// Names stand in SQL as they are, so they are plain; and short, as longer ones are made of them.
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
