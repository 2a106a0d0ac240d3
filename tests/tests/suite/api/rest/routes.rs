//! Every route, asked once: the answer has the status and the schema that the document says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{DEADLINE, document, pass},
    Rest,
    documents::validate,
    passing, waiting,
};

/// Ids of what there is to ask for.
struct World {
    task: String,
    /// Tasks that wait for a yes, each for one use.
    waiting: Vec<String>,
    context: String,
    /// One whose task waits.
    open: String,
    resource: String,
    free: Vec<String>,
}

impl World {
    async fn make(rest: &Rest) -> Self {
        let task = rest.spawn(&passing(&json!(7))).await;
        let ended = rest.get(&format!("/v1/tasks/{task}/result?timeout=60s")).await.json();
        assert_eq!(ended["done"], true);
        let shown = rest.get(&format!("/v1/tasks/{task}")).await.json();
        let open = rest.ask("POST /v1/tasks", &[], &waiting()).await;
        rest.catch_up(&open).await;
        let open = open.json();
        let mut waiters = Vec::new();
        for _ in 0..4 {
            waiters.push(rest.spawn(&waiting()).await);
        }
        let free = rest.ask("POST /v1/resources", &[], &json!({ "count": 2 })).await.json();
        let ids = free["ids"].as_array().expect("ids").iter();
        let applied = rest.ask("POST /v1/manifests", &[], &json!({ "documents": [
            document("Type", "word", &json!({ "type": "string" })),
            document("Pipeline", "one", &json!({ "tasks": { "a": { "use": "pass", "with": { "x": 1 } } } })),
            document("Policy", "few", &json!({ "limits": { "all": { "specification": "pass", "concurrency": 9 } } })),
        ] })).await;
        assert_eq!(applied.status, 200, "{}", applied.body);
        rest.catch_up(&applied).await;
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        Self {
            task,
            waiting: waiters,
            context: text(&shown["context_id"]),
            open: text(&open["context_id"]),
            resource: text(&shown["outputs"]["x"]["id"]),
            free: ids.map(text).collect(),
        }
    }

