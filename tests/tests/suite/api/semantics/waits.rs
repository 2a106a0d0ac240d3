//! Approvals, pauses and limits, and what `task.why` says of them.

use kantoku_api::{
    Code,
    contract::{
        ContextPause, ContextResume, ContextWait, ManifestApply, NamespaceGet, NamespacePause,
        NamespaceResume, PolicyDelete, PolicyGet, PolicyList, SpecificationPause,
        SpecificationResume, TaskApprove, TaskCancel, TaskPause, TaskResume, TaskWhy, WhySource,
    },
};
use kantoku_domain::{Event, Id, task::Outcome};
use kantoku_projections::document::TaskStatus;
use serde_json::{Value, json};

use super::{World, naps, ok};
use crate::api::{Served, apply, call, document, refused};

const OK: (TaskStatus, Option<Outcome>) = (TaskStatus::Finished, Some(Outcome::Ok));

/// A task that two of three have to approve.
fn gated() -> Value {
    let approval = json!({"name": "release", "count": 2, "by": ["ann", "bob", "cy"]});
    json!({"specification": "ok", "depends_on": {"approval": approval}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_waiting_ends_at_the_approval_that_opens_it() {
    let world = World::start(vec![ok("ok")]).await;
    let gate = world.spawn(gated()).await;
    let last = json!({
        "specification": "ok", "context_id": gate.context_id,
        "inputs": {"x": {"resource": gate.outputs["x"]}},
    });
    let last = world.spawn(last).await;
    let why = world.why(last.task_id, "approval").await;
    assert_eq!(why.source, WhySource::Scheduler);
    let fact = &why.facts[0];
    assert_eq!(fact.task_id, Some(gate.task_id));
    assert!(fact.message.contains("0 of 2"), "{}", fact.message);

    let word = |by: &str| json!({"id": gate.task_id, "name": "release", "by": by});
    let first = call::<TaskApprove>(&world.client, word("ann")).await.expect("given");
    assert_eq!((first.given, first.needed), (vec!["ann".to_owned()], 2));
    let error = refused(call::<TaskApprove>(&world.client, word("eve")).await);
    assert_eq!((error.code, error.data.reason.as_str()), (Code::Rejected, "not_allowed"));
    let mut other = word("bob");
    other["name"] = json!("relase");
    assert!(refused(call::<TaskApprove>(&world.client, other).await).message.contains("release"));
    let second = call::<TaskApprove>(&world.client, word("bob")).await.expect("given");
    assert_eq!(second.given.len(), 2);
    assert_eq!(world.end(last.task_id).await, OK);
    let approvals = &world.task(gate.task_id).await.approvals["release"];
    assert_eq!(approvals.iter().map(|it| it.by.as_str()).collect::<Vec<_>>(), ["ann", "bob"]);
    world.stop().await;
}

/// Lets a task wait for an approval, then for a pause, and then run. Its context.
async fn pausing(world: &World, pause: &str, resume: &str, what: &str) -> Id {
    let gate = world.spawn(gated()).await;
    let target = |params: &str| -> Value {
        let params = params.replace("$task", &gate.task_id.to_string());
        let params = params.replace("$context", &gate.context_id.to_string());
        serde_json::from_str(&params).expect("JSON")
    };
    let send = async |text: &str| {
        let (method, params) = text.split_once(' ').expect("a method and parameters");
        let params = target(params);
        match method {
            "task.pause" => call::<TaskPause>(&world.client, params).await,
            "task.resume" => call::<TaskResume>(&world.client, params).await,
            "context.pause" => call::<ContextPause>(&world.client, params).await,
            "context.resume" => call::<ContextResume>(&world.client, params).await,
            "specification.pause" => call::<SpecificationPause>(&world.client, params).await,
            "specification.resume" => call::<SpecificationResume>(&world.client, params).await,
            "namespace.pause" => call::<NamespacePause>(&world.client, params).await,
            _ => call::<NamespaceResume>(&world.client, params).await,
        }
    };
    let paused = send(pause).await.expect("paused");
    assert_eq!(send(pause).await.expect("it was before"), paused, "the first stands");
    for by in ["ann", "cy"] {
        let word = json!({"id": gate.task_id, "name": "release", "by": by});
        call::<TaskApprove>(&world.client, word).await.expect("given");
    }
    let why = world.why(gate.task_id, "paused").await;
    let message = &why.facts[0].message;
    assert!(message.contains(&format!("{what} is paused by anonymous since ")), "{message}");
    assert!(message.contains(": audit. Let it go on: ktk resume "), "{message}");
    assert_eq!(world.task(gate.task_id).await.status, TaskStatus::Initialized);
    send(resume).await.expect("resumed");
    assert_eq!(world.end(gate.task_id).await, OK);
    gate.context_id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_waits_and_says_by_whom_until_it_is_resumed() {
    let world = World::start(vec![ok("ok")]).await;
    let reason = r#""reason": "audit""#;
    let task = format!(r#"task.pause {{"id": "$task", {reason}}}"#);
    pausing(&world, &task, r#"task.resume {"id": "$task"}"#, "it").await;
    let context = format!(r#"context.pause {{"id": "$context", {reason}}}"#);
    let ended =
        pausing(&world, &context, r#"context.resume {"id": "$context"}"#, "its context").await;
    // That all of it has ended is known once the read model is.
    call::<ContextWait>(&world.client, json!({ "id": ended })).await.expect("waited");
    let error = refused(call::<ContextPause>(&world.client, json!({ "id": ended })).await);
    assert_eq!(
        (error.data.reason.as_str(), error.data.current.as_deref()),
        ("terminal", Some("ok"))
    );
    let specification = format!(r#"specification.pause {{"name": "ok", {reason}}}"#);
    let resume = r#"specification.resume {"name": "ok"}"#;
    pausing(&world, &specification, resume, "its specification ok").await;
    let namespace = format!("namespace.pause {{{reason}}}");
    pausing(&world, &namespace, "namespace.resume {}", "its namespace").await;

    let paused = json!({"namespace": "staging", "reason": "the night"});
    let paused = call::<NamespacePause>(&world.client, paused).await.expect("paused");
    let get = json!({"namespace": "staging"});
    let staging = call::<NamespaceGet>(&world.client, get).await.expect("there");
    assert_eq!(staging.stream_seq, paused.stream_seq);
    assert_eq!(staging.paused.map(|it| it.reason).as_deref(), Some("the night"));
    let here = call::<NamespaceGet>(&world.client, json!({})).await.expect("there");
    assert_eq!(here.paused, None);
    let unknown = json!({"name": "okk"});
    let error = refused(call::<SpecificationPause>(&world.client, unknown).await);
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains("did you mean \"ok\""), "{}", error.message);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_until_it_is_deleted_and_names_who_holds_it() {
    let policy = document(
        "Policy",
        "narrow",
        &json!({"limits": {"one": {"specification": "naps", "concurrency": 1}}}),
    );
    let world = World::start(vec![naps("naps"), policy.clone()]).await;
    let first = world.spawn(json!({"specification": "naps"})).await;
    world.until(first.task_id, |event| matches!(event, Event::TaskReceived(_))).await;
    let second = world.spawn(json!({"specification": "naps"})).await;
    let why = world.why(second.task_id, "limit").await;
    let fact = &why.facts[0];
    assert_eq!(fact.held_by, [first.task_id]);
    assert!(fact.message.contains("limit one of policy narrow"), "{}", fact.message);
    assert!(fact.message.contains("1 of 1 held by"), "{}", fact.message);
    assert_eq!(why.source, WhySource::Scheduler);

    let listed = call::<PolicyList>(&world.client, json!({})).await.expect("listed");
    assert_eq!(listed.items.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["narrow"]);
    let again = json!({"documents": [policy]});
    let again = call::<ManifestApply>(&world.client, again).await.expect("applied");
    assert_eq!(serde_json::to_value(again.items[0].change).expect("JSON"), "unchanged");
    let mut wrong = policy;
    wrong["spec"]["limits"]["one"]["concurrency"] = json!(0);
    let error = refused(apply(&world.client, vec![wrong]).await);
    assert_eq!(error.data.problems[0].problem.path, ["spec", "limits", "one", "concurrency"]);

    let gone = call::<PolicyDelete>(&world.client, json!({"name": "narrow"})).await.expect("gone");
    world.until(second.task_id, |event| matches!(event, Event::TaskReceived(_))).await;
    let get = json!({"name": "narrow", "min_seq": gone.stream_seq});
    assert_eq!(refused(call::<PolicyGet>(&world.client, get).await).code, Code::NotFound);
    let list = json!({"min_seq": gone.stream_seq});
    assert_eq!(call::<PolicyList>(&world.client, list).await.expect("listed").items, []);
    let again = call::<PolicyDelete>(&world.client, json!({"name": "narrow"})).await;
    assert_eq!(again.expect("it was before"), gone);
    let nobody = call::<PolicyDelete>(&world.client, json!({"name": "nobody"})).await;
    assert_eq!(refused(nobody).code, Code::NotFound);
    for task in [first, second] {
        call::<TaskCancel>(&world.client, json!({"id": task.task_id})).await.expect("cancelled");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_scheduler_what_is_stored_is_told_and_that_nobody_answered() {
    let served = Box::pin(Served::start()).await;
    let client = served.client().await;
    apply(&client, vec![ok("ok")]).await.expect("applied");
    let spawned: kantoku_api::contract::Spawned =
        call::<kantoku_api::contract::TaskSpawn>(&client, gated()).await.expect("spawned");
    let ask = json!({"id": spawned.task_id, "min_seq": spawned.stream_seq});
    let why = call::<TaskWhy>(&client, ask).await.expect("told");
    assert_eq!(why.source, WhySource::ReadModel);
    let expected = "no scheduler has answered, so this is what is stored: it waits for 1 of 1: ";
    assert!(why.summary.starts_with(expected), "{}", why.summary);
    assert_eq!(why.facts.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), ["approval"]);
    for by in ["ann", "bob"] {
        let word = json!({"id": spawned.task_id, "name": "release", "by": by});
        call::<TaskApprove>(&client, word).await.expect("given");
    }
    let pause = json!({"reason": "audit"});
    let paused = call::<NamespacePause>(&client, pause).await.expect("paused");
    let ask = json!({"id": spawned.task_id, "min_seq": paused.stream_seq});
    let why = call::<TaskWhy>(&client, ask.clone()).await.expect("told");
    assert_eq!(why.facts.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), ["paused"]);
    let head = call::<NamespaceResume>(&client, json!({})).await.expect("resumed").stream_seq;
    let ask = json!({"id": spawned.task_id, "min_seq": head});
    let why = call::<TaskWhy>(&client, ask).await.expect("told");
    assert_eq!(why.facts.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), ["no_scheduler"]);
    served.stop().await;
}
