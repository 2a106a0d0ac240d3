//! Records that a filter is about: pages in any order, ids, numbers, values, relations.

use std::collections::BTreeSet;

use kantoku_domain::Id;
use kantoku_projections::{
    Error, Projector, Reader,
    document::{ResourceDocument, TaskDocument},
    query::{Catalogue, Condition, RESOURCES, TASKS, text},
    reader::{Filter, Find, Query, Sort},
};
use serde_json::json;

use crate::{
    given::{CREATED, Run, derived, everything, id, open},
    postgres::Postgres,
    stand::Stand,
};

fn about(condition: &str) -> Condition {
    text::parse(&TASKS, condition).unwrap_or_else(|error| panic!("{condition}: {error}"))
}

fn sorted(by: &str) -> Sort {
    Sort::parse(&TASKS, by).unwrap()
}

/// All pages of a query.
async fn all(reader: &Reader, mut find: Find) -> Vec<TaskDocument> {
    let mut items = Vec::new();
    loop {
        let page = reader.find_tasks(&find).await.unwrap();
        assert!(page.items.len() <= find.limit as usize);
        items.extend(page.items);
        find.cursor = page.next_cursor;
        if find.cursor.is_none() {
            return items;
        }
    }
}

#[tokio::test]
async fn pages_hold_what_is_looked_for_once_and_in_order() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    Projector::new(database.clone(), CREATED).apply_batch(&everything()).await.unwrap();
    let reader = Reader::start(database).await.unwrap();

    let condition = about("status in ['finished', 'cancelled'] && updated_at < now");
    let (ids, _) = reader.find_ids::<TaskDocument>(None, &condition).await.unwrap();
    assert!(ids.len() > 50, "{}", ids.len());
    for by in
        ["updated_at", "-updated_at", "created_at", "-status", "-stream_seq", "id", "started_at"]
    {
        let find =
            Find { condition: condition.clone(), sort: sorted(by), limit: 7, ..Find::default() };
        let items = all(&reader, find.clone()).await;
        let found: BTreeSet<Id> = items.iter().map(|task| task.id).collect();
        assert_eq!((items.len(), found), (ids.len(), ids.iter().copied().collect()), "{by}");
        let skipped = all(&reader, Find { skip: 10, ..find }).await;
        assert_eq!(skipped, items[10..], "{by}");
        match by {
            "updated_at" => assert!(items.is_sorted_by_key(|task| task.updated_at)),
            "created_at" => assert!(items.is_sorted_by_key(|task| (task.created_at, task.id))),
            "-status" => assert!(items.is_sorted_by(|a, b| a.status.name() >= b.status.name())),
            "-stream_seq" => assert!(items.is_sorted_by(|a, b| a.stream_seq >= b.stream_seq)),
            "id" => assert!(items.is_sorted_by_key(|task| task.id)),
            "started_at" => assert!(items.is_sorted_by_key(|task| task.started_at)),
            _ => {}
        }
    }

    // Of equality alone, the same as lists by equality.
    let filter = Filter {
        status: Some("finished".into()),
        sub_status: Some("failed".into()),
        labels: [("step".to_owned(), "a".to_owned())].into(),
        ..Filter::default()
    };
    let equal = about("status == 'finished' && sub_status == 'failed' && labels.step == 'a'");
    assert_eq!(Filter::of(None, &equal), (filter.clone(), Condition::always()));
    let listed = reader.tasks(&Query { filter, limit: 100, ..Query::default() }).await.unwrap();
    let find = Find { condition: equal.clone(), ..Find::default() };
    assert_eq!(all(&reader, find.clone()).await, listed.items);

    let cursor = reader.find_tasks(&Find { limit: 1, ..find }).await.unwrap().next_cursor;
    let other = Find { cursor, ..Find::default() };
    let refused = reader.find_tasks(&other).await.unwrap_err().to_string();
    assert!(refused.starts_with("cursor: this is the next_cursor of another query"), "{refused}");
    let bad = Find { cursor: Some("x".into()), ..Find::default() };
    let refused = reader.find_tasks(&bad).await;
    assert!(matches!(refused, Err(Error::Query { field: "cursor", .. })));
    let far = Find { skip: 10_001, ..Find::default() };
    let refused = reader.find_tasks(&far).await;
    assert!(matches!(refused, Err(Error::Query { field: "skip", .. })));
    assert!(Sort::parse(&TASKS, "result.x").is_err() && Sort::parse(&TASKS, "statsu").is_err());

    let (counts, _) = reader.count_found::<TaskDocument>(None, &condition).await.unwrap();
    assert_eq!(counts.values().sum::<u64>(), ids.len() as u64);
    let (counts, _) = reader.count_found::<TaskDocument>(None, &equal).await.unwrap();
    assert_eq!(counts.values().sum::<u64>(), 10);
    let field = |name| TASKS.field(&Catalogue::keys(name)).unwrap();
    let any = Condition::always();
    let step = field("labels.step");
    let by = reader.count_by::<TaskDocument>(&step, None, &equal, 10).await.unwrap();
    assert_eq!((by.values, by.is_complete), (vec![(json!("a"), 10)], true));
    let names = reader.distinct::<TaskDocument>(&field("status"), None, &any, 2).await.unwrap();
    assert_eq!(names.values, [json!("cancelled"), json!("finished")]);
    assert!(!names.is_complete);
}

#[tokio::test]
async fn relations_are_what_tasks_say_of_each_other() {
    let Some(mut stand) = Stand::start().await else { return };
    let Run { context, a, b, c } = open(&mut stand.stream, 1);
    stand.project().await;
    let found = async |stand: &Stand, condition: String| -> BTreeSet<Id> {
        let condition = about(&condition);
        let (ids, _) = stand.reader.find_ids::<TaskDocument>(None, &condition).await.unwrap();
        ids.into_iter().collect()
    };
    assert_eq!(found(&stand, format!("blocked_by('{a}')")).await, [b, c].into());
    assert_eq!(found(&stand, format!("blocked_by('{b}')")).await, [c].into());
    assert_eq!(found(&stand, format!("blocked_by('{a}') && step == 'c'")).await, [c].into());
    assert_eq!(found(&stand, format!("!blocked_by('{a}')")).await, [a].into());
    assert_eq!(found(&stand, format!("blocked_by('{}')", id(77))).await, [].into());

    stand.finish(context, a);
    stand.stream.run(context, b, 1);
    let (child, finished) = crate::given::delegating(context, b, 1);
    stand.stream.finish(context, b, finished);
    stand.project().await;
    assert_eq!(found(&stand, format!("blocked_by('{a}')")).await, [].into());
    assert_eq!(found(&stand, format!("blocked_by('{child}')")).await, [c].into());
    assert_eq!(found(&stand, format!("descendant_of('{b}')")).await, [child].into());
    assert_eq!(found(&stand, format!("descendant_of('{c}')")).await, [].into());

    let made = text::parse(&RESOURCES, &format!("produced_by('{b}')")).unwrap();
    let (ids, _) = stand.reader.find_ids::<ResourceDocument>(None, &made).await.unwrap();
    assert_eq!(ids, [derived(b, "out")]);
}
