//! What is read after what has happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kantoku_domain::{Event, Id, Namespace, task::Outcome};
use kantoku_projections::{
    Error, Projector, Reader,
    document::{
        ContextDocument, ContextStatus, DependencyStatus, PipelineDocument, ResourceDocument,
        ResourceStatus, SpecificationDocument, TaskDocument, TaskStatus, TypeDocument,
    },
    query::Condition,
    reader::{EventQuery, Filter, Mark, Query},
};
use serde_json::json;

use crate::{
    given::{
        CREATED, Run, Stream, delegating, derived, everything, failed, id, ok, open, skipped,
        spawned,
    },
    postgres::Postgres,
};

use DependencyStatus::{Failed, Pending, Ready};

const SOON: Duration = Duration::from_secs(20);

async fn dependencies(reader: &Reader, task: kantoku_domain::Id) -> Vec<DependencyStatus> {
    let found = reader.task(&Namespace::default(), task).await.unwrap();
    found.document.dependencies.into_iter().map(|dependency| dependency.status).collect()
}

#[tokio::test]
async fn a_run_is_seen_from_its_plan_to_its_end() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    let reader = Reader::start(database).await.unwrap();
    let namespace = Namespace::default();
    let mut stream = Stream::default();
    let Run { context, a, b, c } = open(&mut stream, 1);

    projector.apply_batch(&stream.events[..1]).await.unwrap();
    let found = reader.record::<ContextDocument>(&namespace, context).await.unwrap().document;
    assert_eq!((found.status, found.tasks.initialized), (ContextStatus::Running, 3));
    assert_eq!(dependencies(&reader, c).await, [Pending, Pending]);

    stream.run(context, a, 1);
    stream.finish(context, a, ok(1, json!(null)));
    stream.run(context, b, 1);
    let (child, finished) = delegating(context, b, 1);
    stream.finish(context, b, finished);
    let position = projector.apply_batch(&stream.events).await.unwrap();
    assert!(reader.wait_for(position, SOON).await.unwrap() >= position);
    assert_eq!(dependencies(&reader, c).await, [Pending, Ready]);
    let out = derived(b, "out");
    let resource = reader.record::<ResourceDocument>(&namespace, out).await.unwrap().document;
    assert_eq!((resource.status, resource.custodian), (ResourceStatus::Allocated, Some(child)));
    let null = reader.record::<ResourceDocument>(&namespace, derived(a, "out")).await.unwrap();
    assert_eq!(null.document.value, Some(json!(null)));

    stream.run(context, child, 1);
    stream.finish(context, child, failed(1));
    projector.apply_batch(&stream.events).await.unwrap();
    assert_eq!(dependencies(&reader, c).await, [Failed, Ready]);
    let task = reader.task(&namespace, child).await.unwrap().document;
    assert_eq!((task.status, task.sub_status), (TaskStatus::Finished, Some(Outcome::Failed)));
    assert_eq!(task.node.as_deref(), Some("node-1"));

    stream.push(context, c, Event::TaskSkipped(skipped(child, "input in")));
    projector.apply_batch(&stream.events).await.unwrap();
    let found = reader.record::<ContextDocument>(&namespace, context).await.unwrap().document;
    assert_eq!(found.status, ContextStatus::Failed);
    assert_eq!(found.finished_at, Some(stream.events.last().unwrap().metadata.at));
}

#[tokio::test]
async fn a_context_is_seen_whole_with_what_it_waits_for() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    let reader = Reader::start(database).await.unwrap();
    let mut stream = Stream::default();
    let Run { context, a, b, c } = open(&mut stream, 1);
    stream.run(context, a, 1);
    stream.finish(context, a, ok(1, json!("large")));
    let other = open(&mut stream, 2).context;
    let reads = [("far", derived(b, "out")), ("nowhere", id(77))];
    let task = derived(other, "reader");
    stream.push(other, task, Event::TaskSpawned(spawned(other, task, "reader", &reads)));
    let last = projector.apply_batch(&stream.events).await.unwrap();

    let namespace = Namespace::default();
    let graph = reader.graph(&namespace, context, 10).await.unwrap();
    assert_eq!((graph.tasks.len(), graph.truncated, graph.as_of_seq), (3, false, last));
    assert_eq!(graph.tasks[&b].reads["in"], derived(a, "out"));
    assert_eq!(graph.tasks[&c].writes["out"], derived(c, "out"));
    assert!(graph.tasks[&c].depends_on.is_some());
    let resource = |of| &graph.resources[&derived(of, "out")];
    assert_eq!((resource(a).has_value, resource(a).custodian), (true, Some(a)));
    assert_eq!((resource(b).has_value, resource(b).custodian), (false, Some(b)));
    assert!(graph.outside.is_empty());

    let graph = reader.graph(&namespace, other, 10).await.unwrap();
    assert_eq!(graph.outside[&b].context_id, context);
    assert!(!graph.resources.contains_key(&id(77)));
    let graph = reader.graph(&namespace, other, 2).await.unwrap();
    assert_eq!((graph.tasks.len(), graph.truncated), (2, true));
    let missing = reader.graph(&namespace, id(77), 10).await;
    assert!(matches!(missing, Err(Error::NotFound { kind: "context", .. })));
}

