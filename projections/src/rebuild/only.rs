//! The right to rebuild a schema: one holder at a time, over all processes.

use sqlx::{Connection as _, PgConnection};

use crate::{Database, Error};

/// A lock that Postgres keeps for as long as this connection lives.
pub(super) struct Only {
    connection: PgConnection,
    key: String,
}

impl Only {
    /// [`Error::Busy`] when another holds it.
    pub(super) async fn take(live: &Database) -> Result<Self, Error> {
        let doing = "asking whether another rebuild runs";
        let key = format!("ktk rebuild {}", live.schema());
        let mut connection = PgConnection::connect_with(&live.pool().connect_options())
            .await
            .map_err(Error::database(doing))?;
        let is_free: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
                .bind(&key)
                .fetch_one(&mut connection)
                .await
                .map_err(Error::database(doing))?;
        if is_free {
            Ok(Self { connection, key })
        } else {
            Err(Error::Busy { schema: live.schema().to_owned() })
        }
    }

    /// Lets the next one have it at once. Where this fails the connection is lost, and the lock
    /// with it.
    pub(super) async fn release(mut self) {
        let unlocked = sqlx::query("SELECT pg_advisory_unlock(hashtextextended($1, 0))")
            .bind(&self.key)
            .execute(&mut self.connection)
            .await;
        if let Err(error) = unlocked {
            tracing::debug!(%error, "the right to rebuild was lost before it was given back");
        }
        self.connection.close().await.ok();
    }
}
