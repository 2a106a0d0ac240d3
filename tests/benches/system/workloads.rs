//! The workloads. Bodies do nothing, except those of W5.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use kantoku_api::{
    Client,
    contract::{
        ContextWait, EventExport, ExportParams, Input, ManifestApply, ManifestParams, PipelineRun,
        RunParams, SpawnBatchParams, SpawnParams, SpawnResult, TaskSpawn, TaskSpawnBatch, TaskWait,
        WaitParams,
    },
};
use kantoku_domain::{Event, Id, Millis, Name};
use serde_json::{Value, json};

pub(crate) const NAMES: [&str; 5] = ["W1", "W2", "W3", "W4", "W5"];

const INDEPENDENT: usize = 10_000;
const SPAWN_BATCH: usize = 1_000;
/// Batches under way at once.
const BATCHES: usize = 4;
const CHAIN: usize = 100;
const FAN: usize = 1_000;
const SINGLES: usize = 200;
const LIGHT: usize = 40;
const WAIT: Millis = Millis(110_000);

/// What one run of a workload came to.
pub(crate) struct Measured {
    pub(crate) n: usize,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) note: &'static str,
}

pub(crate) async fn run(name: &str, client: &Client) -> Measured {
    match name {
        "W1" => independent(client).await,
        "W2" => chain(client).await,
        "W3" => fan(client).await,
        "W4" => singles(client).await,
        "W5" => light(client).await,
        other => unreachable!("{other} is no workload"),
    }
}

/// Applies what all workloads use.
pub(crate) async fn apply(client: &Client) {
    let pass = json!({
        "inputs": {"x": {"optional": "unknown"}}, "outputs": {"x": "unknown"},
        "executable": {"type": "noop"},
    });
    let fibonacci = json!({
        "inputs": {"x": {"optional": "unknown"}}, "outputs": {"x": "unknown"},
        "executable": {
            "type": "rhai",
            "script": "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } \
                       #{outputs: #{x: fib(10)}}",
        },
    });
    let step = |specification: &str, before: Option<String>| match before {
        None => json!({"use": specification, "with": {"x": 1}}),
        Some(before) => json!({"use": specification, "with": {"x": format!("${before}.x")}}),
    };
    let row = |specification: &str, length: usize| -> Value {
        let before = |n: usize| n.checked_sub(1).map(|n| format!("s{n}"));
        (0..length).map(|n| (format!("s{n}"), step(specification, before(n)))).collect()
    };
    let mut diamond = serde_json::Map::new();
    diamond.insert("first".into(), step("bench/pass", None));
    for n in 0..FAN {
        diamond.insert(format!("s{n}"), step("bench/pass", Some("first".into())));
    }
    let all: Vec<String> = (0..FAN).map(|n| format!("s{n}")).collect();
    diamond.insert("last".into(), json!({"use": "bench/pass", "after": all}));
    let document = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "kantoku/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        })
    };
    let documents = vec![
        document("Specification", "bench/pass", pass),
        document("Specification", "bench/fib", fibonacci),
        document("Pipeline", "bench-chain", json!({"tasks": row("bench/pass", CHAIN)})),
        document("Pipeline", "bench-fan", json!({"tasks": diamond})),
        document("Pipeline", "bench-light", json!({"tasks": row("bench/fib", LIGHT)})),
    ];
    let params = ManifestParams { documents, ..ManifestParams::default() };
    client.call::<ManifestApply>(&params).await.expect("applied");
}

/// W1: 10,000 independent tasks in batches, first submit → all complete.
async fn independent(client: &Client) -> Measured {
    // One context for all, so that one wait tells that all are done.
    let first = spawn(client, None).await;
    let context_id = first.context_id;
    let start = Instant::now();
    stream::iter((0..INDEPENDENT).step_by(SPAWN_BATCH))
        .for_each_concurrent(BATCHES, |from| async move {
            let count = SPAWN_BATCH.min(INDEPENDENT - from);
            let tasks = (0..count).map(|_| task(Some(context_id))).collect();
            let params = SpawnBatchParams { tasks, namespace: None };
            let batch = client.call::<TaskSpawnBatch>(&params).await.expect("answered");
            for result in batch.results {
                assert!(matches!(result, SpawnResult::Result(_)), "{result:?}");
            }
        })
        .await;
    finish(client, context_id).await;
    measured(INDEPENDENT, start.elapsed(), vec![], "submitted in batches of 1,000")
}