#[tokio::test]
async fn a_cancelled_context_ends_what_was_never_unfolded() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let projector = Projector::new(database.clone(), CREATED);
    let reader = Reader::start(database).await.unwrap();
    let mut stream = Stream::default();
    let Run { context, c, .. } = open(&mut stream, 1);
    stream.events.truncate(1);
    stream.cancel_context(context, "enough");
    for event in &stream.events {
        projector.apply_batch(std::slice::from_ref(event)).await.unwrap();
    }
    let namespace = Namespace::default();
    let found = reader.record::<ContextDocument>(&namespace, context).await.unwrap().document;
    assert_eq!((found.status, found.tasks.cancelled), (ContextStatus::Cancelled, 3));
    let out = reader.record::<ResourceDocument>(&namespace, derived(c, "out")).await.unwrap();
    assert_eq!(out.document.status, ResourceStatus::Failed);
}

#[tokio::test]
async fn lists_are_paged_filtered_and_counted() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let events = everything();
    let last = Projector::new(database.clone(), CREATED).apply_batch(&events).await.unwrap();
    let reader = Reader::start(database).await.unwrap();
    let namespace = Namespace::default();

    let mut query = Query { limit: 17, ..Query::default() };
    let mut seen = BTreeSet::new();
    loop {
        let page = reader.tasks(&query).await.unwrap();
        assert_eq!(page.as_of_seq, last);
        assert!(page.items.is_sorted_by(|x, y| x.updated_at >= y.updated_at));
        seen.extend(page.items.iter().map(|task| task.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 40 * 3 + 20, "three steps a run, and a child in every other");

    let filter = Filter {
        namespace: Some(namespace.clone()),
        status: Some("finished".into()),
        sub_status: Some("failed".into()),
        specification: Some("text/words".into()),
        labels: [("step".to_owned(), "a".to_owned())].into(),
        ..Filter::default()
    };
    let query = Query { filter: filter.clone(), limit: 100, ascending: true, cursor: None };
    let page = reader.tasks(&query).await.unwrap();
    assert_eq!(page.items.len(), 10);
    assert!(page.items.iter().all(|task| task.source.as_deref() == Some("git")));
    let (counts, _) = reader.count::<TaskDocument>(&filter).await.unwrap();
    assert_eq!(counts, [("finished/failed".to_owned(), 10)].into());
    let (counts, _) = reader.count::<ContextDocument>(&Filter::default()).await.unwrap();
    let expected = [("ok", 10), ("failed", 10), ("cancelled", 20)];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());

    let filter = Filter { pipeline: Some("abc".into()), ..Filter::default() };
    let query = Query { filter, limit: 100, ..Query::default() };
    assert_eq!(reader.records::<ContextDocument>(&query).await.unwrap().items.len(), 40);
    assert!(matches!(reader.tasks(&query).await, Err(Error::Query { field: "pipeline", .. })));
    let query = Query { limit: 1001, ..Query::default() };
    assert!(matches!(reader.tasks(&query).await, Err(Error::Query { field: "limit", .. })));
    let query = Query { limit: 1, cursor: Some("x".into()), ..Query::default() };
    assert!(matches!(reader.tasks(&query).await, Err(Error::Query { field: "cursor", .. })));
}

