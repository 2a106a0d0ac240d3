//! What a projector keeps from one batch to the next, what is counted as tasks change, and what is
//! written beside documents: never other than what the tables say, whoever else writes them.

use std::collections::BTreeMap;

use kantoku_domain::{Event, Namespace};
use kantoku_projections::{
    Database, Error, Projector, Reader, document::TaskDocument, reader::Filter,
};
use sqlx::AssertSqlSafe;

use crate::{
    given::{CREATED, Stream, everything, id, spawned},
    postgres::Postgres,
    world::{Lot, World},
};

const SEEDS: std::ops::RangeInclusive<u64> = 201..=204;
const EVENTS: usize = 240;

/// What one projector makes of all at once.
async fn made_at_once(
    postgres: &Postgres,
    schema: &str,
    world: &World,
    done: usize,
) -> BTreeMap<String, String> {
    let database = postgres.open(schema).await;
    Projector::new(database.clone(), CREATED).apply_batch(&world.events[..done]).await.unwrap();
    let (_, digests) = database.digests().await.unwrap();
    database.close().await;
    digests
}

/// What is counted is what there is, whichever way it is asked for.
async fn check_counts(postgres: &Postgres, database: &Database) {
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let counted =
        "SELECT COALESCE(specification, ''), concat_ws('/', status, sub_status), count(*)";
    let rows: Vec<(String, String, i64)> = sqlx::query_as(AssertSqlSafe(format!(
        "{counted} FROM {}.tasks GROUP BY 1, 2",
        database.schema()
    )))
    .fetch_all(&pool)
    .await
    .unwrap();
    pool.close().await;
    let reader = Reader::start(database.clone()).await.unwrap();
    let wanted = |keep: &dyn Fn(&str, &str) -> bool| {
        let mut wanted = BTreeMap::new();
        for (specification, state, count) in &rows {
            if keep(specification, state) {
                *wanted.entry(state.clone()).or_insert(0) += *count as u64;
            }
        }
        wanted
    };
    let count = async |filter: Filter| reader.count::<TaskDocument>(&filter).await.unwrap().0;
    let here = Filter { namespace: Some(Namespace::default()), ..Filter::default() };
    assert_eq!(count(Filter::default()).await, wanted(&|_, _| true));
    assert_eq!(count(here.clone()).await, wanted(&|_, _| true));
    let elsewhere = Filter { namespace: Some("elsewhere".parse().unwrap()), ..Filter::default() };
    assert_eq!(count(elsewhere).await, BTreeMap::new());
    for (specification, state, _) in &rows {
        let (status, sub_status) = match state.split_once('/') {
            Some((status, sub_status)) => (status, Some(sub_status.to_owned())),
            None => (state.as_str(), None),
        };
        let by_status = Filter { status: Some(status.into()), ..here.clone() };
        assert_eq!(
            count(by_status.clone()).await,
            wanted(&|_, state| state.split('/').next() == Some(status))
        );
        if sub_status.is_some() {
            let exact = Filter { sub_status, ..by_status.clone() };
            assert_eq!(count(exact).await, wanted(&|_, other| other == state));
        }
        let of_it = Filter { specification: Some(specification.clone()), ..by_status };
        assert_eq!(
            count(of_it).await,
            wanted(&|it, state| it == specification && state.split('/').next() == Some(status))
        );
        let by_row = Filter { paused: Some(false), ..here.clone() };
        let paused = count(Filter { paused: Some(true), ..here.clone() }).await;
        let mut sum = count(by_row).await;
        for (state, count) in paused {
            *sum.entry(state).or_insert(0) += count;
        }
        assert_eq!(sum, wanted(&|_, _| true), "what is counted row by row");
    }
}

/// Columns say what the documents beside them say.
async fn check_columns(postgres: &Postgres, database: &Database) {
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let common = [
        ("namespace", "document ->> 'namespace'"),
        ("status", "document ->> 'status'"),
        ("updated_at", "(document ->> 'updated_at')::timestamptz"),
    ];
    let changing = [
        ("labels", "document -> 'labels'"),
        ("stream_seq", "(document -> 'stream_seq')::bigint"),
        ("paused", "document ? 'paused'"),
    ];
    let of_tasks = [
        ("sub_status", "document ->> 'sub_status'"),
        ("context_id", "(document ->> 'context_id')::uuid"),
        ("specification", "document ->> 'specification'"),
        ("unfolded", "(document ->> 'unfolded')::boolean"),
        ("parent_id", "(document ->> 'parent_id')::uuid"),
        ("restart_root", "(document ->> 'restart_root')::uuid"),
    ];
    let of_contexts = [("pipeline", "document -> 'pipeline' ->> 'name'")];
    let of_resources = [("context_id", "(document ->> 'context_id')::uuid")];
    for (table, columns) in [
        ("tasks", [&common[..], &changing, &of_tasks].concat()),
        ("contexts", [&common[..], &changing, &of_contexts].concat()),
        ("resources", [&common[..], &of_resources].concat()),
    ] {
        for (column, is_so) in columns {
            let differ: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT count(*) FROM {}.{table} WHERE {column} IS DISTINCT FROM {is_so}",
                database.schema()
            )))
            .fetch_one(&pool)
            .await
            .unwrap();
            assert_eq!(differ, 0, "{table}.{column}");
        }
    }
    pool.close().await;
}

