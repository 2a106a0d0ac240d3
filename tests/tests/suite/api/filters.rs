//! One language of filters, as lists, counts and subscriptions take it.

use std::collections::BTreeMap;

use kantoku_api::{
    Client, Code,
    contract::{
        ContextList, PipelineRun, ResourceList, TaskCount, TaskList, TaskSpawn, TaskSubscribe,
    },
};
use kantoku_domain::Id;
use kantoku_projections::document::TaskStatus;
use serde_json::{Value, json};

use super::{
    Served, apply, call, document,
    feed::{next, subscribe},
    pass, refused,
};

/// Tasks `0..count` with their number as input, priority and label; and the last position.
async fn numbered(client: &Client, count: i64) -> (BTreeMap<Id, i64>, u64) {
    let (mut tasks, mut last) = (BTreeMap::new(), 0);
    for n in 0..count {
        let parity = if n % 2 == 0 { "even" } else { "odd" };
        let params = json!({
            "specification": "pass", "inputs": {"x": {"value": {"n": n, "word": format!("w{n}")}}},
            "priority": n, "labels": {"n": n.to_string(), "parity": parity},
        });
        let spawned = call::<TaskSpawn>(client, params).await.expect("spawned");
        tasks.insert(spawned.task_id, n);
        last = spawned.stream_seq;
    }
    (tasks, last)
}

/// The numbers of the tasks of a list.
async fn listed(client: &Client, tasks: &BTreeMap<Id, i64>, params: Value) -> Vec<i64> {
    let page = call::<TaskList>(client, params).await.expect("listed");
    page.items.iter().map(|task| tasks[&task.id]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_spellings_say_the_same_and_together_both_hold() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let (tasks, min_seq) = numbered(&client, 12).await;
    let json_ = json!({"filter": {"priority": {"$gte": 3, "$lt": 9}, "labels.parity": "odd"},
                       "sort": "priority", "min_seq": min_seq});
    assert_eq!(listed(&client, &tasks, json_).await, [3, 5, 7]);
    let text = json!({"where": "priority >= 3 && priority < 9 && labels.parity == 'odd'",
                      "sort": "-priority"});
    assert_eq!(listed(&client, &tasks, text).await, [7, 5, 3]);
    let both = json!({"filter": {"labels.parity": {"$ne": "even"}},
                      "where": "inputs.x.source.value.n > 4 || inputs.x.source.value.word == 'w1'",
                      "sort": "priority"});
    assert_eq!(listed(&client, &tasks, both.clone()).await, [1, 5, 7, 9, 11]);
    let mut count = both.clone();
    count.as_object_mut().expect("an object").remove("sort");
    assert_eq!(call::<TaskCount>(&client, count).await.expect("counted").total, 5);

    // Page by page, it is the same; a cursor belongs to its filter and order.
    let mut paged = both.clone();
    paged["limit"] = json!(2);
    paged["skip"] = json!(1);
    let page = call::<TaskList>(&client, paged.clone()).await.expect("listed");
    let numbers: Vec<i64> = page.items.iter().map(|task| tasks[&task.id]).collect();
    assert_eq!(numbers, [5, 7]);
    let cursor = page.next_cursor.expect("there is more");
    paged["skip"] = json!(0);
    paged["cursor"] = json!(cursor);
    assert_eq!(listed(&client, &tasks, paged.clone()).await, [9, 11]);
    paged["sort"] = json!("-priority");
    let error = refused(call::<TaskList>(&client, paged).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("cursor")));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_or_costs_too_much_is_refused_and_says_where() {
    let served = Served::start().await;
    let client = served.client().await;
    let wrong = [
        (json!({"filter": {"statsu": "ready"}}), "filter.statsu", "did you mean \"status\"?"),
        (json!({"filter": {"attempt": {"$more": 1}}}), "filter.attempt.$more", "$more"),
        (json!({"where": "attempt >"}), "where", "column 10"),
        (json!({"where": "attempt == 'one'"}), "where", "number"),
        (json!({"filter": {"attempt": {"$in": vec![1; 1_001]}}}), "filter", "1000"),
        (json!({"where": format!("{}paused{}", "!(".repeat(40), ")".repeat(40))}), "where", ""),
        (json!({"where": vec!["attempt == 1"; 200].join(" && ")}), "where", "100"),
        (json!({"where": "reason.matches('(a{1,50}){1,50}')"}), "where", ""),
        (json!({"sort": "color"}), "sort", "color"),
        (json!({"skip": 1_000_000}), "skip", "10000"),
    ];
    for (params, field, words) in wrong {
        let error = refused(call::<TaskList>(&client, params.clone()).await);
        assert_eq!(error.code, Code::Invalid, "{params}: {error:?}");
        let at = error.data.field.as_deref().unwrap_or_default();
        assert!(at.starts_with(field), "{params}: {at}");
        let message = error.message.replace(',', "");
        assert!(message.contains(words), "{params}: {message}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_are_asked_for_and_subscriptions_take_what_needs_none() {
    let served = Served::start().await;
    let client = served.client().await;
    let pipeline = json!({"tasks": {
        "a": {"use": "pass", "with": {"x": 1}},
        "b": {"use": "pass", "with": {"x": "$a.x"}},
        "c": {"use": "pass", "with": {"x": "$b.x"}},
    }});
    apply(&client, vec![pass(), document("Pipeline", "p", &pipeline)]).await.expect("applied");
    let node = served.stand.node("node").await;
    let follow = json!({"where": "step in ['b', 'c'] && status == 'finished'"});
    let mut followed = subscribe::<TaskSubscribe>(&client, follow).await;
    let run = call::<PipelineRun>(&client, json!({"name": "p"})).await.expect("started");
    let all = json!({"filter": {"context_id": run.context_id}, "min_seq": run.stream_seq});
    let page = call::<TaskList>(&client, all).await.expect("listed");
    let id_of = |step: &str| {
        let found = page.items.iter().find(|task| task.step.as_deref() == Some(step));
        found.expect("a step").id
    };
    let blocked = json!({"where": format!("blocked_by('{}')", id_of("a")), "sort": "step"});
    let page_of = call::<TaskList>(&client, blocked.clone()).await.expect("listed");
    let steps: Vec<&str> = page_of.items.iter().filter_map(|task| task.step.as_deref()).collect();
    assert_eq!(steps, ["b", "c"]);
    let produced = json!({"filter": {"$produced_by": id_of("b")}});
    let resources = call::<ResourceList>(&client, produced).await.expect("listed").items;
    assert_eq!(resources.len(), 1);
    let error = client
        .subscribe::<TaskSubscribe>(
            &serde_json::from_value(json!({"where": format!("blocked_by('{}')", id_of("a"))}))
                .expect("parameters"),
        )
        .await;
    assert!(error.is_err(), "what others do is no event of the task");

    let executor = served.stand.executor("executor");
    for step in ["b", "c"] {
        let changed = next(&mut followed).await;
        assert_eq!(changed.task.step.as_deref(), Some(step));
        assert_eq!(changed.task.status, TaskStatus::Finished);
    }
    let head = served.stand.bus.head().await.expect("answered");
    let mut blocked = blocked;
    blocked["min_seq"] = json!(head);
    assert_eq!(call::<TaskList>(&client, blocked).await.expect("listed").items.len(), 0);
    let contexts = json!({"where": "status == 'ok' && pipeline.name == 'p' && tasks.ok >= 3",
                          "min_seq": head});
    let contexts = call::<ContextList>(&client, contexts).await.expect("listed").items;
    assert_eq!(contexts.iter().map(|context| context.id).collect::<Vec<_>>(), [run.context_id]);
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}