#[tokio::test]
async fn things_are_found_by_name_prefix_and_position() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let events = everything();
    let last = Projector::new(database.clone(), CREATED).apply_batch(&events).await.unwrap();
    let reader = Reader::start(database).await.unwrap();
    let namespace = Namespace::default();
    let name = "text/words".parse().unwrap();

    for (asked, given) in [(None, 2), (Some(1), 1)] {
        let found = reader.version::<SpecificationDocument>(&namespace, &name, asked).await;
        assert_eq!(found.unwrap().document.version, given);
    }
    let missing = reader.version::<SpecificationDocument>(&namespace, &name, Some(3)).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
    let page = reader
        .versions::<SpecificationDocument>(&namespace, &Condition::always(), 10, None)
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.items[0].version), (1, 2));
    reader.version::<TypeDocument>(&namespace, &name, None).await.unwrap();
    reader.version::<PipelineDocument>(&namespace, &name, None).await.unwrap();

    let context = id(5 << 32);
    let text = context.to_string();
    assert_eq!(reader.resolve::<ContextDocument>(&namespace, &text).await.unwrap(), context);
    let many = reader.resolve::<ContextDocument>(&namespace, "0000").await;
    assert!(matches!(many, Err(Error::Ambiguous { .. })));
    let none = reader.resolve::<ContextDocument>(&namespace, "ffff").await;
    assert!(matches!(none, Err(Error::NotFound { .. })));
    let other = "other".parse().unwrap();
    assert!(reader.record::<ContextDocument>(&other, context).await.is_err());

    let mut query = EventQuery { context_id: Some(context), limit: 3, ..EventQuery::default() };
    let page = reader.events(&query).await.unwrap();
    let names: Vec<&str> = page.items.iter().map(|event| event.type_.as_str()).collect();
    assert_eq!(names, ["ContextOpened", "TaskSpawned", "TaskSpawned"]);
    query.cursor = page.next_cursor;
    assert!(reader.events(&query).await.unwrap().items[0].stream_seq > page.items[2].stream_seq);

    let late = reader.wait_for(last + 1, Duration::from_millis(10)).await;
    assert!(matches!(late, Err(Error::NotReached { reached, .. }) if reached == last));
}

#[tokio::test]
async fn changes_come_in_order_and_each_record_once_where_it_changed_last() {
    let Some(postgres) = Postgres::start().await else { return };
    let database = postgres.open("ktk").await;
    let events = everything();
    let projector = Projector::new(database.clone(), CREATED);
    let reader = Reader::start(database).await.unwrap();
    let finished = Filter { status: Some("finished".into()), ..Filter::default() };

    // Pages end in the middle of what one event changed, and records change between pages.
    let mut seen: BTreeMap<Id, TaskDocument> = BTreeMap::new();
    let mut after = Mark::default();
    for batch in events.chunks(9) {
        projector.apply_batch(batch).await.unwrap();
        let changes = reader.changed_tasks(&Filter::default(), after, 7).await.unwrap();
        assert!(changes.items.len() <= 7);
        let places = changes.items.iter().map(|task| (task.stream_seq, task.id));
        assert!(places.clone().is_sorted() && changes.next > after);
        assert!(places.clone().all(|(stream_seq, id)| Mark { stream_seq, id } > after));
        after = changes.next;
        seen.extend(changes.items.into_iter().map(|task| (task.id, task)));
    }
    loop {
        let changes = reader.changed_tasks(&Filter::default(), after, 7).await.unwrap();
        after = changes.next;
        seen.extend(changes.items.into_iter().map(|task| (task.id, task)));
        if changes.is_complete {
            break;
        }
    }
    assert_eq!(after, Mark::behind(events.last().unwrap().stream_seq));
    let query = Query { limit: 1_000, ..Query::default() };
    let now = reader.tasks(&query).await.unwrap().items;
    assert_eq!(seen.len(), now.len());
    for task in &now {
        assert_eq!(
            (seen[&task.id].stream_seq, seen[&task.id].status),
            (task.stream_seq, task.status)
        );
        assert_eq!(finished.matches(task), task.status == TaskStatus::Finished);
        assert!(finished.lasting().matches(task));
    }
    let contexts =
        reader.changed_contexts(&Filter::default(), Mark::default(), 1_000).await.unwrap();
    assert_eq!((contexts.items.len(), contexts.is_complete), (40, true));
    let none = reader.changed_contexts(&Filter::default(), contexts.next, 1_000).await.unwrap();
    assert_eq!((none.items.len(), none.next), (0, contexts.next));
}