#[tokio::test]
async fn whatever_is_kept_and_whoever_else_writes_rows_are_what_a_rebuild_makes() {
    let Some(postgres) = Postgres::start().await else { return };
    for seed in SEEDS {
        let mut world = World::opened(seed);
        while world.events.len() < EVENTS {
            world.act();
        }
        let live = postgres.open(&format!("live_{seed}")).await;
        let projectors =
            [Projector::new(live.clone(), CREATED), Projector::new(live.clone(), CREATED)];
        let mut lot = Lot::new(seed);
        let (mut done, mut whose) = (0, 0);
        while done < world.events.len() {
            // Mostly the one that wrote last; now and then the other, which has seen all or nothing of
            // what happened meanwhile.
            if lot.below(4) == 0 {
                whose = 1 - whose;
            }
            let from = done.saturating_sub(lot.below(6));
            let to = (done + 1 + lot.below(8)).min(world.events.len());
            if lot.below(9) == 0 {
                let backwards = [world.events[1].clone(), world.events[0].clone()];
                let error = projectors[whose].apply_batch(&backwards).await.unwrap_err();
                assert!(matches!(error, Error::Order { .. }), "{error}");
            }
            projectors[whose].apply_batch(&world.events[from..to]).await.unwrap();
            done = to;
            if lot.below(8) == 0 || done == world.events.len() {
                let made =
                    made_at_once(&postgres, &format!("made_{seed}_{done}"), &world, done).await;
                assert_eq!(
                    live.digests().await.unwrap().1,
                    made,
                    "world {seed} after {done} events"
                );
            }
        }
        check_counts(&postgres, &live).await;
        check_columns(&postgres, &live).await;
        live.close().await;
    }
}

#[tokio::test]
async fn counts_are_those_of_the_rows_through_everything_that_can_happen() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    for batch in everything().chunks(97) {
        projector.apply_batch(batch).await.unwrap();
        check_counts(&postgres, &database).await;
    }
    check_columns(&postgres, &database).await;
}

/// Fails once, on the way, for a reason that goes away: what was kept before is of no use after.
#[tokio::test]
async fn a_batch_that_failed_leaves_nothing_behind() {
    let Some(postgres) = Postgres::start().await else { return };
    let (live, made) = (postgres.open("live").await, postgres.open("made").await);
    let events = everything();
    Projector::new(made.clone(), CREATED).apply_batch(&events).await.unwrap();
    let projector = Projector::new(live.clone(), CREATED);
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    for batch in events.chunks(13) {
        let away = "ALTER TABLE live.events RENAME TO away";
        sqlx::query(away).execute(&pool).await.unwrap();
        let error = projector.apply_batch(batch).await.unwrap_err();
        assert!(matches!(error, Error::Database { .. }), "{error}");
        let back = "ALTER TABLE live.away RENAME TO events";
        sqlx::query(back).execute(&pool).await.unwrap();
        projector.apply_batch(batch).await.unwrap();
    }
    assert_eq!(live.digests().await.unwrap(), made.digests().await.unwrap());
}

/// What somebody did to a row by hand is read by who has not kept it, and written over by who has.
#[tokio::test]
async fn what_was_kept_is_not_read_again() {
    let Some(postgres) = Postgres::start().await else { return };
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let (context, task) = (id(5 << 40), id(6 << 40));
    let mut stream = Stream::default();
    stream.push(context, task, Event::TaskSpawned(spawned(context, task, "a", &[])));
    stream.run(context, task, 1);
    for (schema, is_kept) in [("kept", true), ("read", false)] {
        let database = postgres.open(schema).await;
        let projector = Projector::new(database.clone(), CREATED);
        projector.apply_batch(&stream.events[..2]).await.unwrap();
        let by_hand = "UPDATE $.tasks SET document = jsonb_set(document, '{priority}', '7')";
        let by_hand = AssertSqlSafe(by_hand.replace('$', schema));
        sqlx::query(by_hand).execute(&pool).await.unwrap();
        let next = if is_kept { projector } else { Projector::new(database.clone(), CREATED) };
        next.apply_batch(&stream.events).await.unwrap();
        let reader = Reader::start(database).await.unwrap();
        let found = reader.task(&Namespace::default(), task).await.unwrap().document;
        assert_eq!(found.priority, if is_kept { 0 } else { 7 });
    }
}
