//! Waiting and following: at once, without gap, whoever is slow.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _};
use kantoku_api::{
    Client, Code,
    contract::{
        ContextSubscribe, ContextWait, EventExport, EventList, EventSubscribe, PipelineRun,
        ResourceAllocate, ResourceRelease, Subscription, TaskCancel, TaskChanged, TaskList,
        TaskSpawn, TaskSubscribe, TaskWait,
    },
    server::ApiConfig,
};
use kantoku_domain::{Event, Id, Recorded, task::Outcome};
use kantoku_projections::document::{ContextStatus, TaskStatus};
use serde_json::{Value, json};

use super::{DEADLINE, Served, apply, call, document, pass, refused, socket::Socket};

/// Hands its input on after a moment.
fn nap() -> Value {
    document(
        "Specification",
        "nap",
        &json!({
            "inputs": {"x": {"optional": "unknown"}}, "outputs": {"x": "unknown"},
            "executable": {"type": "sleep", "duration": "300ms", "outputs": {"x": "rested"}},
        }),
    )
}

/// `steps` no-ops, each but the first reading from an earlier one.
fn tree(steps: usize) -> Value {
    let step = |n: usize| match n {
        0 => json!({"use": "pass", "with": {"x": 1}}),
        _ => json!({"use": "pass", "with": {"x": format!("$s{}.x", (n - 1) / 3)}}),
    };
    let tasks: serde_json::Map<_, _> = (0..steps).map(|n| (format!("s{n}"), step(n))).collect();
    document("Pipeline", "tree", &json!({"tasks": tasks, "outputs": {"last": "$s1.x"}}))
}

fn spawn(specification: &str, x: &Value) -> Value {
    json!({"specification": specification, "inputs": {"x": {"value": x}}})
}

pub(super) async fn subscribe<S: Subscription>(
    client: &Client,
    params: Value,
) -> impl Stream<Item = Result<S::Item, serde_json::Error>> + Unpin + use<S> {
    let params = serde_json::from_value(params).expect("parameters of the method");
    client.subscribe::<S>(&params).await.expect("subscribed")
}

