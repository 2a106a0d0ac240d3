//! Every method, with every role, at home and abroad: what is refused, and that it tells nothing.

use std::collections::BTreeMap;

use kantoku_domain::access::Role;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Guarded, pass, request, told, untraced};

/// The calls of one batch.
const BATCH: usize = 50;

/// What the test knows of a server: its methods, and what each must be given.
struct Methods {
    required: BTreeMap<String, Vec<String>>,
    rules: BTreeMap<String, (Role, String)>,
}

impl Methods {
    async fn of(guarded: &Guarded) -> Self {
        let document = guarded.result(&guarded.root, "rpc.discover", &json!({})).await;
        let methods = document["methods"].as_array().expect("methods");
        let required = methods.iter().map(|method| {
            let params = method["params"].as_array().expect("parameters");
            let required = params.iter().filter(|param| param["required"] == true);
            let names = required.map(|param| param["name"].as_str().expect("a name").to_owned());
            (method["name"].as_str().expect("a name").to_owned(), names.collect())
        });
        let (required, rules): (BTreeMap<_, _>, _) = (required.collect(), told());
        let declared: Vec<_> = required.keys().collect();
        assert_eq!(rules.keys().collect::<Vec<_>>(), declared, "the page tells of every method");
        Self { required, rules }
    }

    /// What a method takes at least, about the record `id` of `namespace`.
    fn params(&self, method: &str, namespace: &str, id: &str) -> Value {
        let mut params = Map::new();
        for name in &self.required[method] {
            params.insert(name.clone(), plausible(method, name, id));
        }
        if self.rules[method].1 == "its namespaces" {
            params.insert("namespace".into(), namespace.into());
        }
        Value::Object(params)
    }
}

fn plausible(method: &str, name: &str, id: &str) -> Value {
    match name {
        "id" | "task_id" | "context_id" => id.into(),
        "name" | "specification" | "pipeline" if method != "key.create" => "pass".into(),
        "role" => "admin".into(),
        "value" => "long enough to be one".into(),
        "version" => "same".into(),
        "outputs" => "reuse".into(),
        "count" => 1.into(),
        "tasks" => json!([{ "specification": "pass", "inputs": { "x": { "value": 1 } } }]),
        "items" => json!([{ "id": id, "value": 1 }]),
        "ids" => json!([id]),
        "documents" => json!([pass()]),
        _ => "because".into(),
    }
}

/// A task of another namespace, with everything that it stands on.
async fn abroad(guarded: &Guarded) -> (String, String) {
    let apply = json!({ "namespace": "away", "documents": [pass()] });
    guarded.result(&guarded.root, "manifest.apply", &apply).await;
    let spawn = json!({
        "namespace": "away", "specification": "pass", "inputs": { "x": { "value": "planted" } },
    });
    let spawned = guarded.result(&guarded.root, "task.spawn", &spawn).await;
    let seen = json!({ "namespace": "away", "min_seq": spawned["stream_seq"] });
    guarded.result(&guarded.root, "task.count", &seen).await;
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    (text(&spawned["task_id"]), text(&spawned["outputs"]["x"]))
}

fn is_refused(answer: &Value) -> bool {
    answer.pointer("/error/code") == Some(&json!(1005))
}

#[tokio::test]
async fn nobody_gets_further_than_role_and_namespace_allow_and_nobody_learns_what_there_is() {
    let guarded = Box::pin(Guarded::start()).await;
    let methods = Methods::of(&guarded).await;
    let (task, output) = abroad(&guarded).await;
    let nowhere = Uuid::now_v7().to_string();
    let before = guarded.served.stand.bus.head().await.expect("NATS answers");
    let mut reached = 0;
    for role in Role::ALL {
        let (_, key) = guarded.key(role, &json!({ "namespaces": ["home"] })).await;
        guarded.until_it_opens(&key).await;
        let mut refused = Vec::new();
        for (method, (needed, place)) in &methods.rules {
            let ask = async |namespace, id: &str| {
                guarded.answer(&key, method, &methods.params(method, namespace, id)).await
            };
            // Abroad, and about what belongs to nobody.
            let (there, not_there) = (ask("away", &task).await, ask("away", &nowhere).await);
            assert_eq!(there, not_there, "{role}: {method} tells what there is");
            assert_eq!(
                is_refused(&there),
                role < *needed || place != "–",
                "{role}: {method}: {there}"
            );
            if is_refused(&there) {
                refused.push(request(method, &methods.params(method, "away", &task)));
            }
            // At home, with ids of abroad. What changes something at home is left out: it may.
            let is_command =
                *needed > Role::Viewer && !methods.required[method].contains(&"id".into());
            if role < *needed || place != "its namespaces" || is_command {
                continue;
            }
            for id in [&task, &output] {
                let (there, not_there) = (ask("home", id).await, ask("home", &nowhere).await);
                let told = |answer: &Value, id: &str| answer.to_string().replace(id, "ID");
                assert_eq!(told(&there, id), told(&not_there, &nowhere), "{role}: {method}");
                reached += usize::from(there.pointer("/error/code") != Some(&json!(-32602)));
            }
        }
        batches(&guarded, &key, &refused).await;
    }
    assert!(reached > 100, "only {reached} calls came as far as the ids");
    let after = guarded.served.stand.bus.head().await.expect("NATS answers");
    assert_eq!(after, before, "what was refused has left an event");
    guarded.served.stop().await;
}

