//! Every part in a process of its own.

use std::collections::BTreeSet;

use futures::future::join_all;
use kantoku_api::{
    Client,
    contract::{
        ContextWait, Filter, ListParams, ManifestApply, ManifestParams, NoParams, PipelineRun,
        RunParams, ServiceList, TaskList, WaitParams,
    },
};
use kantoku_domain::Millis;
use kantoku_projections::document::{ContextStatus, TaskDocument};
use nix::sys::signal::Signal;
use serde_json::{Map, json};

use crate::ground::{Ground, Served, is_alive, wait_until};

const TASKS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn when_an_executor_is_killed_the_other_parts_go_on_and_nothing_is_lost() {
    let Some(ground) = Ground::start().await else { return };
    let node = |name: &'static str| {
        let ground = &ground;
        async move { ground.serve(name, &["--only", name]).await }
    };
    let executor = |name: &'static str| {
        let ground = &ground;
        let args = ["--only", "executor", "--service-id", name, "--slots", "4"];
        async move { ground.serve(name, &args).await }
    };
    let (api, projector, sealer, doomed, survivor) = tokio::join!(
        node("api"),
        node("projector"),
        node("sealer"),
        executor("doomed"),
        executor("survivor")
    );
    let names = ["scheduler", "unfolder", "timers", "lease-keeper"];
    let nodes = join_all(names.map(node)).await;
    let client = api.client().await;
    assert_presence(&client).await;

    let context_id = start(&client).await;
    wait_until("an attempt at the executor to be killed", async || {
        on_node(&client, context_id, "doomed").await.len() >= 2
    })
    .await;
    let left_behind = doomed.descendants();
    assert!(!left_behind.is_empty(), "attempts and a reaper");
    doomed.send(Signal::SIGKILL);
    assert_eq!(doomed.exit_code().await, None);
    wait_until("what it left behind to be gone", async || {
        !left_behind.iter().copied().any(is_alive)
    })
    .await;

    let params = WaitParams {
        id: context_id.to_string(),
        timeout: Some(Millis(80_000)),
        ..WaitParams::default()
    };
    let waited = client.call::<ContextWait>(&params).await.unwrap();
    assert!(waited.done, "{:?}", waited.context);
    assert_eq!(waited.context.status, ContextStatus::Ok, "{:?}", waited.context);
    assert_eq!(waited.context.tasks.ok, TASKS as u64);
    let tasks = list(&client, context_id).await;
    let again: Vec<_> = tasks.iter().filter(|task| task.attempt > 1).collect();
    assert!(!again.is_empty(), "what was lost was tried again");
    assert!(again.iter().all(|task| task.node.as_deref() == Some("survivor")));

    drop(client);
    let served: Vec<_> = [api, projector, sealer, survivor].into_iter().chain(nodes).collect();
    let descendants: Vec<_> = served.iter().flat_map(Served::descendants).collect();
    for served in &served {
        served.send(Signal::SIGTERM);
    }
    let codes = join_all(served.into_iter().map(Served::exit_code)).await;
    assert_eq!(codes, [Some(0); 8]);
    assert!(!descendants.into_iter().any(is_alive), "nothing is left running");
    ground.stop().await;
}

/// Every process says who it is, and the node ones also what they do.
async fn assert_presence(client: &Client) {
    let expected: BTreeSet<(&str, &str)> = [
        ("api", ""),
        ("executor", ""),
        ("node", "lease-keeper"),
        ("node", "scheduler"),
        ("node", "timers"),
        ("node", "unfolder"),
        ("projector", ""),
        ("sealer", ""),
    ]
    .into();
    wait_until("all services to be present", async || {
        let services = client.call::<ServiceList>(&NoParams {}).await.unwrap().items;
        let there = services.iter().map(|service| {
            let handlers = service.labels.get("handlers").map(String::as_str).unwrap_or_default();
            (service.kind.as_str(), handlers)
        });
        there.collect::<BTreeSet<_>>() == expected && services.len() == 9
    })
    .await;
}

/// Starts a pipeline of tasks that take a second each, in processes of their own.
async fn start(client: &Client) -> kantoku_domain::Id {
    let nap = json!({
        "apiVersion": "kantoku/v1",
        "kind": "Specification",
        "metadata": { "name": "nap" },
        "spec": { "executable": {
            "type": "process",
            "command": ["sh", "-c", "cat >/dev/null; sleep 1; echo '{}'"],
        } },
    });
    let steps: Map<_, _> =
        (0..TASKS).map(|n| (format!("nap-{n}"), json!({ "use": "nap" }))).collect();
    let pipeline = json!({
        "apiVersion": "kantoku/v1",
        "kind": "Pipeline",
        "metadata": { "name": "naps" },
        "spec": { "tasks": steps },
    });
    let params = ManifestParams { documents: vec![nap, pipeline], ..ManifestParams::default() };
    client.call::<ManifestApply>(&params).await.unwrap();
    let params: RunParams = serde_json::from_value(json!({ "name": "naps" })).unwrap();
    client.call::<PipelineRun>(&params).await.unwrap().context_id
}

async fn list(client: &Client, context_id: kantoku_domain::Id) -> Vec<TaskDocument> {
    let filter = json!({ "context_id": context_id });
    let params = ListParams {
        filter: Filter::from_iter(filter.as_object().cloned().unwrap()),
        limit: Some(1_000),
        ..ListParams::default()
    };
    client.call::<TaskList>(&params).await.unwrap().items
}

async fn on_node(client: &Client, context_id: kantoku_domain::Id, node: &str) -> Vec<TaskDocument> {
    let mut tasks = list(client, context_id).await;
    tasks.retain(|task| task.node.as_deref() == Some(node) && !task.status.is_terminal());
    tasks
}
