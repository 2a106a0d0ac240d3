//! Tables of an earlier build: what they hold is made anew from the stream.

use std::path::Path;

use kantoku_projections::Projector;
use sqlx::{Connection as _, PgConnection, migrate::Migrator};

use crate::{
    given::{CREATED, everything},
    postgres::Postgres,
};

/// The first `count` migrations, run on `schema`.
async fn earlier_build(postgres: &Postgres, schema: &str, count: usize) -> PgConnection {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut migrator = Migrator::new(all).await.unwrap();
    migrator.migrations.to_mut().truncate(count);
    let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
    let statements = [format!("CREATE SCHEMA {schema}"), format!("SET search_path = {schema}")];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    migrator.run(&mut connection).await.unwrap();
    connection
}

async fn execute(connection: &mut PgConnection, statements: &[&str]) {
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(*statement)).execute(&mut *connection).await.unwrap();
    }
}

#[tokio::test]
async fn rows_of_an_earlier_build_are_made_anew() {
    let Some(postgres) = Postgres::start().await else { return };
    let mut first_build = earlier_build(&postgres, "old", 2).await;
    let rows = [
        "INSERT INTO tasks (id, updated_at, document) \
         VALUES (gen_random_uuid(), now(), '{\"status\": \"ready\", \"stream_seq\": 7}')",
        "UPDATE checkpoint SET stream_seq = 1000000, event_id = gen_random_uuid()",
    ];
    execute(&mut first_build, &rows).await;
    let (old, new) = (postgres.open("old").await, postgres.open("new").await);
    assert_eq!(old.checkpoint().await.unwrap().stream_seq, 0);
    for database in [&old, &new] {
        Projector::new(database.clone(), CREATED).apply_batch(&everything()).await.unwrap();
    }
    assert_eq!(old.digests().await.unwrap(), new.digests().await.unwrap());
}

/// An earlier build wrote the same documents, and made the columns of them.
#[tokio::test]
async fn rows_that_stay_are_those_of_this_build_and_an_earlier_build_writes_no_more() {
    let Some(postgres) = Postgres::start().await else { return };
    let new = postgres.open("new").await;
    let events = everything();
    Projector::new(new.clone(), CREATED).apply_batch(&events[..300]).await.unwrap();
    let mut third_build = earlier_build(&postgres, "old", 3).await;
    let tables =
        ["tasks", "contexts", "resources"].map(|table| (table, "id, updated_at, document"));
    let versions = ["specifications", "types", "pipelines", "policies"];
    let versions = versions.map(|table| (table, "id, version, document"));
    let rest = [("pauses", "*"), ("events", "*")];
    let copies: Vec<String> = [&tables[..], &versions, &rest]
        .concat()
        .iter()
        .map(|(table, columns)| match *columns {
            "*" => format!("INSERT INTO {table} SELECT * FROM new.{table}"),
            _ => format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}"),
        })
        .collect();
    execute(&mut third_build, &copies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let position = "UPDATE checkpoint SET (stream_seq, event_id, stream_created) = \
                    (SELECT stream_seq, event_id, stream_created FROM new.checkpoint)";
    execute(&mut third_build, &[position]).await;

    let old = postgres.open("old").await;
    assert_eq!(old.digests().await.unwrap(), new.digests().await.unwrap());
    let late = "INSERT INTO tasks (id, updated_at, document) \
                VALUES (gen_random_uuid(), now(), '{\"namespace\": \"default\"}')";
    let error = sqlx::query(late).execute(&mut third_build).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    // Not of a class that would have it passed over.
    assert_eq!(error.code().as_deref(), Some("42704"), "{error}");
    assert!(error.message().contains("a_newer_build_writes_these_tables"), "{error}");
    for database in [&old, &new] {
        Projector::new(database.clone(), CREATED).apply_batch(&events).await.unwrap();
    }
    assert_eq!(old.digests().await.unwrap(), new.digests().await.unwrap());
}
