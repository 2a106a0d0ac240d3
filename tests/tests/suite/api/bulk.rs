//! The same for many records at once, and labels.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use kantoku_api::{
    Client, Code,
    contract::{
        Bulk, Operation, OperationCancel, OperationGet, OperationList, OperationStart,
        OperationStatus, ResourceAllocate, ResourceList, SpawnResult, TaskCount, TaskGet,
        TaskLabel, TaskList, TaskSpawn, TaskSpawnBatch, TaskWait,
    },
    server::{self, Api, ApiConfig},
};
use kantoku_domain::{Event, Id, Recorded};
use kantoku_projections::{Database, document::TaskStatus};
use kantoku_streams::{Bus, Settings};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

use super::{DEADLINE, Served, apply, call, document, pass, refused};
use crate::stand::Stand;

/// Tasks that nobody runs, with a label.
async fn spawn(client: &Client, count: usize, namespace: &str, team: &str) -> Vec<Id> {
    let task = json!({
        "specification": "pass", "inputs": {"x": {"value": 1}}, "labels": {"team": team},
    });
    let params = json!({"namespace": namespace, "tasks": vec![task; count]});
    let spawned = call::<TaskSpawnBatch>(client, params).await.expect("spawned");
    let min_seq = json!({"min_seq": spawned.stream_seq, "timeout": "60s"});
    call::<TaskCount>(client, min_seq).await.expect("the read model shows them");
    let ids = spawned.results.into_iter().map(|result| match result {
        SpawnResult::Result(spawned) => spawned.task_id,
        SpawnResult::Error { message, .. } => panic!("{message}"),
    });
    ids.collect()
}

async fn applied(client: &Client, namespace: &str) {
    let params = json!({"namespace": namespace, "documents": [pass()]});
    call::<kantoku_api::contract::ManifestApply>(client, params).await.expect("applied");
}

async fn get(client: &Client, id: Id) -> Operation {
    call::<OperationGet>(client, json!({ "id": id })).await.expect("known")
}

/// The operation once it is so.
async fn until(client: &Client, id: Id, is_so: impl Fn(&Operation) -> bool) -> Operation {
    let so = async {
        loop {
            let operation = get(client, id).await;
            if is_so(&operation) {
                return operation;
            }
        }
    };
    tokio::time::timeout(DEADLINE, so).await.expect("it comes to that")
}

async fn ended(client: &Client, id: Id) -> (Operation, Bulk) {
    let operation = until(client, id, |it| it.status != OperationStatus::Running).await;
    let bulk = operation.bulk.clone().expect("over many records");
    (operation, bulk)
}

