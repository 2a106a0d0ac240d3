//! Tables made anew: equal to the live ones, or in their place, while events go on.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, stream, stream::BoxStream};
use kantoku_domain::{Recorded, Timestamp};
use kantoku_projections::{
    Database, Error, History, Projector, Reader, Rebuild, reader::EventQuery,
};
use kantoku_streams::Fault;
use tokio::sync::Semaphore;

use crate::{
    given::{CREATED, everything},
    postgres::Postgres,
};

const SOON: Duration = Duration::from_secs(60);

/// A stream that grows. A page is given for every permit.
struct Log {
    events: Mutex<Vec<Recorded>>,
    pages: Semaphore,
}

impl Log {
    fn new(events: &[Recorded]) -> Arc<Self> {
        let pages = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Self { events: Mutex::new(events.to_vec()), pages })
    }

    /// Gives nothing more.
    fn stop(&self) {
        self.pages.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn push(&self, events: &[Recorded]) {
        self.events.lock().unwrap().extend_from_slice(events);
    }
}

impl History for Log {
    fn pages(&self, from_seq: u64) -> BoxStream<'_, Result<Vec<Recorded>, Fault>> {
        let events = self.events.lock().unwrap();
        let from = events.partition_point(|event| event.stream_seq < from_seq);
        let pages: Vec<_> = events[from..].chunks(7).map(<[_]>::to_vec).map(Ok).collect();
        drop(events);
        stream::iter(pages)
            .then(async |page| {
                self.pages.acquire().await.unwrap().forget();
                page
            })
            .boxed()
    }
}

fn quiet(_: u64, _: u64) {}

async fn schemas(postgres: &Postgres) -> Vec<String> {
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    sqlx::query_scalar(
        "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'ktk%' ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap()
}

async fn projected(postgres: &Postgres, events: &[Recorded]) -> (Database, Projector) {
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    projector.apply_batch(events).await.unwrap();
    (database, projector)
}

#[tokio::test]
async fn a_verification_finds_the_table_that_was_tampered_with() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    // The stream is ahead of the tables.
    let (database, _) = projected(&postgres, &events[..300]).await;
    let log = Log::new(&events);
    let told = Mutex::new(Vec::new());
    let progress = |done, total| told.lock().unwrap().push((done, total));
    let rebuild = Rebuild::new(&database, CREATED, &*log, &progress);
    let compared = rebuild.verify().await.unwrap();
    let position = events[299].stream_seq;
    assert_eq!(compared.as_of_seq, position);
    assert_eq!(compared.equal.len(), 11);
    assert!(compared.equal.values().all(|equal| *equal), "{:?}", compared.equal);
    assert_eq!(told.lock().unwrap().last(), Some(&(position, position)));

    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    sqlx::query(
        "UPDATE ktk.tasks SET document = jsonb_set(document, '{priority}', '7') \
         WHERE id = (SELECT id FROM ktk.tasks LIMIT 1)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let compared = rebuild.verify().await.unwrap();
    let unequal: Vec<_> = compared.equal.iter().filter(|(_, equal)| !**equal).collect();
    assert_eq!(unequal, [(&"tasks".to_owned(), &false)]);
    assert_eq!(schemas(&postgres).await, ["ktk"], "nothing is left behind");

    rebuild.replace().await.unwrap();
    assert!(rebuild.verify().await.unwrap().equal.values().all(|equal| *equal), "repaired");
    assert_eq!(schemas(&postgres).await, ["ktk"], "nothing is left behind");
}

/// Both sets of tables stand at the same position, so that it tells nothing.
#[tokio::test]
async fn what_a_projector_has_kept_of_tables_that_were_replaced_is_forgotten() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let (alone, live) = (postgres.open("alone").await, postgres.open("ktk").await);
    Projector::new(alone.clone(), CREATED).apply_batch(&events).await.unwrap();
    let log = Log::new(&events[..300]);
    Projector::new(live.clone(), CREATED).apply_batch(&events[..290]).await.unwrap();
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    sqlx::query("UPDATE ktk.tasks SET document = jsonb_set(document, '{priority}', '7')")
        .execute(&pool)
        .await
        .unwrap();
    // It reads what was tampered with, and keeps it.
    let projector = Projector::new(live.clone(), CREATED);
    projector.apply_batch(&events[..300]).await.unwrap();
    Rebuild::new(&live, CREATED, &*log, &quiet).replace().await.unwrap();
    projector.apply_batch(&events).await.unwrap();
    assert_eq!(live.digests().await.unwrap(), alone.digests().await.unwrap());
}

