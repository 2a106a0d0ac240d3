//! `task.restart`, `context.restart`, `task.attempts`

use std::collections::BTreeMap;

use kantoku_api::{
    Code,
    contract::{
        AttemptOutcome, ContextGet, ContextRestart, ContextWait, PipelineRun, TaskAttempts,
        TaskRestart,
    },
};
use kantoku_domain::{Event, Id, Recorded, restart::Action, task::Outcome};
use kantoku_projections::document::TaskStatus;
use serde_json::{Value, json};

use super::{World, fails, ok, step};
use crate::api::{apply, call, document, raw::post, refused};

const FAILED: (TaskStatus, Option<Outcome>) = (TaskStatus::Finished, Some(Outcome::Failed));
const OK: (TaskStatus, Option<Outcome>) = (TaskStatus::Finished, Some(Outcome::Ok));

/// a → b → c → d, where b is of a specification that fails at first, and e beside.
fn chain() -> Value {
    document(
        "Pipeline",
        "chain",
        &json!({
            "tasks": {
                "a": {"use": "ok"},
                "b": {"use": "flaky", "with": {"x": "$a.x"}},
                "c": {"use": "ok", "with": {"x": "$b.x"}},
                "d": {"use": "ok", "with": {"x": "$c.x"}},
                "e": {"use": "ok", "with": {"x": "$a.x"}},
            },
            "outputs": {"last": "$d.x"},
        }),
    )
}

async fn run(world: &World) -> Id {
    let run = call::<PipelineRun>(&world.client, json!({"name": "chain"})).await.expect("started");
    ended(world, run.context_id, "failed").await;
    run.context_id
}

