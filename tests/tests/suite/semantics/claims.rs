//! What executors claim and what they do not, and inputs that did not arrive.

use kantoku_api::contract::{ContextWait, TaskPause, TaskResume};
use kantoku_domain::{Event, task::Outcome};
use serde_json::json;

use super::ground::Ground;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_paused_after_its_announcement_is_claimed_once_it_goes_on() {
    let mut ground = Box::pin(Ground::start("2s")).await;
    ground.apply_sh("work", "echo '{\"x\": 1}'", json!({})).await;
    let task = ground.spawn("work").await;
    let announced = ground.events.until("it is announced", |recorded| match &recorded.event {
        Event::TaskReady(ready) if ready.task_id == task.task_id => Some(ready.round),
        _ => None,
    });
    assert_eq!(announced.await, 0);
    ground.call::<TaskPause>(json!({"id": task.task_id, "reason": "later"})).await;
    ground.execute("executor");
    // It comes after the other, which is met before.
    let other = ground.spawn("work").await;
    assert_eq!(ground.events.finished(other.task_id).await.outcome, Outcome::Ok);
    let names: Vec<_> = ground.events.of(task.task_id).iter().map(|it| it.event.name()).collect();
    assert_eq!(names, ["TaskSpawned", "TaskPaused"]);

    ground.call::<TaskResume>(json!({"id": task.task_id})).await;
    let finished = ground.events.finished(task.task_id).await;
    assert_eq!((finished.attempt, finished.outcome), (1, Outcome::Ok));
    let (received, _) = ground.events.received(task.task_id, 1).await;
    assert_eq!(received.round, 1, "by the announcement that followed");
    Box::pin(ground.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_arrive_is_null_where_the_rule_allows_that() {
    let mut ground = Box::pin(Ground::start("2s")).await;
    ground.apply_sh("fail", "exit 1", json!({})).await;
    ground.apply_sh("one", "echo '{\"x\": 1}'", json!({})).await;
    let rhai = |script: &str, inputs: serde_json::Value| {
        json!({
            "inputs": inputs, "outputs": {"said": "string"},
            "executable": {"type": "rhai", "script": script},
        })
    };
    let optional = json!({"a": {"optional": "number"}, "b": {"optional": "number"}});
    let script = r"#{said: `${a == ()} ${b == ()}`}";
    ground.apply("Specification", "tell", rhai(script, optional)).await;
    let needed = json!({"a": "number"});
    ground.apply("Specification", "need", rhai("#{said: `${a}`}", needed)).await;
    let pipeline = json!({
        "tasks": {
            "fail": {"use": "fail"},
            "one": {"use": "one"},
            "tell": {"use": "tell", "with": {"a": "$fail.x", "b": "$one.x"}, "when": "all_done"},
            // A script turns null into a value.
            "need": {
                "use": "need", "when": "all_done",
                "with": {"a": {"from": "$fail.x", "map": "if value == () { 7 } else { value }"}},
            },
        },
        "outputs": {"tell": "$tell.said", "need": "$need.said"},
    });
    ground.apply("Pipeline", "p", pipeline).await;
    ground.execute("executor");
    let run = ground.run("p", json!({})).await;
    let waited = ground.call::<ContextWait>(json!({"id": run.context_id, "timeout": "1m"})).await;
    assert!(waited.done, "{waited:?}");
    assert_eq!(waited.outputs["tell"], json!("true false"));
    assert_eq!(waited.outputs["need"], json!("7"));
    Box::pin(ground.stop()).await;
}
