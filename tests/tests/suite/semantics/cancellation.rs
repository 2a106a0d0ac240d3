//! What is cancelled leaves no process behind.

use std::time::{Duration, Instant};

use kantoku_api::contract::{ContextCancel, ContextRestart, TaskCancel};
use kantoku_domain::{Event, restart::Action};
use serde_json::json;

use super::{
    SELDOM, SOON,
    ground::{Ground, of_run},
    survivors::{gone, is_alive, none_left},
};

/// Five processes: a shell, its child, a grandchild in the background, a session of its own, and
/// that one's child. Each says its number.
const TREE: &str = "
    echo $$ >&2
    sleep 1000 & echo $! >&2
    (sleep 1000 & echo $! >&2; wait) &
    setsid sh -c 'echo $$ >&2; sleep 1000 & echo $! >&2; wait' &
    wait; wait; wait";

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_context_leaves_no_process_behind() {
    let mut ground = Box::pin(Ground::start(SELDOM)).await;
    ground.apply_sh("tree", TREE, json!({})).await;
    let tasks =
        json!({"a": {"use": "tree"}, "b": {"use": "tree"}, "c": {"use": "tree", "after": ["a"]}});
    ground.apply("Pipeline", "trees", json!({ "tasks": tasks })).await;
    ground.execute("executor");
    let run = ground.run("trees", json!({})).await;
    let opened = ground.events.until("it is opened", |recorded| match &recorded.event {
        Event::ContextOpened(opened) if recorded.id == run.context_id => Some(opened.clone()),
        _ => None,
    });
    let opened = opened.await;
    let running = opened.plan.iter().filter(|it| it.task.step.as_deref() != Some("c"));
    let running: Vec<_> = running.map(|it| of_run(run.context_id, it.id)).collect();
    let mut pids = Vec::new();
    for task in &running {
        pids.extend(ground.pids(task, 1, 5).await);
    }
    assert!(pids.len() == 10 && pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");

    let params = json!({"id": run.context_id, "reason": "enough"});
    let start = Instant::now();
    let cancelled = ground.call::<ContextCancel>(params).await;
    gone(&pids).await;
    let took = start.elapsed();
    eprintln!("all {} processes were gone {took:?} after the context was cancelled", pids.len());
    assert!(
        took < Duration::from_secs(8),
        "{took:?}: they were asked to go, not left to be killed"
    );
    let is_one = |task_id| running.iter().any(|task| task.task_id == task_id);
    assert!(cancelled.alive.iter().all(|it| is_one(it.task_id)), "{cancelled:?}");
    for task in &running {
        none_left(task.task_id).await;
        let said = ground.lines(task, 1, 1, |entry| {
            entry.line.text.contains("it was stopped: enough").then_some(())
        });
        said.await;
    }
    Box::pin(ground.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_go_is_killed_when_the_grace_of_its_task_is_over() {
    let mut ground = Box::pin(Ground::start("2s")).await;
    let stubborn = "trap '' TERM; echo $$ >&2; while :; do sleep 0.1; done";
    // The executor itself would wait for ten seconds.
    ground.apply_sh("stubborn", stubborn, json!({"timeouts": {"grace": "700ms"}})).await;
    ground.execute("executor");
    let task = ground.spawn("stubborn").await;
    let pids = ground.pids(&task, 1, 1).await;
    let start = Instant::now();
    let params = json!({"id": task.task_id, "reason": "enough"});
    let cancelled = ground.call::<TaskCancel>(params).await;
    let alive: Vec<_> = cancelled.alive.iter().map(|it| (it.task_id, it.attempt)).collect();
    assert_eq!((alive, cancelled.alive_total), (vec![(task.task_id, 1)], Some(1)));
    gone(&pids).await;
    let took = start.elapsed();
    eprintln!("with a grace of 700 ms it was killed {took:?} after its task was cancelled");
    assert!(took >= Duration::from_millis(700), "{took:?}: it was given its time");
    assert!(took < SOON, "{took:?}: it was given more than its time");
    none_left(task.task_id).await;
    Box::pin(ground.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_stopped_when_another_takes_its_place() {
    let mut ground = Box::pin(Ground::start(SELDOM)).await;
    ground.apply_sh("once", "echo '{\"x\": 1}'", json!({})).await;
    let more = json!({"inputs": {"x": {"optional": "number"}}});
    ground.apply_sh("tree", TREE, more).await;
    let tasks = json!({"a": {"use": "once"}, "b": {"use": "tree", "with": {"x": "$a.x"}}});
    ground.apply("Pipeline", "p", json!({ "tasks": tasks })).await;
    ground.execute("executor");
    let run = ground.run("p", json!({})).await;
    let id_of = |step: &'static str| {
        ground.events.until("it is spawned", move |recorded| match &recorded.event {
            Event::TaskSpawned(spawned) if spawned.step.as_deref() == Some(step) => {
                Some(recorded.id)
            }
            _ => None,
        })
    };
    let (a, b) = (id_of("a").await, id_of("b").await);
    let pids = ground.pids(&of_run(run.context_id, b), 1, 5).await;

    let params = json!({
        "id": run.context_id, "target": {"from": "a"}, "outputs": "reallocate", "reason": "better",
    });
    let restarted = ground.call::<ContextRestart>(params).await;
    let reruns: Vec<_> =
        restarted.plan.steps().map(|entry| (entry.task_id, entry.action)).collect();
    assert_eq!(reruns, [(a, Action::Rerun), (b, Action::Rerun)]);
    let took = gone(&pids).await;
    assert!(took < SOON, "{took:?}: it was told at once");
    let successor = ground.events.until("b is restarted", |recorded| match &recorded.event {
        Event::TaskRestarted(restarted) if recorded.id == b => Some(restarted.successor.id),
        _ => None,
    });
    let successor = successor.await;
    let again = ground.pids(&of_run(run.context_id, successor), 1, 5).await;
    assert!(again.iter().all(|pid| is_alive(*pid)), "that of its successor runs");
    ground.call::<ContextCancel>(json!({"id": run.context_id, "reason": "enough"})).await;
    gone(&again).await;
    Box::pin(ground.stop()).await;
}