async fn ended(world: &World, context: Id, status: &str) {
    let wait = json!({"id": context, "timeout": "60s"});
    let waited = call::<ContextWait>(&world.client, wait).await.expect("waited");
    assert!(waited.done);
    assert_eq!(waited.context.status.name(), status, "{:?}", waited.context);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_restarts_at_once_one_wins_and_the_others_name_it() {
    let world = World::start(vec![fails("flaky"), ok("ok")]).await;
    let failed = world.spawn(json!({"specification": "flaky"})).await;
    let reader = json!({
        "specification": "ok", "context_id": failed.context_id,
        "inputs": {"x": {"resource": failed.outputs["x"]}},
    });
    let reader = world.spawn(reader).await;
    assert_eq!(world.end(failed.task_id).await, FAILED);
    assert_eq!(world.end(reader.task_id).await.0, TaskStatus::Skipped);
    apply(&world.client, vec![ok("flaky")]).await.expect("mended");

    let address = world.served.address;
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "task.restart",
        "params": {"id": failed.task_id, "version": "latest", "reason": "mended"},
    })
    .to_string();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let body = body.clone();
        calls.spawn(async move { post(address, &body).await.json() });
    }
    let answers = calls.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.get("result").is_some());
    assert_eq!((won.len(), lost.len()), (1, 49), "{answers:?}");
    let winner = &won[0]["result"]["task_id"];
    for answer in lost {
        let error = &answer["error"];
        assert_eq!(error["code"], 1000, "{error}");
        assert_eq!(error["data"]["reason"], "already_restarted", "{error}");
        assert_eq!(error["data"]["winner"], *winner, "{error}");
    }

    let winner: Id = serde_json::from_value(winner.clone()).expect("an id");
    assert_eq!(world.end(winner).await, OK);
    world.until(reader.task_id, |event| matches!(event, Event::TaskFinished(_))).await;
    let mut restarted = 0;
    let mut resolved: BTreeMap<Id, u32> = BTreeMap::new();
    let of_context = |it: &Recorded| it.metadata.correlation_id == failed.context_id;
    let mut replay = world.served.stand.bus.replay(1).await.expect("it answers");
    while let Some(page) = replay.next_page().await.expect("read") {
        for recorded in page.into_iter().map(|it| it.expect("it can be read")).filter(of_context) {
            match &recorded.event {
                Event::TaskRestarted(_) => restarted += 1,
                Event::TaskFinished(finished) if finished.outcome == Outcome::Ok => {
                    *resolved.entry(recorded.id).or_default() += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(restarted, 1);
    assert_eq!(resolved, [(winner, 1), (reader.task_id, 1)].into());
    let successor = world.task(winner).await;
    assert_eq!(successor.outputs["x"].id, failed.outputs["x"], "the output has passed on");
    assert_eq!(successor.restart_parent, Some(failed.task_id));
    assert_eq!(world.task(failed.task_id).await.restarted_as, Some(winner));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_is_what_is_done_and_the_rest_is_left_alone() {
    let world = World::start(vec![fails("flaky"), ok("ok"), chain()]).await;
    let context = run(&world).await;
    apply(&world.client, vec![ok("flaky")]).await.expect("mended");
    let before = world.tree(context).await;
    let kept: Vec<_> = ["a", "e"].map(|name| step(&before, name).id).into();

    let preview = json!({"id": context, "target": "failed", "version": "latest", "dry_run": true});
    let shown = call::<ContextRestart>(&world.client, preview).await.expect("shown");
    assert_eq!((shown.task_id, shown.restart_id, shown.stream_seq), (None, None, None));
    let actions: BTreeMap<&str, Action> = shown
        .plan
        .entries
        .iter()
        .map(|entry| (entry.step.as_deref().expect("a step"), entry.action))
        .collect();
    let expected = [
        ("a", Action::Keep),
        ("b", Action::Rerun),
        ("c", Action::Revive),
        ("d", Action::Revive),
        ("e", Action::Keep),
    ];
    assert_eq!(actions, expected.into());
    for entry in &shown.plan.entries {
        assert_eq!(entry.position, world.task(entry.task_id).await.position, "{entry:?}");
    }

    let order = json!({"id": context, "plan": shown.plan, "reason": "mended"});
    let done = call::<ContextRestart>(&world.client, order).await.expect("ordered");
    assert_eq!((done.plan, done.superseded), (shown.plan, vec![]));
    assert!(done.stream_seq.is_some());
    for name in ["c", "d"] {
        let id = step(&before, name).id;
        world.until(id, |event| matches!(event, Event::TaskFinished(_))).await;
    }
    ended(&world, context, "ok").await;
    let after = world.tree(context).await;
    assert_eq!(after.tasks.len(), before.tasks.len() + 1, "one task more");
    let old = after.tasks.iter().find(|task| task.id == step(&before, "b").id).expect("it stays");
    let new = step(&after, "b");
    assert_eq!((old.restarted_as, new.restart_parent), (Some(new.id), Some(old.id)));
    for (name, id) in ["a", "e"].into_iter().zip(kept) {
        assert_eq!(step(&after, name), step(&before, name), "untouched");
        assert_eq!(world.task(id).await.attempt, 1);
    }
    // c waits for the task that has the output now.
    assert_eq!(step(&after, "c").waits_for, [new.id]);

    let attempts =
        call::<TaskAttempts>(&world.client, json!({"id": new.id})).await.expect("told").items;
    let told: Vec<_> =
        attempts.iter().map(|it| (it.task_id, it.specification.version, it.outcome)).collect();
    let expected = [(old.id, 1, AttemptOutcome::Failed), (new.id, 2, AttemptOutcome::Ok)];
    assert_eq!(told, expected);
    assert!(attempts[0].fence < attempts[1].fence);
    assert!(attempts.iter().all(|it| it.ready_at <= it.started_at && it.started_at <= it.ended_at));
    assert_eq!(attempts[0].node.as_deref(), Some("executor"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_step_downward_with_fresh_outputs_the_results_of_the_context_move() {
    let world = World::start(vec![ok("flaky"), ok("ok"), chain()]).await;
    let run = call::<PipelineRun>(&world.client, json!({"name": "chain"})).await.expect("started");
    let context = run.context_id;
    ended(&world, context, "ok").await;
    let before = world.tree(context).await;
    let old_result = run.outputs["last"];

    let reuse = json!({"id": context, "target": {"from": "b"}});
    let error = refused(call::<ContextRestart>(&world.client, reuse).await);
    assert_eq!(error.code, Code::Rejected);
    assert!(error.message.contains("reallocate"), "{}", error.message);

    let order = json!({"id": context, "target": {"from": "b"}, "outputs": "reallocate"});
    let done = call::<ContextRestart>(&world.client, order).await.expect("ordered");
    let steps: Vec<&str> = done.plan.steps().filter_map(|entry| entry.step.as_deref()).collect();
    assert_eq!(steps, ["b", "c", "d"]);
    let first = done.task_id.expect("the one that takes the place of b");
    let restart = done.restart_id.expect("it is more than one task's");
    world
        .served
        .until(|it| matches!(&it.event, Event::ContextRestartSettled(s) if s.id == restart))
        .await;
    ended(&world, context, "ok").await;
    let after = world.tree(context).await;
    assert_eq!(step(&after, "b").id, first);
    for name in ["a", "e"] {
        assert_eq!(step(&after, name).id, step(&before, name).id);
    }
    let head = world.served.stand.bus.head().await.expect("it answers");
    let get = json!({"id": context, "min_seq": head});
    let document = call::<ContextGet>(&world.client, get).await.expect("there");
    let last = world.task(step(&after, "d").id).await;
    assert_ne!(document.outputs["last"], old_result);
    assert_eq!(document.outputs["last"], last.outputs["x"].id);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_somebody_overtook_names_who_did() {
    let world = World::start(vec![fails("flaky"), ok("ok"), chain()]).await;
    let context = run(&world).await;
    let b = step(&world.tree(context).await, "b").id;
    let preview = json!({"id": b, "from": true, "dry_run": true});
    let shown = call::<TaskRestart>(&world.client, preview).await.expect("shown");
    let other = call::<TaskRestart>(&world.client, json!({"id": b})).await.expect("restarted");
    let order = json!({"id": b, "from": true, "plan": shown.plan});
    let error = refused(call::<TaskRestart>(&world.client, order.clone()).await);
    assert_eq!((error.code, error.data.winner), (Code::Rejected, other.task_id));

    let mut forged = order;
    forged["plan"]["entries"][0]["action"] = json!("rerun");
    forged["plan"]["entries"][0]["position"] = json!(1_000_000);
    let error = refused(call::<TaskRestart>(&world.client, forged).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("plan")));
    let mismatch = json!({"id": b, "plan": shown.plan});
    let error = refused(call::<TaskRestart>(&world.client, mismatch).await);
    assert!(error.message.contains("another target"), "{}", error.message);
    let unknown = json!({"id": context, "target": {"from": "bx"}});
    let error = refused(call::<ContextRestart>(&world.client, unknown).await);
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains("did you mean"), "{}", error.message);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_of_one_task_come_in_order_with_their_ends() {
    let mut twice = fails("flaky");
    twice["spec"]["retry"] = json!({"attempts": 2, "backoff": "1ms"});
    let world = World::start(vec![twice]).await;
    let task = world.spawn(json!({"specification": "flaky", "inputs": {"x": {"value": 7}}})).await;
    assert_eq!(world.end(task.task_id).await, FAILED);
    let head = world.served.stand.bus.head().await.expect("it answers");
    let ask = json!({"id": task.task_id, "min_seq": head});
    let told = call::<TaskAttempts>(&world.client, ask).await.expect("told");
    let outcomes: Vec<_> = told.items.iter().map(|it| (it.attempt, it.outcome)).collect();
    assert_eq!(outcomes, [(1, AttemptOutcome::Failed), (2, AttemptOutcome::Failed)]);
    assert!(told.items.iter().all(|it| it.error.is_some() && it.refused.is_none()));
    assert_eq!(
        serde_json::to_value(&told.items[1].inputs).expect("JSON"),
        json!({"x": {"value": 7}})
    );
    assert!(!told.truncated);
    let nobody = json!({"id": "00000000-0000-7000-8000-000000000000"});
    assert_eq!(refused(call::<TaskAttempts>(&world.client, nobody).await).code, Code::NotFound);
    world.stop().await;
}
