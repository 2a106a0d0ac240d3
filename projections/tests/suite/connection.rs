//! Connections: lost, closed, and silent about passwords.

use std::time::Duration;

use kantoku_projections::{Database, Error, Projector, Reader, reader::EventQuery};

use crate::{
    given::{CREATED, everything},
    postgres::Postgres,
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn positions_are_followed_again_after_the_connection_was_lost() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    let reader = Reader::start(database.clone()).await.unwrap();
    let position = projector.apply_batch(&events[..10]).await.unwrap();
    reader.wait_for(position, SOON).await.unwrap();

    let killer = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
    )
    .execute(&killer)
    .await
    .unwrap();
    let position = projector.apply_batch(&events).await.unwrap();
    assert_eq!(reader.wait_for(position, SOON).await.unwrap(), position);

    killer.close().await;
    tokio::time::timeout(SOON, database.close()).await.expect("a follower does not hold it open");
}

#[tokio::test]
async fn a_batch_that_could_not_begin_spoils_none_that_comes_after() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    // One connection, so that whoever comes next gets the same.
    let database = Database::open(&postgres.url, "ktk", 1).await.unwrap();
    let projector = Projector::new(database.clone(), CREATED);
    projector.apply_batch(&events[..10]).await.unwrap();

    let other = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE ktk.checkpoint").execute(&mut *lock).await.unwrap();
    let cancelled = async {
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                      WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while sqlx::query_scalar::<_, bool>(cancel).fetch_all(&other).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let both = async { tokio::join!(projector.apply_batch(&events), cancelled) };
    let (refused, ()) = tokio::time::timeout(SOON, both).await.unwrap();
    assert!(matches!(refused, Err(Error::Database { .. })), "{refused:?}");
    lock.rollback().await.unwrap();

    let position = projector.apply_batch(&events).await.unwrap();
    assert_eq!(position, events.last().unwrap().stream_seq);
    other.close().await;
}

#[tokio::test]
async fn passwords_are_in_no_text() {
    let Some(postgres) = Postgres::start().await else { return };
    let url = postgres.url.replace("postgres@", "postgres:hunter2@");
    let database = Database::open(&url, "ktk", 2).await.unwrap();
    let reader = Reader::start(database.clone()).await.unwrap();
    assert!(!format!("{database:?} {reader:?}").contains("hunter2"));
    let error = Database::open(&format!("{url}_missing"), "ktk", 2).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn who_loses_patience_leaves_no_transaction_to_the_next() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let events = everything();
    let projector = Projector::new(database.clone(), CREATED);
    let reader = Reader::start(database.clone()).await.unwrap();
    for (index, event) in events.iter().take(60).enumerate() {
        // Whatever they are at by then, they are dropped.
        let patience = Duration::from_micros(50 * index as u64);
        let query = EventQuery::default();
        tokio::join!(
            async { tokio::time::timeout(patience, database.checkpoint()).await.ok() },
            async { tokio::time::timeout(patience, reader.events(&query)).await.ok() },
        );
        let reached = projector.apply_batch(std::slice::from_ref(event)).await;
        assert_eq!(reached.unwrap(), event.stream_seq);
    }
}
