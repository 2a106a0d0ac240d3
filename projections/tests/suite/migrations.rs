//! Tables of an earlier build: what they hold is made anew from the stream.

use std::path::Path;

use kantoku_projections::Projector;
use sqlx::{Connection as _, PgConnection, migrate::Migrator};

use crate::{
    given::{CREATED, everything},
    postgres::Postgres,
};

/// The migrations that the first build had, run on `schema`.
async fn first_build(postgres: &Postgres, schema: &str) {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut migrator = Migrator::new(all).await.unwrap();
    migrator.migrations.to_mut().truncate(2);
    let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
    let statements = [format!("CREATE SCHEMA {schema}"), format!("SET search_path = {schema}")];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    migrator.run(&mut connection).await.unwrap();
    let rows = [
        "INSERT INTO tasks (id, updated_at, document) \
         VALUES (gen_random_uuid(), now(), '{\"status\": \"ready\", \"stream_seq\": 7}')",
        "UPDATE checkpoint SET stream_seq = 1000000, event_id = gen_random_uuid()",
    ];
    for statement in rows {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn rows_of_an_earlier_build_are_made_anew() {
    let Some(postgres) = Postgres::start().await else { return };
    first_build(&postgres, "old").await;
    let (old, new) = (postgres.open("old").await, postgres.open("new").await);
    assert_eq!(old.checkpoint().await.unwrap().stream_seq, 0);
    for database in [&old, &new] {
        Projector::new(database.clone(), CREATED).apply_batch(&everything()).await.unwrap();
    }
    assert_eq!(old.digests().await.unwrap(), new.digests().await.unwrap());
}