/// How often each task was cancelled, and by which operation.
async fn cancelled(bus: &Bus) -> BTreeMap<Id, Vec<Recorded>> {
    let head = bus.head().await.expect("the stream answers");
    let events = bus.between(1, head).await.expect("the stream answers");
    let mut by_task = BTreeMap::<Id, Vec<Recorded>>::new();
    for event in events.into_iter().filter(|it| matches!(it.event, Event::TaskCancelled(_))) {
        by_task.entry(event.id).or_default().push(event);
    }
    by_task
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_preview_shows_is_what_is_cancelled_and_nothing_else() {
    let served = Served::start().await;
    let client = served.client().await;
    applied(&client, "default").await;
    applied(&client, "away").await;
    let mine = spawn(&client, 2_000, "default", "a").await;
    spawn(&client, 30, "default", "b").await;
    let foreign = spawn(&client, 30, "away", "a").await;
    let order = json!({
        "action": {"cancel": {"reason": "not needed"}}, "filter": {"labels.team": "a"},
        "where": "status == 'initialized'",
    });
    let with = |more: Value| {
        let mut params = order.clone();
        params.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        params
    };
    let preview = call::<OperationStart>(&client, with(json!({"dry_run": true}))).await;
    let preview = preview.expect("previewed");
    assert_eq!((preview.count, preview.sample.len(), preview.operation_id), (2_000, 20, None));
    assert!(preview.sample.iter().all(|task| task["labels"]["team"] == "a"));
    assert!(cancelled(&served.stand.bus).await.is_empty(), "a preview does nothing");

    let other = call::<OperationStart>(&client, with(json!({"expect_count": 1_999}))).await;
    let other = refused(other);
    assert_eq!((other.code, other.data.current.as_deref()), (Code::Conflict, Some("2000")));
    let start = with(json!({"expect_count": preview.count, "idempotency_key": "once"}));
    let started = call::<OperationStart>(&client, start.clone()).await.expect("started");
    let again = call::<OperationStart>(&client, start.clone()).await.expect("known");
    assert_eq!((again.operation_id, again.count), (started.operation_id, 2_000));
    let mut wrong = start;
    wrong["action"] = json!({"cancel": {"reason": "another"}});
    assert_eq!(refused(call::<OperationStart>(&client, wrong).await).code, Code::Rejected);
    let id = started.operation_id.expect("an operation");
    let (operation, bulk) = ended(&client, id).await;
    assert_eq!(operation.status, OperationStatus::Done);
    assert_eq!((bulk.changed, bulk.unchanged, bulk.refused), (2_000, 0, 0), "{bulk:?}");
    assert_eq!((operation.done, operation.total), (2_000, 2_000));

    let by_task = cancelled(&served.stand.bus).await;
    assert_eq!(by_task.keys().copied().collect::<Vec<_>>(), {
        let mut mine = mine.clone();
        mine.sort_unstable();
        mine
    });
    for events in by_task.values() {
        let [event] = events.as_slice() else { panic!("twice: {events:?}") };
        assert_eq!(event.metadata.causation_id, Some(id));
        assert_eq!(event.metadata.actor, "anonymous");
    }
    // Of another namespace there is nothing to see, and nothing was touched.
    let away = json!({"namespace": "away", "id": id});
    assert_eq!(refused(call::<OperationGet>(&client, away.clone()).await).code, Code::NotFound);
    assert_eq!(refused(call::<OperationCancel>(&client, away).await).code, Code::NotFound);
    let away = call::<OperationList>(&client, json!({"namespace": "away"})).await.expect("listed");
    assert_eq!(away.items, []);
    let task = json!({"namespace": "away", "id": foreign[0]});
    let task = call::<TaskGet>(&client, task).await.expect("there");
    assert_eq!(task.status, TaskStatus::Initialized);
    let listed = call::<OperationList>(&client, json!({})).await.expect("listed");
    assert_eq!(listed.items, [operation]);
    let over = refused(call::<OperationCancel>(&client, json!({"id": id})).await);
    assert_eq!(over.data.reason, "terminal");

    // What is so already, or refused, is told apart.
    let head = served.stand.bus.head().await.expect("the stream answers");
    let rest = json!({
        "action": {"cancel": {}}, "min_seq": head,
        "where": "labels.team == 'a' || labels.team == 'b'",
    });
    let started = call::<OperationStart>(&client, rest).await.expect("started");
    let (_, bulk) = ended(&client, started.operation_id.expect("an operation")).await;
    assert_eq!((bulk.changed, bulk.unchanged, bulk.refused), (30, 2_000, 0), "{bulk:?}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_that_are_about_everything_are_refused() {
    let served = Served::start().await;
    let client = served.client().await;
    let everything = [
        json!({}),
        json!({"filter": {}}),
        json!({"where": " "}),
        json!({"filter": {"$and": [{}]}}),
        json!({"filter": {"$or": [{}, {"status": "ready"}]}}),
        json!({"filter": {"id": {"$exists": true}}}),
        json!({"where": "has(status) || attempt > 3"}),
    ];
    for mut params in everything {
        for dry_run in [true, false] {
            params["action"] = json!({"cancel": {}});
            params["dry_run"] = dry_run.into();
            let filter = params.clone();
            let result = client
                .call::<OperationStart>(&serde_json::from_value(params.clone()).expect("read"))
                .await;
            let error = refused(result);
            assert_eq!(error.code, Code::Invalid, "{filter}: {error}");
        }
    }
    let empty = json!({"action": {"cancel": {}}});
    let error = refused(call::<OperationStart>(&client, empty).await);
    assert_eq!(error.data.reason, "empty_filter");
    assert!(error.message.contains("say which are meant"), "{error}");
    // What nothing is to be done with is said, too.
    let wrong = [
        (json!({"action": {"label": {"set": {"a": "b"}}}, "kind": "context"}), "kind"),
        (json!({"action": {"release": {}}}), "kind"),
        (json!({"action": {"label": {}}}), "action.label.set"),
        (json!({"action": {"cancel": {}}}), "filter"),
    ];
    for (mut params, field) in wrong {
        params["where"] = "created_at < now - duration('1h')".into();
        let error = refused(call::<OperationStart>(&client, params).await);
        assert_eq!(error.data.field.as_deref(), Some(field), "{error}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_stopped_leaves_the_rest_alone() {
    let served = Served::start().await;
    let client = served.client().await;
    applied(&client, "default").await;
    spawn(&client, 2_000, "default", "a").await;
    let start = json!({"action": {"cancel": {}}, "filter": {"labels.team": "a"}});
    let started = call::<OperationStart>(&client, start).await.expect("started");
    let id = started.operation_id.expect("an operation");
    until(&client, id, |it| it.done > 0).await;
    call::<OperationCancel>(&client, json!({"id": id})).await.expect("ordered");
    let (operation, bulk) = ended(&client, id).await;
    assert_eq!(operation.status, OperationStatus::Cancelled);
    assert_eq!(bulk.cancelled_by.as_deref(), Some("anonymous"));
    assert!(operation.done > 0 && operation.done < operation.total, "{operation:?}");
    let by_task = cancelled(&served.stand.bus).await;
    assert_eq!(by_task.len() as u64, bulk.changed);
    assert_eq!(bulk.changed, operation.done);
    // Told again, it is as it was.
    let again = call::<OperationCancel>(&client, json!({"id": id})).await.expect("so already");
    assert_eq!(again, operation);
    served.stop().await;
}

/// A server with a runtime of its own: it can be torn down wherever it is, as a crash would have it.
async fn process(stand: &Stand, name: &str) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().expect("a runtime");
    let (nats, database) = (stand.nats_url().to_owned(), stand.database_url().to_owned());
    let mut config = ApiConfig::new(name);
    config.limits.operation_lease = Duration::from_secs(1);
    let limits = config.limits.clone();
    let started = runtime.spawn(async move {
        let bus = Bus::open(&nats, "test", DEADLINE, &Settings::default()).await.expect("opened");
        let database = Database::open(&database, "ktk", 4).await.expect("opened");
        let api = Api::start(bus, database, config).await.expect("it starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = server::router(&api);
        tokio::spawn(async move {
            server::serve(listener, app, &limits, None, CancellationToken::new()).await
        });
        address
    });
    let address = started.await.expect("it serves");
    (runtime, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_dies_in_the_middle_of_another_ends_and_nothing_is_done_twice() {
    let stand = Box::new(Box::pin(Stand::with_postgres()).await);
    let projector = stand.projector("ktk").await;
    let (first, address) = process(&stand, "first").await;
    let url = format!("http://{address}");
    let client = Client::connect(&url, DEADLINE).await.expect("connected");
    applied(&client, "default").await;
    spawn(&client, 2_000, "default", "a").await;
    let start = json!({"action": {"cancel": {}}, "filter": {"labels.team": "a"}});
    let started = call::<OperationStart>(&client, start).await.expect("started");
    let id = started.operation_id.expect("an operation");
    until(&client, id, |it| it.done > 0).await;
    first.shutdown_background();

    let (second, address) = process(&stand, "second").await;
    let url = format!("http://{address}");
    let client = Client::connect(&url, DEADLINE).await.expect("connected");
    let left = get(&client, id).await;
    assert_eq!(left.status, OperationStatus::Running);
    assert!(left.done < left.total, "it was over before the crash: {left:?}");
    let (operation, bulk) = ended(&client, id).await;
    assert_eq!((operation.status, operation.done), (OperationStatus::Done, 2_000));
    assert_eq!((bulk.changed, bulk.unchanged, bulk.refused), (2_000, 0, 0), "{bulk:?}");
    let by_task = cancelled(&stand.bus).await;
    assert_eq!(by_task.len(), 2_000);
    assert!(by_task.values().all(|events| events.len() == 1), "a task was cancelled twice");
    let services = by_task.values().flatten().map(|event| event.metadata.service_id.as_str());
    let services: std::collections::BTreeSet<&str> = services.collect();
    assert_eq!(services.into_iter().collect::<Vec<_>>(), ["first", "second"]);
    second.shutdown_background();
    projector.stop().await;
    Box::pin(stand.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_tasks_are_restarted_by_filter() {
    let served = Served::start().await;
    let (node, executor) = (served.stand.node("node").await, served.stand.executor("executor"));
    let client = served.client().await;
    let flaky = |executable: Value| {
        let spec = json!({"outputs": {}, "executable": executable, "retry": {"attempts": 1}});
        document("Specification", "flaky", &spec)
    };
    let fails = json!({"type": "process", "command": ["sh", "-c", "exit 3"]});
    apply(&client, vec![flaky(fails)]).await.expect("applied");
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let task = json!({"specification": "flaky"});
        tasks.push(call::<TaskSpawn>(&client, task).await.expect("spawned").task_id);
    }
    for id in &tasks {
        let wait = json!({"id": id, "timeout": "60s"});
        assert!(call::<TaskWait>(&client, wait).await.expect("waited").done);
    }
    apply(&client, vec![flaky(json!({"type": "noop"}))]).await.expect("mended");
    let head = served.stand.bus.head().await.expect("the stream answers");
    let start = json!({
        "action": {"restart": {"version": "latest", "reason": "mended"}},
        "where": "sub_status == 'failed' && specification == 'flaky'", "min_seq": head,
    });
    let started = call::<OperationStart>(&client, start).await.expect("started");
    assert_eq!(started.count, 6);
    let (_, bulk) = ended(&client, started.operation_id.expect("an operation")).await;
    assert_eq!((bulk.changed, bulk.refused), (6, 0), "{bulk:?}");
    let head = served.stand.bus.head().await.expect("the stream answers");
    for id in &tasks {
        let task =
            call::<TaskGet>(&client, json!({"id": id, "min_seq": head})).await.expect("there");
        let successor = task.restarted_as.expect("it was restarted");
        let wait = json!({"id": successor, "timeout": "60s"});
        let waited = call::<TaskWait>(&client, wait).await.expect("waited");
        assert_eq!((waited.done, waited.error), (true, None));
    }
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_labelled_whatever_they_are_and_found_by_it() {
    let served = Served::start().await;
    let client = served.client().await;
    applied(&client, "default").await;
    let ids = spawn(&client, 3, "default", "a").await;
    let label = |more: Value| {
        let mut params = json!({"id": ids[0]});
        params.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        params
    };
    let set = label(json!({"set": {"triage": "open"}, "idempotency_key": "k"}));
    let first = call::<TaskLabel>(&client, set.clone()).await.expect("labelled");
    assert_eq!(first.labels["triage"], "open");
    assert_eq!(first.labels["team"], "a", "those that it was spawned with stay");
    assert_eq!(call::<TaskLabel>(&client, set).await.expect("known").stream_seq, first.stream_seq);
    let other = label(json!({"set": {"team": "b"}}));
    assert_eq!(refused(call::<TaskLabel>(&client, other).await).data.reason, "already_exists");
    let other = label(json!({"set": {"team": "b"}, "remove": ["triage"], "overwrite": true}));
    let other = call::<TaskLabel>(&client, other).await.expect("overwritten");
    assert_eq!(other.labels, BTreeMap::from([("team".to_owned(), "b".to_owned())]));
    let same = label(json!({"set": {"team": "b"}, "remove": ["nothing"]}));
    let same = call::<TaskLabel>(&client, same).await.expect("so already");
    assert_eq!(same.stream_seq, other.stream_seq, "there is no event where nothing changes");
    let missing = label(json!({"set": {"": "b"}}));
    assert_eq!(refused(call::<TaskLabel>(&client, missing).await).code, Code::Invalid);
    let list = json!({"filter": {"labels.team": "b"}, "min_seq": other.stream_seq});
    let found = call::<TaskList>(&client, list).await.expect("listed").items;
    assert_eq!(found.iter().map(|task| task.id).collect::<Vec<_>>(), [ids[0]]);

    // By filter, one of them ended.
    let cancel = json!({"id": ids[1]});
    call::<kantoku_api::contract::TaskCancel>(&client, cancel).await.expect("cancelled");
    let head = served.stand.bus.head().await.expect("the stream answers");
    let start = json!({
        "action": {"label": {"set": {"triage": "done"}}}, "where": "specification == 'pass'",
        "min_seq": head,
    });
    let started = call::<OperationStart>(&client, start).await.expect("started");
    let (_, bulk) = ended(&client, started.operation_id.expect("an operation")).await;
    assert_eq!((bulk.changed, bulk.unchanged, bulk.refused), (3, 0, 0), "{bulk:?}");
    let head = served.stand.bus.head().await.expect("the stream answers");
    let list = json!({"filter": {"labels.triage": "done"}, "min_seq": head});
    assert_eq!(call::<TaskList>(&client, list).await.expect("listed").items.len(), 3);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_released_by_filter_and_refusals_are_named() {
    let served = Served::start().await;
    let client = served.client().await;
    applied(&client, "default").await;
    // The outputs of a task are its own: these are refused.
    spawn(&client, 2, "default", "a").await;
    let allocate = json!({"count": 3, "type": "unknown"});
    let allocated = call::<ResourceAllocate>(&client, allocate).await.expect("allocated");
    let start = json!({
        "action": {"release": {}}, "kind": "resource", "where": "status == 'allocated'",
        "min_seq": allocated.stream_seq,
    });
    let started = call::<OperationStart>(&client, start).await.expect("started");
    assert_eq!(started.count, 5);
    let (operation, bulk) = ended(&client, started.operation_id.expect("an operation")).await;
    assert_eq!((operation.status, bulk.changed, bulk.refused), (OperationStatus::Done, 3, 2));
    assert_eq!(bulk.refusals.len(), 2);
    assert!(bulk.refusals.iter().all(|it| !it.message.is_empty() && !it.reason.is_empty()));
    let head = served.stand.bus.head().await.expect("the stream answers");
    let list = json!({"filter": {"status": "released"}, "min_seq": head});
    assert_eq!(call::<ResourceList>(&client, list).await.expect("listed").items.len(), 3);
    served.stop().await;
}
