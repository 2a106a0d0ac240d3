//! When nothing is left to be done.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{nats::EVENTS, world::World};

/// How long nothing may happen before it counts as the end.
const STILL: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(250);
const ENDS: [&str; 4] = ["finished/ok", "finished/failed", "cancelled", "skipped"];
const SHOWN_MAX: usize = 5;

/// Waits until every task has ended and no more events come; the last position, or what is still
/// open after `limit`.
pub(crate) async fn quiet(world: &World, limit: Duration) -> Result<u64, String> {
    let end = Instant::now() + limit;
    let mut still_since = Instant::now();
    let mut last = 0;
    loop {
        let open = match looked(world).await {
            Ok((head, open)) => {
                if head != last {
                    (last, still_since) = (head, Instant::now());
                }
                open
            }
            Err(error) => {
                still_since = Instant::now();
                Some(error)
            }
        };
        if open.is_none() && still_since.elapsed() >= STILL {
            return Ok(last);
        }
        if Instant::now() >= end {
            let open = open.unwrap_or_else(|| "events go on to come".into());
            return Err(format!("not at rest after {limit:?}: {open}; {}", examples(world).await));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The last position, and what is open as of then.
async fn looked(world: &World) -> Result<(u64, Option<String>), String> {
    let mut nats = world.nats().await.map_err(|error| error.to_string())?;
    let head = nats.last_seq(EVENTS).await.map_err(|error| error.to_string())?;
    let projections = world.call("projection.list", json!({})).await;
    let projections = projections.map_err(|error| error.to_string())?;
    let items = projections["items"].as_array().cloned().unwrap_or_default();
    if items.iter().any(|item| item["stream_seq"].as_u64() < Some(head)) {
        return Ok((head, Some(format!("the read model is behind {head}: {projections}"))));
    }
    for durable in nats.consumers(EVENTS).await.map_err(|error| error.to_string())? {
        let info = nats.api(&format!("CONSUMER.INFO.{EVENTS}.{durable}"), &Value::Null).await;
        let info = info.map_err(|error| error.to_string())?;
        if info["num_pending"] != 0 || info["num_ack_pending"] != 0 {
            let (left, open) = (&info["num_pending"], &info["num_ack_pending"]);
            return Ok((head, Some(format!("{durable} has {left} to read and {open} to settle"))));
        }
    }
    let counts = world.call("task.count", json!({})).await.map_err(|error| error.to_string())?;
    let counts = counts["by_status"].as_object().cloned().unwrap_or_default();
    let open: u64 = counts
        .iter()
        .filter(|(status, _)| !ENDS.contains(&status.as_str()))
        .filter_map(|(_, count)| count.as_u64())
        .sum();
    Ok((head, (open > 0).then(|| format!("{open} tasks are open: {counts:?}"))))
}

/// Some of the tasks that are open, and why by their own account.
async fn examples(world: &World) -> String {
    let mut shown = Vec::new();
    for status in ["initialized", "ready", "received"] {
        let params = json!({"filter": {"status": status}, "limit": SHOWN_MAX});
        let page = world.call("task.list", params).await.unwrap_or_default();
        for task in page["items"].as_array().into_iter().flatten() {
            let why = world.call("task.why", json!({"id": task["id"]})).await;
            let why = why.unwrap_or_else(|failed| Value::String(failed.to_string()));
            shown.push(format!("{} {status}: {why}", task["id"]));
        }
    }
    shown.join("\n")
}
