//! Pipelines on a real nats-server, from the plan to the last output.

use std::time::Duration;

use kantoku_domain::{Context, Event, context};
use serde_json::json;

use crate::{history::History, stand::Stand};

const DEADLINE: Duration = Duration::from_secs(60);

/// Processes, a fan-out, a script on an edge, and a task that delegates its output to a child.
async fn apply_words(stand: &mut Stand) {
    let split =
        r#"import json,sys; print(json.dumps({"words": json.load(sys.stdin)["page"].split()}))"#;
    stand
        .apply(
            "Specification",
            "text/words",
            json!({
                "inputs": {"page": "string"}, "outputs": {"words": {"array": "string"}},
                "executable": {"type": "process", "command": ["python3", "-c", split]},
            }),
        )
        .await;
    stand
        .apply(
            "Specification",
            "text/count",
            json!({
                "inputs": {"words": {"array": "string"}}, "outputs": {"count": "number"},
                "executable": {"type": "rhai", "script": "#{count: words.len()}"},
            }),
        )
        .await;
    stand
        .apply("Specification", "text/delegate", json!({
            "inputs": {"words": {"array": "string"}}, "outputs": {"count": "number"},
            "executable": {"type": "rhai", "script":
                "#{\"spawn\": [#{key: \"c\", specification: \"text/count\", inputs: #{words: words}}], \
                   delegate: #{count: \"c.count\"}}"},
        }))
        .await;
    stand
        .apply(
            "Pipeline",
            "count",
            json!({
                "params": {"page": "string"},
                "tasks": {
                    "words": {"use": "text/words", "with": {"page": "$params.page"}},
                    "all": {"use": "text/count", "with": {"words": "$words.words"}},
                    "long": {"use": "text/delegate", "with": {
                        "words": {"from": "$words.words", "map": "words.filter(|w| w.len() > 3)"}}},
                },
                "outputs": {"all": "$all.count", "long": "$long.count"},
            }),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_runs_to_its_outputs() {
    let mut stand = Stand::start().await;
    apply_words(&mut stand).await;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let (context_id, opened) = stand.open("count", json!({"page": "to be or not there"})).await;
    let history = History::follow(&stand.bus, context_id, DEADLINE).await;
    assert_eq!(history.value(opened.outputs["all"]), 5);
    assert_eq!(history.value(opened.outputs["long"]), 1, "resolved by the child");
    assert_eq!((history.ok(), history.spawned.len()), (4, 4));
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_shows_its_cause_and_skips_what_depends_on_it() {
    let mut stand = Stand::start().await;
    stand
        .apply("Specification", "fail", json!({
            "outputs": {"x": "number"}, "retry": {"attempts": 2, "backoff": "1ms"},
            "executable": {"type": "process", "command": ["sh", "-c", "echo broken >&2; exit 3"]},
        }))
        .await;
    stand
        .apply(
            "Specification",
            "use",
            json!({
                "inputs": {"x": "number"}, "executable": {"type": "noop"},
            }),
        )
        .await;
    stand
        .apply(
            "Pipeline",
            "p",
            json!({"tasks": {
            "fail": {"use": "fail"}, "use": {"use": "use", "with": {"x": "$fail.x"}}}}),
        )
        .await;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let (context_id, opened) = stand.open("p", json!({})).await;
    let history = History::follow(&stand.bus, context_id, DEADLINE).await;
    let of = |step: &str| {
        let task = opened.plan.iter().find(|p| p.task.step.as_deref() == Some(step));
        history.ended[&task.expect("planned").id].clone()
    };
    let Event::TaskFinished(failed) = of("fail") else { panic!("finished") };
    let error = failed.error.expect("an error");
    assert_eq!((failed.attempt, error.exit_code), (2, Some(3)));
    assert_eq!(error.stderr_tail.as_deref(), Some("broken\n"));
    let Event::TaskSkipped(skipped) = of("use") else { panic!("skipped") };
    assert_eq!(skipped.missing, "input x");
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_crashes_is_followed_by_one_that_finishes_the_work() {
    const STEPS: usize = 300;
    let mut stand = Stand::start().await;
    stand.apply_tree(STEPS, 2).await;
    let executor = stand.executor("executor");
    let (context_id, _) = stand.open("tree", json!({})).await;

    let bus = stand.bus.clone();
    let history = tokio::spawn(async move { History::follow(&bus, context_id, DEADLINE).await });
    let mut crashes = 0;
    while !history.is_finished() {
        let node = stand.node("node").await;
        let before = stand.bus.head().await.expect("the stream answers");
        // Let each get somewhere, for else none ever would.
        while !history.is_finished()
            && stand.bus.head().await.expect("the stream answers") < before + 150
        {
            tokio::task::yield_now().await;
        }
        node.crash();
        crashes += 1;
    }
    let history = history.await.expect("the history is sound");
    assert!(crashes > 2, "{crashes} crashes");
    assert_eq!((history.ok(), history.spawned.len()), (STEPS, STEPS));
    executor.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_context_ends_what_has_not_ended() {
    let mut stand = Stand::start().await;
    stand
        .apply(
            "Specification",
            "nap",
            json!({
                "inputs": {"x": {"optional": "unknown"}}, "outputs": {"x": "unknown"},
                "executable": {"type": "sleep", "duration": "200ms"},
            }),
        )
        .await;
    stand
        .apply(
            "Pipeline",
            "naps",
            json!({"tasks": {
                "a": {"use": "nap"},
                "b": {"use": "nap", "with": {"x": "$a.x"}},
            }}),
        )
        .await;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let (context_id, _) = stand.open("naps", json!({})).await;
    stand
        .execute::<Context>(&context::Command::Cancel { reason: "enough".into() }, context_id)
        .await;
    let history = History::follow(&stand.bus, context_id, DEADLINE).await;
    let cancelled =
        |event: &&Event| matches!(event, Event::TaskCancelled(c) if c.reason == "enough");
    assert!(history.ended.values().filter(cancelled).count() > 0);
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}
