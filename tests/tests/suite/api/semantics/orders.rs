//! `task.cancel` with dependents, and what is refused.

use kantoku_api::contract::{PipelineRun, TaskCancel};
use kantoku_domain::Event;
use kantoku_projections::document::TaskStatus;
use serde_json::json;

use super::{World, naps, ok, spec, step};
use crate::api::{call, document, raw::post};

#[tokio::test(flavor = "multi_thread")]
async fn dependents_are_skipped_or_if_asked_stopped_and_what_runs_is_named() {
    let pipeline = document(
        "Pipeline",
        "p",
        &json!({"tasks": {
            "a": {"use": "stubborn"},
            "b": {"use": "ok", "with": {"x": "$a.x"}},
            "c": {"use": "ok", "after": ["b"]},
            "other": {"use": "naps"},
        }}),
    );
    // It heeds no request to stop, and is killed once the grace is over.
    let stubborn = json!({"type": "process", "command": ["sh", "-c", "trap '' TERM; sleep 600"]});
    let mut stubborn = spec("stubborn", &stubborn);
    stubborn["spec"]["timeouts"] = json!({"grace": "10s"});
    let world = World::start(vec![stubborn, naps("naps"), ok("ok"), pipeline]).await;
    for (cascade, expected) in [(true, TaskStatus::Cancelled), (false, TaskStatus::Skipped)] {
        let run = call::<PipelineRun>(&world.client, json!({"name": "p"})).await.expect("started");
        let tree = world.tree(run.context_id).await;
        let [a, b, c, other] = ["a", "b", "c", "other"].map(|name| step(&tree, name).id);
        for id in [a, other] {
            world.until(id, |event| matches!(event, Event::TaskReceived(_))).await;
        }
        let cancel = json!({"id": a, "cascade": cascade, "reason": "enough"});
        let done = call::<TaskCancel>(&world.client, cancel).await.expect("cancelled");
        let alive: Vec<_> = done.alive.iter().map(|it| (it.task_id, it.node.as_deref())).collect();
        assert_eq!(alive, [(a, Some("executor"))], "others are not reached");
        assert_eq!(done.alive_total, Some(1));
        for id in [b, c] {
            assert_eq!(world.end(id).await.0, expected, "cascade {cascade}");
        }
        assert_eq!(world.task(other).await.status, TaskStatus::Received);
        let cancelled = world.task(a).await;
        assert_eq!(cancelled.status, TaskStatus::Cancelled);
        assert_eq!(cancelled.cancelled_by.as_deref(), Some("anonymous"));
        call::<TaskCancel>(&world.client, json!({"id": other})).await.expect("cancelled");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_nobody_knows_are_refused_by_every_new_method() {
    let served = Box::pin(crate::api::Served::start()).await;
    let id = "00000000-0000-7000-8000-000000000000";
    let with_id = ["task.restart", "task.pause", "task.resume", "task.attempts", "context.pause"];
    let with_id = with_id.into_iter().chain(["context.resume", "context.restart"]);
    let all = with_id
        .map(|method| (method, json!({"id": id})))
        .chain([("task.approve", json!({"id": id, "name": "a"}))])
        .chain(
            ["specification.pause", "specification.resume", "policy.get", "policy.delete"]
                .map(|method| (method, json!({"name": "a"}))),
        )
        .chain(
            ["namespace.pause", "namespace.resume", "namespace.get", "policy.list"]
                .map(|method| (method, json!({}))),
        );
    for (method, mut params) in all {
        params["colour"] = json!("red");
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = post(served.address, &body.to_string()).await.json();
        assert_eq!(answer["error"]["code"], -32602, "{method}: {answer}");
        assert!(answer.to_string().contains("colour"), "{method}: {answer}");
    }
    served.stop().await;
}
