//! The same events give the same rows, however they are cut into batches and parts, and however often
//! they are handed over.

use kantoku_projections::Projector;

use crate::{
    given::{CREATED, everything},
    postgres::Postgres,
};

#[tokio::test]
async fn any_batching_gives_the_same_rows() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let mut digests = Vec::new();
    for (size, tasks_max) in [(1, 1_000), (7, 1_000), (1_000, 1_000), (1_000, 1), (7, 2)] {
        let schema = format!("batch_{size}_{tasks_max}");
        let database = postgres.open(&schema).await;
        let projector = Projector::new(database.clone(), CREATED).with_tasks_max(tasks_max);
        for (index, batch) in events.chunks(size).enumerate() {
            projector.apply_batch(batch).await.unwrap();
            if index % 5 == 0 {
                projector.apply_batch(batch).await.unwrap();
            }
        }
        digests.push(database.digests().await.unwrap());
        database.close().await;
    }
    let tables = &digests[0].1;
    assert_eq!(tables.len(), 11, "every table is compared: {:?}", tables.keys());
    for other in &digests[1..] {
        assert_eq!(&digests[0], other);
    }
}

#[tokio::test]
async fn two_projectors_on_one_schema_do_the_work_once() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let (alone, shared) = (postgres.open("alone").await, postgres.open("shared").await);
    Projector::new(alone.clone(), CREATED).apply_batch(&events).await.unwrap();
    let run = || {
        let (projector, events) = (Projector::new(shared.clone(), CREATED), events.clone());
        tokio::spawn(async move {
            for batch in events.chunks(11) {
                projector.apply_batch(batch).await.unwrap();
            }
        })
    };
    let (first, second) = (run(), run());
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(alone.digests().await.unwrap(), shared.digests().await.unwrap());
}
