//! Spawning, running, cancelling, resources.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use kantoku_api::{
    Code,
    contract::{
        PipelineRun, ResourceAllocate, ResourceInitialize, ResourceLoad, ResourceRelease,
        SpawnResult, TaskCancel, TaskGet, TaskList, TaskSpawn, TaskSpawnBatch,
    },
};
use kantoku_domain::{Event, Kind, Namespace, Recorded};
use kantoku_projections::document::TaskStatus;
use serde_json::{Value, json};

use super::{Served, apply, call, document, pass, refused};

fn spawn(x: &Value) -> Value {
    json!({"specification": "pass", "inputs": {"x": {"value": x}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_read_as_soon_as_it_is_spawned() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let mut params = spawn(&json!("hello"));
    params["labels"] = json!({"team": "a"});
    params["priority"] = json!(7);
    params["retry"] = json!({"attempts": 5});
    let spawned = call::<TaskSpawn>(&client, params).await.expect("spawned");
    let get = json!({"id": spawned.task_id, "min_seq": spawned.stream_seq});
    let task = call::<TaskGet>(&client, get).await.expect("there");
    assert_eq!((task.id, task.context_id), (spawned.task_id, spawned.context_id));
    assert_eq!((task.priority, task.retry.attempts), (7, 5));
    assert_eq!(task.outputs["x"].id, spawned.outputs["x"]);
    assert_eq!(task.id.partition(), task.context_id.partition());
    let event = served.stand.bus.event_at(spawned.stream_seq).await.expect("there");
    assert_eq!(
        (event.metadata.actor.as_str(), event.metadata.service_id.as_str()),
        ("anonymous", "api-1")
    );

    let list = json!({"filter": {"labels.team": "a", "status": "initialized"}});
    let page = call::<TaskList>(&client, list).await.expect("listed");
    assert_eq!(page.items.len(), 1);
    let late = json!({"id": spawned.task_id, "min_seq": 1_000_000, "timeout": "50ms"});
    assert_eq!(refused(call::<TaskGet>(&client, late).await).code, Code::PositionNotReached);
    let nobody = json!({"id": "00000000-0000-7000-8000-000000000000"});
    assert_eq!(refused(call::<TaskGet>(&client, nobody).await).code, Code::NotFound);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_task_whatever_becomes_of_its_specification() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let mut params = spawn(&json!("x".repeat(100_000)));
    params["idempotency_key"] = json!("k");
    let first = call::<TaskSpawn>(&client, params.clone()).await.expect("spawned");
    assert_eq!(call::<TaskSpawn>(&client, params.clone()).await.expect("again"), first);

    // A version that the first call would not fit.
    let mut stricter = pass();
    stricter["spec"]["inputs"] = json!({"x": "number", "y": "string"});
    apply(&client, vec![stricter]).await.expect("applied");
    assert_eq!(call::<TaskSpawn>(&client, params.clone()).await.expect("again"), first);

    for (field, value) in [
        ("inputs", json!({"x": {"value": "other"}})),
        ("inputs", json!({})),
        ("priority", json!(1)),
        ("labels", json!({"a": "b"})),
    ] {
        let mut other = params.clone();
        other[field] = value;
        let error = refused(call::<TaskSpawn>(&client, other).await);
        assert_eq!((error.code, error.data.reason.as_str()), (Code::Rejected, "already_exists"));
        assert_eq!(error.data.field.as_deref(), Some("idempotency_key"));
    }
    let (ledger, namespace) = (served.stand.bus.ledger(), Namespace::default());
    let events = ledger.history(&namespace, Kind::Task, first.task_id, 0).await;
    assert_eq!(events.expect("read").len(), 1);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_clients_with_the_same_keys_spawn_each_task_once() {
    const TASKS: usize = 25;
    let served = Served::start().await;
    apply(&served.client().await, vec![pass()]).await.expect("applied");
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = served.client().await;
        clients.spawn(async move {
            let mut ids = Vec::new();
            for n in 0..TASKS {
                let mut params = spawn(&json!(n));
                params["idempotency_key"] = json!(format!("k{n}"));
                ids.push(call::<TaskSpawn>(&client, params).await.expect("spawned"));
            }
            ids
        });
    }
    let all = clients.join_all().await;
    assert!(all.iter().all(|ids| *ids == all[0]), "each client got the same tasks");
    let mut spawned = BTreeSet::new();
    let mut replay = served.stand.bus.replay(1).await.expect("it answers");
    while let Some(page) = replay.next_page().await.expect("read") {
        for recorded in page {
            let recorded = recorded.expect("it can be read");
            if matches!(recorded.event, Event::TaskSpawned(_)) {
                assert!(spawned.insert(recorded.id), "{} was spawned twice", recorded.id);
            }
        }
    }
    assert_eq!(spawned.len(), TASKS);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_task_of_a_batch_has_its_own_result_in_its_place() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let mut tasks: Vec<Value> = (0..2_000).map(|n| spawn(&json!(n))).collect();
    tasks[7] = json!({"specification": "pas", "inputs": {}});
    tasks[8] = json!({"specification": "pass", "inputs": {"z": {"value": 1}}});
    let batch = call::<TaskSpawnBatch>(&client, json!({ "tasks": tasks })).await.expect("done");
    assert_eq!(batch.results.len(), 2_000);
    let ids: BTreeSet<_> = batch
        .results
        .iter()
        .filter_map(|result| match result {
            SpawnResult::Result(spawned) => Some(spawned.task_id),
            SpawnResult::Error { .. } => None,
        })
        .collect();
    assert_eq!(ids.len(), 1_998);
    let SpawnResult::Error { code, message, .. } = &batch.results[7] else { panic!("7 is wrong") };
    assert_eq!(*code, 1002);
    assert!(message.contains("did you mean \"pass\""), "{message}");
    let SpawnResult::Error { code, data, .. } = &batch.results[8] else { panic!("8 is wrong") };
    assert_eq!((*code, data.field.as_deref()), (1003, Some("inputs.z")));
    assert_eq!(batch.stream_seq, served.stand.bus.head().await.expect("it answers"));

    let tasks = vec![spawn(&json!(1)); 10_001];
    let error = refused(call::<TaskSpawnBatch>(&client, json!({ "tasks": tasks })).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Limit, Some("tasks")));
    let error = refused(call::<TaskSpawn>(&client, spawn(&json!("x".repeat(33 << 20)))).await);
    assert_eq!(error.code, Code::Limit);
    let large = spawn(&json!("x".repeat(31 << 20)));
    call::<TaskSpawn>(&client, large)
        .await
        .expect("the connection lives, and this is not too much");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_runs_with_its_parameters_and_once_per_key() {
    let served = Served::start().await;
    let client = served.client().await;
    let pipeline = document(
        "Pipeline",
        "two",
        &json!({
            "params": {"page": "string", "n": {"optional": "number"}},
            "tasks": {
                "a": {"use": "pass", "with": {"x": "$params.page"}},
                "b": {"use": "pass", "with": {"x": "$a.x"}},
            },
            "outputs": {"page": "$b.x"},
        }),
    );
    apply(&client, vec![pipeline, pass()]).await.expect("documents come in any order");
    let (node, executor) = (served.stand.node("node").await, served.stand.executor("executor"));
    let page = "page ".repeat(50_000);
    let params = json!({"name": "two", "params": {"page": page}, "idempotency_key": "k"});
    let run = call::<PipelineRun>(&client, params.clone()).await.expect("started");
    assert_eq!((run.tasks, run.version), (2, 1));
    assert_eq!(call::<PipelineRun>(&client, params.clone()).await.expect("again"), run);
    let mut other = params.clone();
    other["params"]["page"] = json!("other ".repeat(50_000));
    assert_eq!(refused(call::<PipelineRun>(&client, other).await).code, Code::Rejected);
    let mut other = params;
    other["params"]["n"] = json!(1);
    assert_eq!(refused(call::<PipelineRun>(&client, other).await).code, Code::Rejected);

    crate::history::History::follow(&served.stand.bus, run.context_id, super::DEADLINE).await;
    let head = served.stand.bus.head().await.expect("it answers");
    let load = json!({"id": run.outputs["page"], "min_seq": head});
    assert_eq!(call::<ResourceLoad>(&client, load).await.expect("a value").value, json!(page));

    for (params, field) in [
        (json!({}), "params.page"),
        (json!({"page": 7}), "params.page"),
        (json!({"page": "a", "pgae": "b"}), "params.pgae"),
    ] {
        let run = json!({"name": "two", "params": params});
        let error = refused(call::<PipelineRun>(&client, run).await);
        assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some(field)));
    }
    let error = refused(call::<PipelineRun>(&client, json!({"name": "tow"})).await);
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains("\"two\""), "{}", error.message);
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_resolved_once_and_by_its_type() {
    let served = Served::start().await;
    let client = served.client().await;
    let word = document("Type", "word", &json!({"type": "string"}));
    apply(&client, vec![word]).await.expect("applied");
    let params = json!({"count": 3, "type": {"array": {"ref": "word"}}, "idempotency_key": "k"});
    let allocated = call::<ResourceAllocate>(&client, params.clone()).await.expect("allocated");
    assert_eq!(call::<ResourceAllocate>(&client, params).await.expect("again").ids, allocated.ids);
    let [a, b, c] = allocated.ids[..] else { panic!("three") };

    let large = json!(vec!["w".repeat(1_000); 100]);
    let items = json!([
        {"id": a, "value": ["one"]}, {"id": b, "value": [1]}, {"id": c, "value": large},
        {"id": a, "value": ["two"]},
    ]);
    let done = call::<ResourceInitialize>(&client, json!({ "items": items })).await.expect("done");
    assert!(done.errors[0].is_none() || done.errors[3].is_none(), "{:?}", done.errors);
    assert!(done.errors[0].is_some() || done.errors[3].is_some(), "only one value is taken");
    assert!(done.errors[1].as_ref().is_some_and(|e| e.contains("$[0]: expected string")));
    assert_eq!(done.errors[2], None);
    let load = json!({"id": c, "min_seq": done.stream_seq});
    assert_eq!(call::<ResourceLoad>(&client, load).await.expect("loaded").value, large);
    let error = refused(call::<ResourceLoad>(&client, json!({ "id": b })).await);
    assert_eq!((error.code, error.data.current.as_deref()), (Code::Rejected, Some("allocated")));

    call::<ResourceRelease>(&client, json!({ "ids": [b] })).await.expect("released");
    let late = json!({"items": [{"id": b, "value": ["x"]}]});
    assert_eq!(refused(call::<ResourceInitialize>(&client, late).await).data.reason, "terminal");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_a_task_is_resolved_by_nobody_else() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let spawned = call::<TaskSpawn>(&client, spawn(&json!(1))).await.expect("spawned");
    let items = json!([{"id": spawned.outputs["x"], "value": "forged"}]);
    let error = refused(call::<ResourceInitialize>(&client, json!({ "items": items })).await);
    assert_eq!(error.data.reason, "not_custodian");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_takes_its_children_along_even_after_its_end() {
    let served = Served::start().await;
    let client = served.client().await;
    let parent = document(
        "Specification",
        "parent",
        &json!({
            "outputs": {"x": "unknown"},
            "executable": {"type": "rhai", "script":
                "#{\"spawn\": [#{key: \"c\", specification: \"nap\", inputs: #{}}], \
                   delegate: #{x: \"c.x\"}}"},
        }),
    );
    let nap = document(
        "Specification",
        "nap",
        &json!({
            "outputs": {"x": "unknown"},
            "executable": {"type": "sleep", "duration": "10m"},
        }),
    );
    apply(&client, vec![parent, nap]).await.expect("applied");
    let (node, executor) = (served.stand.node("node").await, served.stand.executor("executor"));
    let spawned =
        call::<TaskSpawn>(&client, json!({"specification": "parent"})).await.expect("spawned");
    let received = |recorded: &Recorded| matches!(recorded.event, Event::TaskReceived(_));
    let child = served.until(|event| received(event) && event.id != spawned.task_id).await;
    let cancel = json!({"id": spawned.task_id, "reason": "enough"});
    let done = call::<TaskCancel>(&client, cancel.clone()).await.expect("cancelled");
    // It may have ended by the time of the answer.
    assert!(done.alive.iter().all(|it| it.task_id == child.id), "{done:?}");
    let cancelled = |event: &Recorded| matches!(event.event, Event::TaskCancelled(_));
    let end = served.until(|event| cancelled(event) && event.id == child.id).await;
    let get = json!({"id": child.id, "min_seq": end.stream_seq});
    let task = call::<TaskGet>(&client, get).await.expect("there");
    assert_eq!((task.status, task.reason.as_deref()), (TaskStatus::Cancelled, Some("enough")));
    assert_eq!(task.cancelled_by.as_deref(), Some("anonymous"));
    // Whoever orders it again is told what runs still, until nothing does.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let again = call::<TaskCancel>(&client, cancel.clone()).await.expect("it was before");
        assert_eq!(again.stream_seq, done.stream_seq);
        assert!(again.alive.iter().all(|it| it.task_id == child.id), "{again:?}");
        if again.alive_total == Some(0) {
            break;
        }
        assert!(Instant::now() < deadline, "it runs on: {again:?}");
    }
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}
