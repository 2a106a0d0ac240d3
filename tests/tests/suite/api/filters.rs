//! One language of filters, as lists, counts and subscriptions take it.

use std::collections::BTreeMap;

use kantoku_api::{
    Client, Code,
    contract::{
        ContextCount, ContextList, EventList, PipelineRun, ResourceDistinct, ResourceList,
        SpecificationList, SpecificationPause, TaskCount, TaskDistinct, TaskList, TaskSpawn,
        TaskSubscribe,
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

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_values_are_told_by_field() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let (_, min_seq) = numbered(&client, 5).await;
    let ask = json!({"by": "labels.parity", "where": "priority < 4", "min_seq": min_seq});
    let counts = call::<TaskCount>(&client, ask).await.expect("counted");
    let groups = counts.groups.expect("asked for");
    let told: Vec<_> = groups.items.iter().map(|group| (&group.value, group.count)).collect();
    assert_eq!(told, [(&json!("even"), 2), (&json!("odd"), 2)]);
    assert_eq!((counts.total, groups.complete), (4, true));

    let ask = json!({"by": "priority", "limit": 2});
    let groups = call::<TaskCount>(&client, ask).await.expect("counted").groups.expect("asked for");
    assert_eq!((groups.items.len(), groups.complete), (2, false));
    let ask = json!({"field": "labels.n", "filter": {"labels.parity": "odd"}});
    let values = call::<TaskDistinct>(&client, ask).await.expect("told");
    assert_eq!((values.values, values.complete), (vec![json!("1"), json!("3")], true));
    let ask = json!({"by": "status", "all_namespaces": true});
    assert_eq!(call::<ContextCount>(&client, ask).await.expect("counted").total, 5);
    let ask = json!({"field": "status"});
    let values = call::<ResourceDistinct>(&client, ask).await.expect("told").values;
    assert_eq!(values, [json!("allocated")]);

    let wrong = [
        (json!({"by": "labels.x.y.z\0"}), "by"),
        (json!({"by": "prioritty"}), "by"),
        (json!({"limit": 3}), "limit"),
        (json!({"by": "status", "limit": 0}), "limit"),
        (json!({"where": "statsu == 'x'"}), "where"),
    ];
    for (ask, field) in wrong {
        let error = refused(call::<TaskCount>(&client, ask.clone()).await);
        assert_eq!(
            (error.code, error.data.field.as_deref()),
            (Code::Invalid, Some(field)),
            "{ask}"
        );
    }
    let error = refused(call::<TaskDistinct>(&client, json!({"field": "colour"})).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("field")));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_and_events_are_filtered_in_the_same_language() {
    let served = Served::start().await;
    let client = served.client().await;
    let other = document("Specification", "other", &json!({"executable": {"type": "noop"}}));
    let nap = json!({"executable": {"type": "sleep", "duration": "1ms"}, "queue": "gpu"});
    let nap = document("Specification", "nap", &nap);
    apply(&client, vec![pass(), other, nap]).await.expect("applied");
    let names = async |ask: Value| -> Vec<String> {
        let page = call::<SpecificationList>(&client, ask).await.expect("listed");
        page.items.iter().map(|item| item.name.to_string()).collect()
    };
    assert_eq!(names(json!({"where": "executable.type == 'noop'"})).await, ["other", "pass"]);
    assert_eq!(names(json!({"filter": {"queue": {"$ne": "gpu"}}, "limit": 1})).await, ["other"]);
    assert_eq!(names(json!({"where": "name > 'nap' && version == 1"})).await, ["other", "pass"]);
    let pause = json!({"name": "nap", "reason": "a test"});
    let paused = call::<SpecificationPause>(&client, pause).await.expect("paused");
    let ask = json!({"where": "paused", "min_seq": paused.stream_seq});
    assert_eq!(names(ask).await, ["nap"]);
    assert_eq!(names(json!({"where": "!paused && has(inputs.x)"})).await, ["pass"]);
    let error = refused(call::<SpecificationList>(&client, json!({"where": "nme == 'x'"})).await);
    assert!(error.message.contains("did you mean \"name\""), "{}", error.message);
    let error = refused(call::<SpecificationList>(&client, json!({"cursor": "a\0"})).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("cursor")));

    let kinds = async |ask: Value| -> Vec<&str> {
        let page = call::<EventList>(&client, ask).await.expect("listed");
        page.items.iter().map(|item| item.event.name()).collect()
    };
    let ask = json!({"where": "type == 'SpecificationPaused'"});
    assert_eq!(kinds(ask).await, ["SpecificationPaused"]);
    let ask = json!({"filter": {"aggregate": "specification", "version": 1, "actor": "anonymous"}});
    assert_eq!(kinds(ask).await, ["SpecificationApplied"; 3]);
    let ask = json!({"where": "stream_seq > 1 && at > now - duration(\"1h\") && type.matches('Applied$')"});
    assert_eq!(kinds(ask).await, ["SpecificationApplied"; 2]);
    assert!(kinds(json!({"filter": {"at": {"$lt": "2020-01-01T00:00:00Z"}}})).await.is_empty());
    let error = refused(call::<EventList>(&client, json!({"where": "data.x == 1"})).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("where")));
    served.stop().await;
}