/// W2: one pipeline of 100 sequential tasks; per hop, from the end of one to the end of the next.
async fn chain(client: &Client) -> Measured {
    let (context_id, took) = pipeline(client, "bench-chain").await;
    let mut ends = ends(client, context_id).await;
    ends.sort_unstable();
    let hops = ends.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1_000.0).collect();
    measured(CHAIN, took, hops, "percentiles are of one hop, by the times of events")
}

/// W3: 1 → 1,000 → 1.
async fn fan(client: &Client) -> Measured {
    let (_, took) = pipeline(client, "bench-fan").await;
    measured(FAN + 2, took, vec![], "1 → 1,000 → 1")
}

/// W4: submit one task and wait for its result, 200 times on an idle system.
async fn singles(client: &Client) -> Measured {
    let start = Instant::now();
    let mut each = Vec::with_capacity(SINGLES);
    for _ in 0..SINGLES {
        let began = Instant::now();
        let spawned = spawn(client, None).await;
        let params = wait(spawned.task_id);
        let waited = client.call::<TaskWait>(&params).await.expect("answered");
        assert_eq!((waited.done, waited.outputs.get("x")), (true, Some(&json!(1))));
        each.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    measured(SINGLES, start.elapsed(), each, "spawn → result at the client, one at a time")
}

/// W5: 40 light sequential tasks, fib(10), as a pipeline.
async fn light(client: &Client) -> Measured {
    let (_, took) = pipeline(client, "bench-light").await;
    measured(LIGHT, took, vec![], "fib(10) as a script in the sandbox")
}

async fn pipeline(client: &Client, name: &str) -> (Id, Duration) {
    let params = RunParams {
        name: name.parse().expect("a name"),
        params: BTreeMap::new(),
        labels: BTreeMap::new(),
        idempotency_key: None,
        namespace: None,
    };
    let start = Instant::now();
    let run = client.call::<PipelineRun>(&params).await.expect("started");
    finish(client, run.context_id).await;
    (run.context_id, start.elapsed())
}

async fn finish(client: &Client, context_id: Id) {
    let waited = client.call::<ContextWait>(&wait(context_id)).await.expect("answered");
    assert!(waited.done, "it takes longer than {WAIT}");
    assert_eq!(waited.context.tasks.failed, 0);
}

fn wait(id: Id) -> WaitParams {
    WaitParams { id: id.to_string(), timeout: Some(WAIT), namespace: None }
}

fn task(context_id: Option<Id>) -> SpawnParams {
    let specification: Name = "bench/pass".parse().expect("a name");
    SpawnParams {
        specification,
        inputs: [("x".to_owned(), Input::Value(json!(1)))].into(),
        depends_on: None,
        labels: BTreeMap::new(),
        shard_key: None,
        priority: None,
        retry: None,
        timeouts: None,
        context_id,
        idempotency_key: None,
        namespace: None,
    }
}

async fn spawn(client: &Client, context_id: Option<Id>) -> kantoku_api::contract::Spawned {
    client.call::<TaskSpawn>(&task(context_id)).await.expect("spawned")
}

/// When each task of a context finished, in microseconds.
async fn ends(client: &Client, context_id: Id) -> Vec<i64> {
    let mut ends = Vec::new();
    let mut next = Some(1);
    while let Some(from_seq) = next {
        let params =
            ExportParams { from_seq, context_id: Some(context_id), ..ExportParams::default() };
        let part = client.call::<EventExport>(&params).await.expect("exported");
        let finished = part.events.iter().filter(|e| matches!(e.event, Event::TaskFinished(_)));
        ends.extend(finished.map(|recorded| recorded.metadata.at.micros()));
        next = part.next_seq;
    }
    ends
}

fn measured(n: usize, took: Duration, mut each: Vec<f64>, note: &'static str) -> Measured {
    each.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = ((each.len() as f64 * share).ceil() as usize).clamp(1, each.len().max(1)) - 1;
        each.get(index).copied()
    };
    Measured { n, seconds: took.as_secs_f64(), p50_ms: at(0.5), p99_ms: at(0.99), note }
}
