//! The workloads. Bodies do nothing, except those of W5.

mod fan;
mod floor;
mod footprint;
mod hops;
mod independent;
mod lag;
mod light;
mod queries;
mod row;
pub(crate) mod singles;
mod submit;

use std::time::{Duration, SystemTime};

use async_nats::jetstream::stream::Stream;
use kantoku_api::{
    Client,
    contract::{
        ContextWait, ContextWaited, Input, SpawnParams, Spawned, TaskSpawn, TaskWait, WaitParams,
    },
};
use kantoku_domain::{Id, Millis};
use kantoku_streams::subject::TYPE_HEADER;
use serde_json::json;

pub(crate) use footprint::{again, started};

use crate::{manifests::PASS, measured::Measured, stand::Up};

/// In the order in which they run: latencies before loads, as the peers are measured.
pub(crate) const NAMES: [&str; 10] = ["W6", "W4", "W2", "W5", "W3", "W1", "W7", "W8", "W9", APART];
/// Those that need a history.
pub(crate) const HISTORY: [&str; 3] = ["W7", "W8", "W9"];
/// The one by processes that run apart.
pub(crate) const APART: &str = "W10";

/// Whether workload `name` runs on a new stand, as the peers do.
pub(crate) fn is_of_a_stand(name: &str) -> bool {
    name != APART && !HISTORY.contains(&name)
}

/// How long one call waits.
pub(crate) const WAIT: Millis = Millis(300_000);

/// What workload `name` came to, one run of each of its kinds.
pub(crate) async fn run(name: &str, up: &Up) -> Vec<(&'static str, Measured)> {
    match name {
        "W1" => vec![("W1", independent::run(up).await)],
        "W2" => vec![("W2", row::run(up).await)],
        "W3" => vec![("W3", fan::run(up).await)],
        "W4" => vec![("W4", singles::run(up).await)],
        "W5" => light::run(up).await,
        "W8" => queries::run(up).await,
        other => unreachable!("{other} is measured elsewhere"),
    }
}

/// What a stand does for the first time costs more: connections, caches, workers for scripts.
pub(crate) async fn warm_up(up: &Up) {
    const TASKS: usize = 1_000;
    singles::one(&up.client).await;
    light::warm_up(up).await;
    submit::batches(up, None, TASKS).await.send().await;
    up.at_rest().await;
}

/// A task that gives back what it reads.
fn task(context_id: Option<Id>) -> SpawnParams {
    let inputs = json!({"x": Input::Value(json!(1))});
    let mut params = json!({"specification": PASS, "inputs": inputs});
    if let Some(context_id) = context_id {
        params["context_id"] = json!(context_id);
    }
    serde_json::from_value(params).expect("parameters")
}

pub(crate) async fn spawn(client: &Client, context_id: Option<Id>) -> Spawned {
    client.call::<TaskSpawn>(&task(context_id)).await.expect("spawned")
}

fn wait(id: Id) -> WaitParams {
    WaitParams { id: id.to_string(), timeout: Some(WAIT), namespace: None }
}

/// Waits for the result of a task that [`spawn`] has made.
pub(crate) async fn result(client: &Client, task_id: Id) {
    let waited = client.call::<TaskWait>(&wait(task_id)).await.expect("answered");
    assert_eq!((waited.done, waited.outputs.get("x")), (true, Some(&json!(1))));
}

/// Waits until the read model shows that a context has ended well.
async fn finish(client: &Client, context_id: Id) -> ContextWaited {
    let waited = client.call::<ContextWait>(&wait(context_id)).await.expect("answered");
    assert!(waited.done, "it takes longer than {WAIT}");
    assert_eq!(waited.context.tasks.failed, 0);
    waited
}

/// When the server stored the last end of a task up to position `last_seq`, and where.
async fn last_end(events: &Stream, last_seq: u64) -> (SystemTime, u64) {
    for stream_seq in (1..=last_seq).rev() {
        let message = events.get_raw_message(stream_seq).await.expect("a message");
        let type_ = message.headers.get(TYPE_HEADER).map(async_nats::HeaderValue::as_str);
        if type_ == Some("TaskFinished") {
            return (message.time.into(), stream_seq);
        }
    }
    panic!("no task has finished");
}

/// In milliseconds; of what the clocks of two programs say, so it may be a little below zero.
fn millis_since(earlier: SystemTime, later: SystemTime) -> f64 {
    let millis = |took: Duration| took.as_secs_f64() * 1_000.0;
    later.duration_since(earlier).map_or_else(|error| -millis(error.duration()), millis)
}