/// The next notification.
pub(super) async fn next<T>(
    subscription: &mut (impl Stream<Item = Result<T, serde_json::Error>> + Unpin),
) -> T {
    let next = tokio::time::timeout(DEADLINE, subscription.next()).await.expect("in time");
    next.expect("it goes on").expect("an item")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_waited_for_no_longer_than_it_takes() {
    const TASKS: usize = 60;
    let served = Served::start().await;
    let node = served.stand.node("node").await;
    let executor = served.stand.executor("executor");
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let mut took = Vec::new();
    for n in 0..TASKS {
        let began = Instant::now();
        let spawned = call::<TaskSpawn>(&client, spawn("pass", &json!(n))).await.expect("spawned");
        let wait = json!({"id": spawned.task_id});
        let waited = call::<TaskWait>(&client, wait).await.expect("waited");
        took.push(began.elapsed());
        assert_eq!((waited.done, waited.task_id), (true, spawned.task_id));
        assert_eq!((waited.status, waited.sub_status), (TaskStatus::Finished, Some(Outcome::Ok)));
        assert_eq!(waited.outputs["x"], json!(n));
        assert!(waited.stream_seq > spawned.stream_seq);
        // Long over, it is the same.
        let again = call::<TaskWait>(&client, json!({"id": spawned.task_id})).await;
        assert_eq!(again.expect("waited"), waited);
    }
    took.sort_unstable();
    let (middle, last) = (took[TASKS / 2], took[TASKS - 1]);
    eprintln!("spawn to result of a single task: p50 {middle:?}, max {last:?}");
    assert!(middle < Duration::from_millis(250), "{middle:?}");
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_a_task_ends_the_wait() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass(), nap()]).await.expect("applied");
    // Nobody runs it.
    let spawned = call::<TaskSpawn>(&client, spawn("pass", &json!(1))).await.expect("spawned");
    let short = json!({"id": spawned.task_id, "timeout": "50ms"});
    let waited = call::<TaskWait>(&client, short).await.expect("waited");
    assert_eq!((waited.done, waited.status), (false, TaskStatus::Initialized));

    let wait = json!({"id": spawned.task_id});
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { call::<TaskWait>(&client, wait).await }
    });
    let cancel = json!({"id": spawned.task_id, "reason": "enough"});
    call::<TaskCancel>(&client, cancel).await.expect("cancelled");
    let waited = waiting.await.expect("no panic").expect("waited");
    assert_eq!((waited.done, waited.status), (true, TaskStatus::Cancelled));
    assert_eq!(waited.error.as_deref(), Some("enough"));

    let nobody = json!({"id": "00000000-0000-7000-8000-000000000000"});
    assert_eq!(refused(call::<TaskWait>(&client, nobody.clone()).await).code, Code::NotFound);
    assert_eq!(refused(call::<ContextWait>(&client, nobody).await).code, Code::NotFound);
    let long = json!({"id": spawned.task_id, "timeout": "1h"});
    assert_eq!(refused(call::<TaskWait>(&client, long).await).code, Code::Invalid);

    // A wait does not hold up the server's end.
    let spawned = call::<TaskSpawn>(&client, spawn("pass", &json!(2))).await.expect("spawned");
    let wait = json!({"id": spawned.task_id, "timeout": "5m"});
    let waiting = tokio::spawn(async move { call::<TaskWait>(&client, wait).await });
    tokio::time::timeout(DEADLINE, served.stop()).await.expect("it stops");
    assert!(waiting.await.expect("no panic").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_over_when_the_last_child_is() {
    let served = Served::start().await;
    let node = served.stand.node("node").await;
    let executor = served.stand.executor("executor");
    let client = served.client().await;
    let parent = document(
        "Specification",
        "parent",
        &json!({
            "outputs": {"x": "unknown", "large": "unknown"},
            "executable": {"type": "rhai", "script": r#"
                let large = "0123456789";
                for n in 0..14 { large += large; }
                #{ outputs: #{ large: large },
                   "spawn": [#{ key: "child", specification: "nap", inputs: #{} }],
                   delegate: #{ x: "child.x" } }"#},
        }),
    );
    let pipeline = document(
        "Pipeline",
        "family",
        &json!({"tasks": {"p": {"use": "parent"}}, "outputs": {"x": "$p.x", "large": "$p.large"}}),
    );
    apply(&client, vec![pass(), nap(), parent, pipeline, tree(40)]).await.expect("applied");

    let run = call::<PipelineRun>(&client, json!({"name": "family"})).await.expect("started");
    // The read model may not show it yet.
    let short = json!({"id": run.context_id, "timeout": "1ms"});
    match call::<ContextWait>(&client, short).await {
        Ok(waited) => assert!(!waited.done),
        Err(error) => assert_eq!(refused::<()>(Err(error)).code, Code::PositionNotReached),
    }
    let waited = call::<ContextWait>(&client, json!({"id": run.context_id})).await.expect("waited");
    assert_eq!((waited.done, waited.context.status), (true, ContextStatus::Ok));
    assert_eq!((waited.context.tasks.ok, waited.context.tasks.live()), (2, 0));
    assert_eq!(waited.outputs["x"], json!("rested"));
    let size = waited.outputs["large"]["size"].as_u64().expect("where it lies");
    assert!(size > 64 * 1024, "{size}");

    // Many at once, each with its own waiter.
    let waits = (0..5).map(|_| {
        let client = client.clone();
        async move {
            let run = call::<PipelineRun>(&client, json!({"name": "tree"})).await.expect("started");
            call::<ContextWait>(&client, json!({"id": run.context_id})).await.expect("waited")
        }
    });
    for waited in futures::future::join_all(waits).await {
        assert_eq!((waited.done, waited.context.tasks.ok), (true, 40));
        assert_eq!(waited.outputs["last"], json!(1));
    }
    // A single task opens a context of its own.
    let spawned = call::<TaskSpawn>(&client, spawn("nap", &json!(1))).await.expect("spawned");
    let waited = call::<ContextWait>(&client, json!({"id": spawned.context_id})).await;
    let waited = waited.expect("waited");
    assert_eq!((waited.done, waited.context.tasks.ok, waited.outputs.len()), (true, 1, 0));
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

/// All events, as an export gives them.
async fn exported(client: &Client) -> Vec<Recorded> {
    let mut events = Vec::new();
    let mut next = Some(1);
    while let Some(from_seq) = next {
        let params = json!({"from_seq": from_seq});
        let part = call::<EventExport>(client, params).await.expect("exported");
        events.extend(part.events.iter().map(|line| line.read().expect("an event")));
        next = part.next_seq;
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_followed_without_gap_or_repetition() {
    const EVENTS: usize = 2_000;
    let mut config = ApiConfig::new("api-1");
    // Less than what one call appends: whoever follows falls behind and reads the stream.
    config.limits.feed_events_max = 64;
    let served = Served::with(config).await;
    let client = served.client().await;
    let live = subscribe::<EventSubscribe>(&client, json!({})).await;
    let live = tokio::spawn(live.take(EVENTS).map(Result::unwrap).collect::<Vec<_>>());
    let before = call::<ResourceAllocate>(&client, json!({"count": 500})).await.expect("done");
    let all = subscribe::<EventSubscribe>(&client, json!({"from_seq": 1})).await;
    let all = tokio::spawn(all.take(EVENTS + 1).map(Result::unwrap).collect::<Vec<_>>());
    let later = json!({"from_seq": before.stream_seq + 1});
    let later = subscribe::<EventSubscribe>(&client, later).await;
    let later = tokio::spawn(later.take(EVENTS - 500).map(Result::unwrap).collect::<Vec<_>>());
    let mut one = subscribe::<EventSubscribe>(&client, json!({"id": before.ids[7]})).await;
    let none = json!({"type": "TaskFinished", "from_seq": 1});
    let mut none = subscribe::<EventSubscribe>(&client, none).await;
    // One that does not read before all has happened.
    let mut slow = Socket::open(&served).await;
    let asked = slow
        .ask(r#"{"jsonrpc":"2.0","id":1,"method":"event.subscribe","params":{"from_seq":1}}"#)
        .await;
    assert!(asked["result"].is_u64(), "{asked}");
    for _ in 0..3 {
        let count = (EVENTS - 500) / 3;
        call::<ResourceAllocate>(&client, json!({"count": count})).await.expect("done");
    }
    let events = exported(&client).await;
    assert_eq!(events.len(), EVENTS);
    for (n, expected) in events.iter().enumerate() {
        let told = slow.receive().await.expect("it goes on");
        assert_eq!(told["params"]["result"], json!(expected), "event {n}, read late");
    }
    let release = json!({"ids": [before.ids[7]]});
    call::<ResourceRelease>(&client, release).await.expect("done");
    let released = next(&mut one).await;
    assert!(matches!(released.event, Event::ResourceReleased(_)));
    assert_eq!(released.id, before.ids[7]);
    assert!(tokio::time::timeout(Duration::from_millis(50), none.next()).await.is_err());
    assert_eq!(live.await.expect("no panic"), events, "live");
    assert_eq!(later.await.expect("no panic"), events[500..], "from the middle");
    let all = all.await.expect("no panic");
    assert_eq!((&all[..EVENTS], &all[EVENTS]), (&events[..], &released), "from the beginning");

    // The index says the same.
    let list = json!({"id": before.ids[7], "min_seq": released.stream_seq});
    let listed = call::<EventList>(&client, list).await.expect("listed").items;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1], released);
    let page = call::<EventList>(&client, json!({"limit": 700, "after_seq": 100})).await;
    assert_eq!(page.expect("listed").items, events[100..800]);
    let wrong = json!({"type": "TaskFinnished"});
    let error = refused(call::<EventList>(&client, wrong).await);
    assert!(error.message.contains("did you mean \"TaskFinished\""), "{error}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_followed_to_what_they_are_in_the_end() {
    const STEPS: usize = 300;
    let served = Served::start().await;
    let node = served.stand.node("node").await;
    let client = served.client().await;
    apply(&client, vec![pass(), tree(STEPS)]).await.expect("applied");
    let other = call::<TaskSpawn>(&client, spawn("pass", &json!(1))).await.expect("spawned");
    let run = call::<PipelineRun>(&client, json!({"name": "tree"})).await.expect("started");
    let of_run = json!({"context_id": run.context_id});
    let mut waiting = of_run.clone();
    waiting["status"] = json!("initialized");
    let mut all = subscribe::<TaskSubscribe>(&client, json!({"filter": of_run})).await;
    let mut waiting = subscribe::<TaskSubscribe>(&client, json!({"filter": waiting})).await;
    let mut contexts = subscribe::<ContextSubscribe>(&client, json!({})).await;
    // The first step waits for nothing, and may be ready before anybody sees it.
    let is_first = |changed: &TaskChanged| changed.task.step.as_deref() == Some("s0");
    let mut initialized = BTreeSet::new();
    while initialized.len() < STEPS - 1 {
        let changed = next(&mut waiting).await;
        if !is_first(&changed) {
            initialized.insert(changed.task.id);
        }
    }
    let executor = served.stand.executor("executor");

    let mut seen: BTreeMap<Id, TaskChanged> = BTreeMap::new();
    let mut half = 0;
    while seen.values().filter(|changed| changed.task.status.is_terminal()).count() < STEPS {
        let changed = next(&mut all).await;
        assert_eq!(
            (changed.task.context_id, changed.stream_seq),
            (run.context_id, changed.task.stream_seq)
        );
        let before = seen.insert(changed.task.id, changed.clone());
        assert!(before.is_none_or(|before| before.stream_seq < changed.stream_seq), "in order");
        if seen.len() == STEPS / 2 {
            half = changed.stream_seq;
        }
    }
    // What matched and does not any more is told.
    while !initialized.is_empty() {
        let changed = next(&mut waiting).await;
        if !is_first(&changed) && changed.task.status != TaskStatus::Initialized {
            assert!(initialized.remove(&changed.task.id), "told once");
        }
    }
    loop {
        let changed = next(&mut contexts).await;
        if changed.context.id == run.context_id && changed.context.status == ContextStatus::Ok {
            assert_eq!(changed.context.tasks.ok, STEPS as u64);
            break;
        }
    }
    // Whoever comes back is told what has changed since.
    let again = json!({"filter": of_run, "from_seq": half});
    let mut again = subscribe::<TaskSubscribe>(&client, again).await;
    let mut since = BTreeMap::new();
    let expected = seen.values().filter(|changed| changed.stream_seq > half).count();
    while since.len() < expected {
        let changed = next(&mut again).await;
        assert!(changed.stream_seq > half);
        since.insert(changed.task.id, changed);
    }
    let list = json!({"filter": of_run, "limit": 1_000});
    let page = call::<TaskList>(&client, list).await.expect("listed");
    assert_eq!(page.items.len(), STEPS);
    for task in page.items {
        assert_eq!(seen[&task.id].task, task);
        assert!(since.get(&task.id).is_none_or(|changed| changed.task == task));
    }
    assert!(!seen.contains_key(&other.task_id));
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}
