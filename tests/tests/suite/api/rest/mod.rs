//! The same over REST.

mod conditions;
mod documents;
mod problems;
mod routes;

use serde_json::{Value, json};

use super::{
    Served, document, pass,
    raw::{Answer, send_to},
};
use crate::stand::Running;

/// A server with somebody who works, and what the tests spawn.
struct Rest {
    served: Served,
    node: Running,
    executor: Running,
}

impl Rest {
    async fn start() -> Self {
        let served = Served::start().await;
        let node = served.stand.node("node").await;
        let executor = served.stand.executor("executor");
        let rest = Self { served, node, executor };
        let applied = rest.ask("POST /v1/manifests", &[], &json!({ "documents": [pass()] })).await;
        assert_eq!(applied.status, 200, "{}", applied.body);
        rest.catch_up(&applied).await;
        rest
    }

    /// Sends a request; a body of null is none.
    async fn ask(&self, to: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let address = self.served.address;
        let mut head = format!("Host: {address}");
        for (name, value) in headers {
            head.push_str(&["\r\n", name, ": ", value].concat());
        }
        let is_typed = headers.iter().any(|(name, _)| *name == "Content-Type");
        let text = if body.is_null() { String::new() } else { body.to_string() };
        if !text.is_empty() && !is_typed {
            head.push_str("\r\nContent-Type: application/json");
        }
        send_to(address, to, &head, &text).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], &Value::Null).await
    }

    /// Waits until the read model shows what an answer tells of.
    async fn catch_up(&self, written: &Answer) {
        let min_seq = &written.json()["stream_seq"];
        let shown = self.get(&format!("/v1/tasks/count?min_seq={min_seq}")).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
    }

    /// Spawns a task, and waits until it can be seen: its id.
    async fn spawn(&self, task: &Value) -> String {
        let spawned = self.ask("POST /v1/tasks", &[], task).await;
        assert_eq!(spawned.status, 201, "{}", spawned.body);
        self.catch_up(&spawned).await;
        spawned.json()["task_id"].as_str().expect("an id").to_owned()
    }

    async fn stop(self) {
        self.executor.stop().await;
        self.node.stop().await;
        self.served.stop().await;
    }
}

/// A task that hands `x` on.
fn passing(x: &Value) -> Value {
    json!({ "specification": "pass", "inputs": { "x": { "value": x } } })
}

/// A task that waits for a yes.
fn waiting() -> Value {
    json!({
        "specification": "pass", "inputs": { "x": { "value": 1 } },
        "depends_on": { "approval": "sign" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_makes_its_round_trip() {
    let rest = Rest::start().await;
    let spawned = rest.ask("POST /v1/tasks", &[], &passing(&json!(41))).await;
    assert_eq!(spawned.status, 201, "{}", spawned.body);
    let location = spawned.header("Location").expect("where it is").to_owned();
    let waited = rest.get(&format!("{location}/result?timeout=60s")).await.json();
    assert_eq!((&waited["done"], &waited["outputs"]["x"]), (&json!(true), &json!(41)));
    for n in 0..4 {
        rest.spawn(&passing(&json!(n))).await;
    }

    let (mut seen, mut next) = (Vec::new(), Some("/v1/tasks?limit=2&fields=id,status".to_owned()));
    while let Some(path) = next {
        let page = rest.get(&path).await;
        let told = page.json();
        let items = told["items"].as_array().expect("items");
        assert!(items.iter().all(|item| item.as_object().is_some_and(|it| it.len() == 2)));
        seen.extend(items.iter().map(|item| item["id"].clone()));
        let link = page.header("Link");
        next = link.map(|link| {
            let path = link.strip_prefix('<').and_then(|it| it.strip_suffix(">; rel=\"next\""));
            path.expect("a link to the next page").to_owned()
        });
        assert_eq!(next.is_none(), told["next_cursor"].is_null());
    }
    seen.sort_by_key(ToString::to_string);
    seen.dedup();
    assert_eq!(seen.len(), 5);

    let id = rest.spawn(&waiting()).await;
    let order = json!({ "reason": "enough" });
    let cancelled = rest.ask(&format!("POST /v1/tasks/{id}/cancellation"), &[], &order).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.body);
    rest.catch_up(&cancelled).await;
    let restarts = format!("POST /v1/tasks/{id}/restarts");
    let planned = rest.ask(&restarts, &[], &json!({ "dry_run": true })).await;
    assert_eq!((planned.status, planned.header("Location")), (200, None), "{}", planned.body);
    let restarted = rest.ask(&restarts, &[], &Value::Null).await;
    assert_eq!(restarted.status, 201, "{}", restarted.body);
    let successor = restarted.header("Location").expect("where it is").to_owned();
    rest.catch_up(&restarted).await;
    assert_eq!(rest.get(&successor).await.json()["restart_parent"], id.as_str());
    let events = rest.get(&format!("/v1/tasks/{id}/events")).await.json();
    let types = events["items"].as_array().expect("items").iter().map(|event| &event["type"]);
    assert_eq!(types.collect::<Vec<_>>(), ["TaskSpawned", "TaskCancelled", "TaskRestarted"]);
    rest.stop().await;
}

/// A page of others in a browser cannot ask over REST either, and methods hold to their limits.
#[tokio::test(flavor = "multi_thread")]
async fn what_holds_for_json_rpc_holds_here() {
    let rest = Rest::start().await;
    let origin = [("Origin", "https://evil.example")];
    let refused = rest.ask("GET /v1/tasks", &origin, &Value::Null).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!(1005)));
    assert_eq!(refused.header("Content-Type"), Some("application/problem+json"));
    let of_another = [("Kantoku-Namespace", "other")];
    let id = rest.spawn(&passing(&json!(1))).await;
    let elsewhere = rest.ask(&format!("GET /v1/tasks/{id}"), &of_another, &Value::Null).await;
    assert_eq!(elsewhere.status, 404);
    let name = document("Specification", "a/b", &pass()["spec"]);
    let applied = rest.ask("POST /v1/manifests", &[], &json!({ "documents": [name] })).await;
    rest.catch_up(&applied).await;
    assert_eq!(rest.get("/v1/specifications/a%2Fb").await.json()["name"], "a/b");
    rest.stop().await;
}
