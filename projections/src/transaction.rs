//! Transactions that begin with several statements in one round trip.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection, postgres::PgRow, raw_sql};

/// One that is dropped before it is committed takes its connection along: whoever got that next
/// would find itself in the middle of it. sqlx' own transactions miss a connection on which the
/// first statement began one and a later statement failed.
pub(crate) struct Transaction {
    connection: Option<PoolConnection<Postgres>>,
    first: Option<PgRow>,
}

impl Transaction {
    /// Carries out `statements`, the first of which is `BEGIN`.
    pub(crate) async fn begin(pool: &PgPool, statements: &'static str) -> sqlx::Result<Self> {
        Self::begin_on(pool.acquire().await?, statements).await
    }

    /// The same on a connection that is at hand.
    pub(crate) async fn begin_on(
        connection: PoolConnection<Postgres>,
        statements: &'static str,
    ) -> sqlx::Result<Self> {
        let mut transaction = Self { connection: Some(connection), first: None };
        transaction.first = raw_sql(statements).fetch_optional(&mut *transaction).await?;
        Ok(transaction)
    }

    /// The first row that the statements gave with which it began, once.
    pub(crate) fn take_first(&mut self) -> Option<PgRow> {
        self.first.take()
    }

    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        raw_sql("COMMIT").execute(&mut *self).await?;
        self.connection.take();
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect("it is there until it is committed")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect("it is there until it is committed")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}
