//! Lists, trees, and the question why.

use std::collections::BTreeSet;

use kantoku_api::{
    Code,
    contract::{
        ContextCancel, ContextGet, PipelineRun, ResourceAllocate, ResourceInitialize, TaskCount,
        TaskGet, TaskList, TaskSpawn, TaskTree, TaskWhy, Why,
    },
};
use kantoku_domain::Event;
use kantoku_projections::document::TaskStatus;
use serde_json::{Value, json};

use super::{Served, apply, call, document, pass, raw::post, refused};

fn kinds(why: &Why) -> Vec<&str> {
    why.facts.iter().map(|fact| fact.kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_input_never_comes_says_so_until_it_comes() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let node = served.stand.node("node").await;
    let page = call::<ResourceAllocate>(&client, json!({"count": 1})).await.expect("allocated");
    let page = page.ids[0];
    let first = json!({"specification": "pass", "inputs": {"x": {"resource": page}}});
    let first = call::<TaskSpawn>(&client, first).await.expect("spawned");
    let second = json!({
        "specification": "pass", "context_id": first.context_id,
        "inputs": {"x": {"resource": first.outputs["x"]}},
    });
    let second = call::<TaskSpawn>(&client, second).await.expect("spawned");
    assert_eq!(second.context_id, first.context_id);

    let ask = json!({"id": second.task_id, "min_seq": second.stream_seq});
    let why = call::<TaskWhy>(&client, ask).await.expect("told");
    assert_eq!(
        (why.status, why.summary.as_str()),
        (TaskStatus::Initialized, "it waits for 1 of 1: input x")
    );
    assert_eq!(kinds(&why), ["input"]);
    let fact = &why.facts[0];
    assert_eq!((fact.resource_id, fact.task_id), (Some(page), Some(first.task_id)));
    // The command that it gives works.
    let body = fact.message.split(" -d '").nth(1).and_then(|rest| rest.strip_suffix('\''));
    let body = body.expect("a command").replace("VALUE", "\"here\"");
    let done = post(served.address, &body).await.json();
    assert_eq!(done["result"]["errors"], json!([null]));

    let ready = |id| move |event: &kantoku_domain::Recorded| matches!(&event.event, Event::TaskReady(ready) if ready.task_id == id);
    let seq = served.until(ready(first.task_id)).await.stream_seq;
    let ask = json!({"id": second.task_id, "min_seq": seq});
    let why = call::<TaskWhy>(&client, ask).await.expect("told");
    assert_eq!(kinds(&why), ["no_executor"]);
    assert_eq!(why.facts[0].task_id, Some(first.task_id));

    let executor = served.stand.executor("executor");
    let finished = served
        .until(|event| event.id == second.task_id && matches!(event.event, Event::TaskFinished(_)))
        .await;
    let ask = json!({"id": second.task_id, "min_seq": finished.stream_seq});
    let why = call::<TaskWhy>(&client, ask).await.expect("told");
    assert_eq!(kinds(&why), Vec::<&str>::new());
    assert!(why.summary.starts_with("it finished ok on executor"), "{}", why.summary);
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_the_reason_of_all_that_it_skips_and_a_cancellation_names_its_author() {
    let served = Served::start().await;
    let client = served.client().await;
    let command = json!(["python3", "-c", "import sys; sys.exit('no such page')"]);
    let fails = json!({
        "outputs": {"x": "unknown"}, "executable": {"type": "process", "command": command},
    });
    let pipeline = json!({"tasks": {
        "a": {"use": "fails"},
        "b": {"use": "pass", "with": {"x": "$a.x"}},
        "c": {"use": "pass", "with": {"x": "$b.x"}},
    }});
    let documents = vec![
        pass(),
        document("Specification", "fails", &fails),
        document("Pipeline", "p", &pipeline),
    ];
    apply(&client, documents).await.expect("applied");
    let (node, executor) = (served.stand.node("node").await, served.stand.executor("executor"));
    let run = call::<PipelineRun>(&client, json!({"name": "p"})).await.expect("started");
    crate::history::History::follow(&served.stand.bus, run.context_id, super::DEADLINE).await;
    let head = served.stand.bus.head().await.expect("it answers");
    let ask = json!({"id": run.context_id, "min_seq": head});
    let tree = call::<TaskTree>(&client, ask).await.expect("drawn");
    let steps: Vec<&str> = tree.tasks.iter().filter_map(|task| task.step.as_deref()).collect();
    assert_eq!(steps, ["a", "b", "c"]);
    assert_eq!(tree.tasks[1].waits_for, [tree.tasks[0].id]);
    let why = call::<TaskWhy>(&client, json!({"id": tree.tasks[2].id})).await.expect("told");
    assert_eq!((why.status, kinds(&why)), (TaskStatus::Skipped, vec!["failed"]));
    assert_eq!(why.facts[0].task_id, Some(tree.tasks[0].id));
    assert!(why.facts[0].message.contains("no such page"), "{}", why.facts[0].message);

    let terminal = json!({"id": run.context_id, "reason": "late"});
    let error = refused(call::<ContextCancel>(&client, terminal).await);
    assert_eq!((error.code, error.data.current.as_deref()), (Code::Rejected, Some("failed")));

    let missing = json!({"specification": "pass", "inputs": {"x": {"resource": run.context_id}}});
    let spawned = call::<TaskSpawn>(&client, missing).await.expect("spawned");
    let cancel = json!({"id": spawned.context_id, "reason": "wrong id"});
    call::<ContextCancel>(&client, cancel).await.expect("cancelled");
    let cancelled = served
        .until(|event| {
            event.id == spawned.task_id && matches!(event.event, Event::TaskCancelled(_))
        })
        .await;
    let ask = json!({"id": spawned.task_id, "min_seq": cancelled.stream_seq});
    let why = call::<TaskWhy>(&client, ask).await.expect("told");
    assert!(why.summary.contains("cancelled by anonymous"), "{}", why.summary);
    assert!(why.summary.ends_with(": wrong id"), "{}", why.summary);
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_page_by_page_and_ids_may_be_short() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let mut last = 0;
    let mut spawned = BTreeSet::new();
    for n in 0..25 {
        let params = json!({"specification": "pass", "inputs": {"x": {"value": n}},
                            "labels": {"odd": (n % 2 == 1).to_string(), "n": n.to_string()}});
        let task = call::<TaskSpawn>(&client, params).await.expect("spawned");
        last = task.stream_seq;
        spawned.insert(task.task_id);
    }
    let mut found = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let params = json!({"limit": 10, "cursor": cursor, "min_seq": last});
        let page = call::<TaskList>(&client, params).await.expect("listed");
        found.extend(page.items.iter().map(|task| task.id));
        match page.next_cursor {
            Some(next) => cursor = json!(next),
            None => break,
        }
    }
    assert_eq!(found.len(), 25);
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), spawned);
    let odd = json!({"filter": {"labels.odd": "true", "specification": "pass"}});
    assert_eq!(call::<TaskCount>(&client, odd).await.expect("counted").total, 12);

    let params = json!({"fields": ["id", "labels.n"], "filter": {"labels.n": "7"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "task.list", "params": params});
    let answer = post(served.address, &body.to_string()).await.json();
    let item = &answer["result"]["items"][0];
    assert_eq!(item["labels"], json!({"n": "7"}));
    assert_eq!(item.as_object().map(serde_json::Map::len), Some(2));

    let id = found[0].to_string();
    let task = call::<TaskGet>(&client, json!({"id": id[..30]})).await.expect("the only one");
    assert_eq!(task.id, found[0]);
    let error = refused(call::<TaskGet>(&client, json!({"id": id[..3]})).await);
    assert_eq!((error.code, error.data.reason.as_str()), (Code::NotFound, "ambiguous"));
    let error = refused(call::<ContextGet>(&client, json!({"id": "not-hex"})).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("id")));
    let elsewhere = json!({"id": id, "namespace": "other"});
    assert_eq!(refused(call::<TaskGet>(&client, elsewhere).await).code, Code::NotFound);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_commands_go_on_and_queries_say_what_is_away() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    served.database.close().await;
    let params = json!({"specification": "pass", "inputs": {"x": {"value": 1}}});
    let spawned = call::<TaskSpawn>(&client, params).await.expect("spawned");
    let items = json!({"items": [{"id": spawned.task_id, "value": 1}]});
    assert_eq!(refused(call::<ResourceInitialize>(&client, items).await).code, Code::Rejected);
    let error = refused(call::<TaskGet>(&client, json!({"id": spawned.task_id})).await);
    assert_eq!((error.code, error.data.retryable), (Code::Unavailable, true));
    served.stop().await;
}