/// Every answer is of one state, and none goes back in time.
async fn read_to(reader: Reader, last: u64) {
    let mut as_of = 0;
    while as_of < last {
        let min_seq = reader.position();
        let query = EventQuery { after_seq: as_of, limit: 1_000, ..EventQuery::default() };
        let page = reader.events(&query).await.unwrap();
        assert!(page.as_of_seq >= min_seq.max(as_of), "{} after {min_seq}", page.as_of_seq);
        let found = page.items.last().map_or(as_of, |event| event.stream_seq);
        assert_eq!(found, page.as_of_seq);
        as_of = found;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_replaced_while_events_flow_and_readers_read() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let last = events.last().unwrap().stream_seq;
    let (database, projector) = projected(&postgres, &events[..20]).await;
    let log = Log::new(&events[..20]);
    let reader = Reader::start(postgres.open("ktk").await).await.unwrap();

    let swaps = Arc::new(AtomicUsize::new(0));
    let writing = tokio::spawn({
        let (log, events, database) = (Arc::clone(&log), events.clone(), database.clone());
        let swaps = Arc::clone(&swaps);
        async move {
            let batches = events[20..].chunks(3);
            let middle = batches.len() / 2;
            // Some batches come again, as deliveries do.
            for (from, batch) in batches.enumerate() {
                log.push(batch);
                let batch = &events[from * 3..from * 3 + 20 + batch.len()];
                projector.apply_batch(batch).await.unwrap();
                // However fast the writer is, tables are swapped under it before and after.
                while from == middle && swaps.load(Ordering::Relaxed) < 2 {
                    projector.apply_batch(batch).await.unwrap();
                }
                assert_eq!(database.checkpoint().await.unwrap().event_id, {
                    let at = database.checkpoint().await.unwrap().stream_seq;
                    events.iter().find(|e| e.stream_seq == at).map(|e| e.metadata.event_id)
                });
            }
        }
    });
    let readers: Vec<_> = (0..4).map(|_| tokio::spawn(read_to(reader.clone(), last))).collect();
    let rebuild = Rebuild::new(&database, CREATED, &*log, &quiet);
    while !writing.is_finished() {
        let before = database.checkpoint().await.unwrap().stream_seq;
        assert!(rebuild.replace().await.unwrap() >= before);
        swaps.fetch_add(1, Ordering::Relaxed);
    }
    writing.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(swaps.load(Ordering::Relaxed) > 1);
    assert_eq!(reader.wait_for(last, SOON).await.unwrap(), last);
    let compared = rebuild.verify().await.unwrap();
    assert_eq!(compared.as_of_seq, last);
    assert!(compared.equal.values().all(|equal| *equal), "{:?}", compared.equal);
}

#[tokio::test]
async fn one_rebuild_runs_at_a_time_and_a_killed_one_is_swept_up() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let (database, _) = projected(&postgres, &events).await;
    let log = Log::new(&events);
    log.stop();
    let running = tokio::spawn({
        let (database, log) = (database.clone(), Arc::clone(&log));
        async move { Rebuild::new(&database, CREATED, &*log, &quiet).verify().await }
    });
    let rebuild = Rebuild::new(&database, CREATED, &*log, &quiet);
    // The lock comes before the schema.
    while schemas(&postgres).await.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(rebuild.replace().await, Err(Error::Busy { .. })));
    Rebuild::sweep(&database).await.unwrap();
    assert_eq!(schemas(&postgres).await.len(), 2, "what is in use is not swept up");

    running.abort();
    assert!(running.await.is_err());
    let deadline = tokio::time::Instant::now() + SOON;
    while schemas(&postgres).await.len() > 1 {
        assert!(tokio::time::Instant::now() < deadline, "the lock is never given back");
        Rebuild::sweep(&database).await.unwrap();
    }
    assert!(rebuild.verify().now_or_never().is_none(), "it waits for the stream");
}

#[tokio::test]
async fn tables_of_another_stream_are_replaced_only() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let (database, _) = projected(&postgres, &events).await;
    let reader = Reader::start(database.clone()).await.unwrap();
    let other = Timestamp::from_micros(CREATED.micros() + 1);
    let log = Log::new(&events[..10]);
    let rebuild = Rebuild::new(&database, other, &*log, &quiet);
    assert!(matches!(rebuild.verify().await, Err(Error::OtherStream { .. })));
    let mut position = reader.positions();
    let before = *position.borrow_and_update();
    let reached = rebuild.replace().await.unwrap();
    assert!(reached < before);
    tokio::time::timeout(SOON, position.wait_for(|at| *at == reached)).await.unwrap().unwrap();

    // The end of this stream is lost, and with it the event at the checkpoint.
    log.events.lock().unwrap().truncate(9);
    assert!(matches!(rebuild.verify().await, Err(Error::Diverged { .. })));
    assert!(rebuild.replace().await.unwrap() < reached);
}

#[tokio::test]
async fn a_projector_notices_that_postgres_lost_what_it_had_committed() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let (database, projector) = projected(&postgres, &events[..20]).await;
    let log = Log::new(&events[..10]);
    // As a restored backup would have it.
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    sqlx::query("DELETE FROM ktk.checkpoint").execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO ktk.checkpoint (stream_seq) VALUES (0)").execute(&pool).await.unwrap();
    Rebuild::new(&database, CREATED, &*log, &quiet).replace().await.unwrap();

    let error = projector.apply_batch(&events[20..30]).await.unwrap_err();
    assert!(matches!(error, Error::Rewound { .. }), "{error}");
    let checkpoint = projector.verify(Some(&events[9])).await.unwrap();
    assert_eq!(checkpoint.stream_seq, events[9].stream_seq);
    projector.apply_batch(&events[10..30]).await.unwrap();
}
