//! The same events give the same rows, however they are cut into batches, and however often they
//! are handed over.

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
    for size in [1, 7, 1000] {
        let schema = format!("batch_{size}");
        let database = postgres.open(&schema).await;
        let projector = Projector::new(database.clone(), CREATED);
        for (index, batch) in events.chunks(size).enumerate() {
            projector.apply_batch(batch).await.unwrap();
            if index % 5 == 0 {
                projector.apply_batch(batch).await.unwrap();
            }
        }
        digests.push(database.digests(&schema).await.unwrap());
        database.close().await;
    }
    assert_eq!(digests[0].len(), 8, "every table is compared: {:?}", digests[0].keys());
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
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
    assert_eq!(alone.digests("alone").await.unwrap(), alone.digests("shared").await.unwrap());
}

#[tokio::test]
async fn a_rebuild_takes_the_place_of_the_live_tables() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = everything();
    let live = postgres.open("ktk").await;
    let projector = Projector::new(live.clone(), CREATED);
    projector.apply_batch(&events).await.unwrap();
    let beside = postgres.open("ktk_rebuild").await;
    let rebuild = Projector::new(beside.clone(), CREATED);
    rebuild.apply_batch(&events[..50]).await.unwrap();
    assert!(live.swap("ktk_rebuild").await.unwrap_err().to_string().contains("catch up"));
    rebuild.apply_batch(&events).await.unwrap();
    let before = live.digests("ktk").await.unwrap();
    assert_eq!(before, live.digests("ktk_rebuild").await.unwrap());
    beside.close().await;
    live.swap("ktk_rebuild").await.unwrap();
    live.drop_schema("ktk_rebuild").await.unwrap();
    assert!(live.drop_schema("ktk").await.is_err());
    assert_eq!(before, live.digests("ktk").await.unwrap());
    assert_eq!(
        projector.checkpoint().await.unwrap().stream_seq,
        events.last().unwrap().stream_seq,
        "open connections see the new tables"
    );
}