/// In batches, with an id and without.
async fn batches(guarded: &Guarded, key: &str, refused: &[Value]) {
    assert!(refused.len() > BATCH, "{}", refused.len());
    for chunk in refused.chunks(BATCH) {
        let batch = json!(chunk);
        let answers = untraced(guarded.post(Some(key), &batch).await.json());
        let answers = answers.as_array().expect("answers");
        assert_eq!(answers.len(), chunk.len());
        assert!(answers.iter().all(is_refused), "{answers:?}");
        let mut silent = batch;
        for call in silent.as_array_mut().expect("calls") {
            call.as_object_mut().expect("an object").remove("id");
        }
        assert_eq!(guarded.post(Some(key), &silent).await.body, "");
    }
}

/// Whose id is known is not thereby to be had: a task that is given it as an input does not get it.
#[tokio::test]
async fn a_task_gets_no_value_of_another_namespace() {
    let guarded = Box::pin(Guarded::start()).await;
    let stand = &guarded.served.stand;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let (_, output) = abroad(&guarded).await;
    let (_, key) = guarded.key(Role::Developer, &json!({ "namespaces": ["home"] })).await;
    guarded.until_it_opens(&key).await;
    let apply = json!({ "namespace": "home", "documents": [pass()] });
    guarded.result(&key, "manifest.apply", &apply).await;
    let spawn = json!({
        "namespace": "home", "specification": "pass", "inputs": { "x": { "resource": output } },
        "retry": { "attempts": 1 },
    });
    let spawned = guarded.result(&key, "task.spawn", &spawn).await;
    let wait = json!({ "namespace": "home", "id": spawned["task_id"], "timeout": "60s" });
    let ended = guarded.result(&key, "task.wait", &wait).await;
    assert_eq!(ended["done"], true, "{ended}");
    let text = ended.to_string();
    assert!(text.contains("not of namespace home") && !text.contains("planted"), "{text}");
    executor.stop().await;
    node.stop().await;
    guarded.served.stop().await;
}

#[tokio::test]
async fn a_batch_that_names_another_namespace_for_one_task_is_refused_whole() {
    let guarded = Box::pin(Guarded::start()).await;
    let (_, key) = guarded.key(Role::Admin, &json!({ "namespaces": ["home"] })).await;
    guarded.until_it_opens(&key).await;
    let before = guarded.served.stand.bus.head().await.expect("NATS answers");
    let task = |namespace: Option<&str>| {
        let mut task = json!({ "specification": "pass", "inputs": { "x": { "value": 1 } } });
        if let Some(namespace) = namespace {
            task["namespace"] = namespace.into();
        }
        task
    };
    let params = json!({ "namespace": "home", "tasks": [task(None), task(Some("away"))] });
    assert!(is_refused(&guarded.answer(&key, "task.spawn_batch", &params).await));
    for params in
        [json!({ "all_namespaces": true }), json!({ "namespace": "home", "all_namespaces": true })]
    {
        assert!(is_refused(&guarded.answer(&key, "task.list", &params).await), "{params}");
    }
    // Said twice, it is not known which is meant.
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"task.list","params":{"namespace":"home","namespace":"away"}}"#;
    let headers = format!(
        "Host: {0}\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}",
        guarded.served.address
    );
    let answer = super::raw::send(guarded.served.address, "POST", &headers, twice).await;
    assert_eq!(answer.code(), -32602);
    assert_eq!(guarded.served.stand.bus.head().await.expect("NATS answers"), before);
    guarded.served.stop().await;
}