    /// One request for each route: its name, what is sent, and the status that is expected. Those
    /// that would need more of a world than there is are expected to say so.
    fn requests(&self) -> Vec<(&'static str, String, Value, u16)> {
        let Self { task, waiting, context, open, resource, free } = self;
        let none = Value::Null;
        let get = |name, path: String| (name, format!("GET /v1/{path}"), Value::Null, 200);
        let post =
            |name, path: String, body, status| (name, format!("POST /v1/{path}"), body, status);
        let blob = "sha256:a6a1be5a1d1b7f9d1b0b0f0a2dbd5b1b41f1b3d2b5e6f7a8b9c0d1e2f3a4b5c6";
        vec![
            get("task.list", "tasks?limit=2".into()),
            post("task.spawn", "tasks".into(), passing(&json!(1)), 201),
            get("task.count", "tasks/count".into()),
            get("task.distinct", "tasks/values?field=specification".into()),
            get("context.count", "contexts/count?by=pipeline".into()),
            get("context.distinct", "contexts/values?field=status".into()),
            get("resource.count", "resources/count".into()),
            get("resource.distinct", "resources/values?field=context_id".into()),
            post(
                "task.spawn_batch",
                "tasks/batches".into(),
                json!({ "tasks": [passing(&json!(1)), { "specification": "none" }] }),
                200,
            ),
            get("task.get", format!("tasks/{task}")),
            get("task.attempts", format!("tasks/{task}/attempts")),
            post(
                "task.approve",
                format!("tasks/{}/approvals", waiting[0]),
                json!({ "name": "sign" }),
                200,
            ),
            post(
                "task.cancel",
                format!("tasks/{}/cancellation", waiting[1]),
                json!({ "reason": "a test" }),
                202,
            ),
            get("task.events", format!("tasks/{task}/events")),
            post(
                "task.label",
                format!("tasks/{task}/labels"),
                json!({ "set": { "triage": "done" } }),
                200,
            ),
            get("task.logs", format!("tasks/{task}/logs")),
            ("task.pause", format!("PUT /v1/tasks/{}/pause", waiting[2]), none.clone(), 200),
            ("task.resume", format!("DELETE /v1/tasks/{}/pause", waiting[2]), none.clone(), 200),
            post(
                "task.restart",
                format!("tasks/{task}/restarts"),
                json!({ "outputs": "reallocate" }),
                201,
            ),
            get("task.wait", format!("tasks/{task}/result")),
            get("task.tree", format!("tasks/{task}/tree")),
            get("task.why", format!("tasks/{}/why", waiting[3])),
            get("context.list", "contexts".into()),
            get("context.get", format!("contexts/{context}")),
            (
                "context.pause",
                format!("PUT /v1/contexts/{open}/pause"),
                json!({ "reason": "a test" }),
                200,
            ),
            ("context.resume", format!("DELETE /v1/contexts/{open}/pause"), none.clone(), 200),
            get("context.events", format!("contexts/{context}/events")),
            post(
                "context.restart",
                format!("contexts/{context}/restarts"),
                json!({ "target": "all", "outputs": "reallocate" }),
                202,
            ),
            get("context.tree", format!("contexts/{context}/tree")),
            get("context.graph", format!("contexts/{context}/graph?by=data&at=0s")),
            get("context.wait", format!("contexts/{context}/result?timeout=60s")),
            post("context.cancel", format!("contexts/{open}/cancellation"), none.clone(), 202),
            get("resource.list", "resources".into()),
            post(
                "resource.allocate",
                "resources".into(),
                json!({ "count": 1, "type": { "array": "string" } }),
                201,
            ),
            post(
                "resource.initialize",
                "resources/values".into(),
                json!({ "items": [{ "id": free[0], "value": [1] }] }),
                200,
            ),
            post("resource.release", "resources/releases".into(), json!({ "ids": [free[1]] }), 200),
            get("resource.get", format!("resources/{resource}")),
            get("resource.events", format!("resources/{}/events", free[0])),
            get("resource.load", format!("resources/{resource}/value")),
            get("specification.list", "specifications".into()),
            get("specification.get", "specifications/pass".into()),
            ("specification.pause", "PUT /v1/specifications/pass/pause".into(), none.clone(), 200),
            (
                "specification.resume",
                "DELETE /v1/specifications/pass/pause".into(),
                none.clone(),
                200,
            ),
            get("type.list", "types".into()),
            get("type.get", "types/word".into()),
            get("pipeline.list", "pipelines".into()),
            get("pipeline.get", "pipelines/one".into()),
            post("pipeline.run", "pipelines/one/runs".into(), none.clone(), 201),
            get("policy.list", "policies".into()),
            get("policy.get", "policies/few".into()),
            ("policy.delete", "DELETE /v1/policies/few".into(), none.clone(), 200),
            ("namespace.pause", "PUT /v1/namespaces/other/pause".into(), none.clone(), 200),
            get("namespace.get", "namespaces/other".into()),
            ("namespace.resume", "DELETE /v1/namespaces/other/pause".into(), none.clone(), 200),
            post(
                "manifest.apply",
                "manifests".into(),
                json!({ "documents": [pass()], "dry_run": true }),
                200,
            ),
            post(
                "manifest.validate",
                "manifests/validations".into(),
                json!({ "documents": [{ "kind": "Nothing" }] }),
                200,
            ),
            post(
                "manifest.diff",
                "manifests/differences".into(),
                json!({ "documents": [pass()] }),
                200,
            ),
            post(
                "manifest.delete",
                "manifests/deletions".into(),
                json!({ "names": ["policy/none"] }),
                200,
            ),
            post("script.check", "scripts/checks".into(), json!({ "script": "let" }), 200),
            // The server of this test runs none.
            post("script.run", "scripts/runs".into(), json!({ "script": "1" }), 503),
            get("event.list", "events?limit=1000".into()),
            get("event.export", "events/export".into()),
            post("event.import", "events/imports".into(), json!({ "lines": ["{}"] }), 422),
            post("blob.store", "blobs".into(), json!({ "content": "[1]" }), 201),
            post("blob.verify", "blobs/verifications".into(), none.clone(), 202),
            ("blob.load", format!("GET /v1/blobs/{blob}?size=3"), none.clone(), 404),
            get("dead_letter.list", "dead-letters".into()),
            ("dead_letter.get", "GET /v1/dead-letters/7".into(), none.clone(), 404),
            post("dead_letter.redeliver", "dead-letters/7/redeliveries".into(), none.clone(), 404),
            get("seal.list", "seals".into()),
            post("seal.restart", "seals/restarts".into(), json!({ "reason": "a test" }), 200),
            (
                "secret.set",
                "PUT /v1/secrets/db-password".into(),
                json!({ "value": "correct horse" }),
                200,
            ),
            get("secret.get", "secrets/db-password".into()),
            get("secret.list", "secrets".into()),
            ("secret.delete", "DELETE /v1/secrets/db-password".into(), none.clone(), 200),
            post("key.create", "keys".into(), json!({ "name": "ci", "role": "viewer" }), 201),
            get("key.list", "keys".into()),
            ("key.revoke", "DELETE /v1/keys/0123456789abcdef".into(), none.clone(), 404),
            get("audit.list", "audit?limit=10".into()),
            get("service.list", "services".into()),
            get("system.info", "system".into()),
            get("projection.list", "projections".into()),
            post("projection.verify", "projections/verifications".into(), none.clone(), 202),
            post("projection.rebuild", "projections/rebuilds".into(), none.clone(), 202),
            post(
                "operation.start",
                "operations".into(),
                json!({ "action": { "label": { "set": { "seen": "yes" } } }, "where": "specification == 'pass'" }),
                202,
            ),
            get("operation.list", "operations".into()),
            post(
                "operation.cancel",
                "operations/00000000-0000-0000-0000-000000000000/cancellation".into(),
                none.clone(),
                404,
            ),
            (
                "operation.get",
                "GET /v1/operations/00000000-0000-0000-0000-000000000000".into(),
                none,
                404,
            ),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_as_the_document_says() {
    let rest = Rest::start().await;
    let openapi = rest.get("/openapi.json").await.json();
    let operations = operations(&openapi);
    let requests = World::make(&rest).await.requests();
    let asked: BTreeSet<&str> = requests.iter().map(|(name, ..)| *name).collect();
    assert_eq!(asked, operations.iter().map(|(name, _)| name.as_str()).collect());
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for (name, to, body, status) in requests {
        let answer = rest.ask(&to, &[], &body).await;
        if answer.status != status {
            problems.push(format!("{to}: {} and not {status}: {}", answer.status, answer.body));
            continue;
        }
        let (_, responses) = operations.iter().find(|(found, _)| found == name).expect("asked");
        let told = responses.get(answer.status.to_string());
        let schema = match told {
            Some(told) => told["content"]["application/json"]["schema"].clone(),
            None => json!({ "$ref": "#/components/schemas/Problem" }),
        };
        if told.is_some_and(|told| told["headers"].get("Location").is_some()) {
            let location = answer.header("Location").unwrap_or_default();
            assert!(location.starts_with("/v1/"), "{to}: {location}");
            until_made(&rest, location).await;
        }
        if let Some(seq) = answer
            .json()
            .get("stream_seq")
            .and_then(Value::as_u64)
            .filter(|_| !to.starts_with("GET"))
        {
            rest.get(&format!("/v1/tasks/count?min_seq={seq}")).await;
        }
        answers.push(json!([name, schema, answer.json()]));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    validate("answers", vec![openapi, answers.into()]).await;
    rest.stop().await;
}

/// Waits for what was made to be there, and done if it is something that runs.
async fn until_made(rest: &Rest, location: &str) {
    let made = async {
        loop {
            let made = rest.get(location).await;
            assert!([200, 404].contains(&made.status), "{location}: {}", made.body);
            if made.status == 200 && made.json()["status"] != "running" {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, made).await.expect("it is there");
}

/// The operations of the document by name, with their responses.
fn operations(openapi: &Value) -> Vec<(String, Value)> {
    let paths = openapi["paths"].as_object().expect("paths");
    let verbs = paths.values().filter_map(Value::as_object).flat_map(|verbs| verbs.values());
    let named = verbs.map(|operation| {
        let name = operation["operationId"].as_str().expect("a name");
        (name.to_owned(), operation["responses"].clone())
    });
    named.collect()
}
