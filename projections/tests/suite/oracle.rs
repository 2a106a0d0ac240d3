//! What a filter says of a document is what Postgres says of its row: random filters over random
//! documents. `KTK_ORACLE_SEED` sets the seed, which is printed.

mod documents;
mod filters;

use std::{collections::BTreeSet, time::Instant};

use kantoku_domain::Id;
use kantoku_projections::{
    Reader,
    document::{Record, TaskDocument},
    query::{Known, TASKS, mql},
};
use serde_json::Value;

use crate::{postgres::Postgres, world::Lot};

const DOCUMENTS: usize = 1_000;
const FILTERS: usize = 1_000;

/// Documents as rows, with the columns that the projector would write.
const INSERT: &str = "\
    INSERT INTO ktk.tasks (id, updated_at, document, namespace, status, sub_status, context_id, \
                           specification, unfolded, labels, stream_seq, parent_id, restart_root, \
                           paused) \
    SELECT (document ->> 'id')::uuid, (document ->> 'updated_at')::timestamptz, document, \
           document ->> 'namespace', document ->> 'status', document ->> 'sub_status', \
           (document ->> 'context_id')::uuid, document ->> 'specification', \
           (document -> 'unfolded')::boolean, document -> 'labels', \
           (document -> 'stream_seq')::bigint, (document ->> 'parent_id')::uuid, \
           (document ->> 'restart_root')::uuid, document ? 'paused' \
    FROM UNNEST($1::text[]) AS written (text), LATERAL (SELECT text::jsonb AS document) row";

fn seed() -> u64 {
    let set = std::env::var("KTK_ORACLE_SEED").ok();
    let seed = set.map_or_else(
        || uuid::Uuid::now_v7().as_u128() as u64 % 1_000_000,
        |seed| seed.parse().expect("KTK_ORACLE_SEED is a number"),
    );
    eprintln!("KTK_ORACLE_SEED={seed}");
    seed
}

#[tokio::test]
async fn filters_say_of_documents_what_postgres_says_of_rows() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let seed = seed();
    let mut lot = Lot::new(seed);
    let documents: Vec<Value> = (0..DOCUMENTS).map(|n| documents::any(&mut lot, n)).collect();
    let pool = sqlx::PgPool::connect(&postgres.url).await.unwrap();
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    sqlx::query(INSERT).bind(texts).execute(&pool).await.unwrap();
    // What was inserted are tasks, and they come back as they were.
    for document in &documents {
        let task: TaskDocument = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(Some(task.updated_at().to_string().as_str()), document["updated_at"].as_str());
    }
    let reader = Reader::start(database).await.unwrap();
    // Apart by more than a query takes from all times that documents and filters have.
    let known = Known { now: kantoku_streams::now(), ..Known::default() };

    let (began, mut some, mut all) = (Instant::now(), 0, 0);
    for number in 0..FILTERS {
        let filter = filters::any(&mut lot, &documents);
        let told = || format!("filter {number} of KTK_ORACLE_SEED={seed}: {filter}");
        let condition = mql::parse(&TASKS, filter.as_object().unwrap());
        let condition = condition.unwrap_or_else(|error| panic!("{error}; {}", told()));
        let found = reader.find_ids::<TaskDocument>(None, &condition).await;
        let (found, _) = found.unwrap_or_else(|error| panic!("{error}; {}", told()));
        let found: BTreeSet<Id> = found.into_iter().collect();
        for document in &documents {
            let id: Id = document["id"].as_str().unwrap().parse().unwrap();
            let is = condition.matches(document, &known);
            assert_eq!(is, found.contains(&id), "{}\n{document}", told());
        }
        some += usize::from(!found.is_empty());
        all += usize::from(found.len() == DOCUMENTS);
    }
    let answers = FILTERS * DOCUMENTS;
    eprintln!("{answers} answers in {:?}: {some} filters found some, {all} all", began.elapsed());
    assert!(some > FILTERS / 4 && all < FILTERS / 2, "the filters tell too little apart");
}
