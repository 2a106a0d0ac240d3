//! Whatever happens, rows say what the aggregates say, and are what a rebuild makes.

use std::collections::BTreeSet;

use kantoku_domain::{Event, Namespace};
use kantoku_projections::{
    Database, Projector, Reader,
    document::{ContextDocument, ResourceDocument},
    reader::Query,
};

use crate::{
    given::CREATED,
    postgres::Postgres,
    world::{Lot, World},
};

/// How many worlds are looked at, and how much happens in each.
const SEEDS: u64 = 6;
const EVENTS: usize = 200;

async fn check(reader: &Reader, world: &World) {
    let query = Query { limit: 1_000, ..Query::default() };
    let tasks = reader.tasks(&query).await.unwrap();
    assert!(tasks.next_cursor.is_none());
    world.check_tasks(&tasks.items);
    let context = reader.record::<ContextDocument>(&Namespace::default(), world.context_id).await;
    world.check_context(&context.unwrap().document);
    let resources = reader.records::<ResourceDocument>(&query).await.unwrap();
    world.check_resources(&resources.items);
    world.check_dependencies(&tasks.items);
}

#[tokio::test]
async fn rows_say_what_the_aggregates_say() {
    let Some(postgres) = Postgres::start().await else { return };
    let mut happened = BTreeSet::new();
    for seed in 1..=SEEDS {
        let database = postgres.open(&format!("seed_{seed}")).await;
        let projector = Projector::new(database.clone(), CREATED);
        let reader = Reader::start(database.clone()).await.unwrap();
        let (mut lot, mut world) = (Lot::new(seed), World::opened(seed));
        let mut done = 0;
        while done < EVENTS {
            for _ in 0..=lot.below(9) {
                world.act();
            }
            projector.apply_batch(&world.events[done..]).await.unwrap();
            done = world.events.len();
            eprintln!("world {seed} after {done} events");
            check(&reader, &world).await;
        }
        happened.extend(world.events.iter().map(|event| event.event.name()));
        drop(reader);
        database.close().await;
    }
    let missing: Vec<_> = Event::NAMES.iter().filter(|name| !happened.contains(**name)).collect();
    let apart = ["ResourceAllocated", "ResourceInitialized", "ResourceReleased"];
    let apart = [&apart[..], &["TypeApplied", "PipelineApplied"]].concat();
    assert_eq!(missing, apart.iter().collect::<Vec<_>>(), "all else that there is has happened");
}

/// Tables without rows, as they were when they were made.
async fn empty(postgres: &Postgres, database: &Database) {
    let schema = database.schema();
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let statements = [
        format!(
            "TRUNCATE {schema}.tasks, {schema}.contexts, {schema}.resources, {schema}.events, \
             {schema}.specifications, {schema}.types, {schema}.pipelines, {schema}.policies, \
             {schema}.pauses, {schema}.counts"
        ),
        format!(
            "UPDATE {schema}.checkpoint \
             SET stream_seq = 0, event_id = NULL, stream_created = NULL"
        ),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

#[tokio::test]
async fn rows_are_what_a_rebuild_makes_after_every_event() {
    let Some(postgres) = Postgres::start().await else { return };
    let made = postgres.open("made").await;
    for seed in 101..=102 {
        let mut world = World::opened(seed);
        while world.events.len() < EVENTS / 2 {
            world.act();
        }
        let live = postgres.open(&format!("live_{seed}")).await;
        // In parts of one task, beside those who take whole events.
        let projector = Projector::new(live.clone(), CREATED).with_tasks_max(1);
        for (last, event) in world.events.iter().enumerate() {
            projector.apply_batch(std::slice::from_ref(event)).await.unwrap();
            empty(&postgres, &made).await;
            let rebuild = Projector::new(made.clone(), CREATED);
            rebuild.apply_batch(&world.events[..=last]).await.unwrap();
            let (live, made) = (live.digests().await.unwrap(), made.digests().await.unwrap());
            assert_eq!(live, made, "world {seed}, {:#?}", &world.events[..=last]);
        }
        live.close().await;
    }
}
