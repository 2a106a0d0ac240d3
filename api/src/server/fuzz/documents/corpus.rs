//! A valid call of every method: where mutations begin.

use serde_json::{Value, json};

/// Ids that a call may name.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) task: String,
    pub(crate) context: String,
    pub(crate) resource: String,
}

impl Default for Known {
    fn default() -> Self {
        let id = |last: u8| format!("0193b0de-0000-7000-8000-0000000000{last:02x}");
        Self { task: id(1), context: id(2), resource: id(3) }
    }
}

/// Methods with parameters. A wait is short.
pub(crate) fn samples(known: &Known) -> Vec<(&'static str, Value)> {
    [reads(known), orders(known), definitions(), streams(known)].concat()
}

fn reads(known: &Known) -> Vec<(&'static str, Value)> {
    let Known { task, context, resource } = known;
    let one = |id: &String| json!({"id": id, "min_seq": 1, "timeout": "1ms"});
    let list = json!({
        "filter": {"status": "ready"}, "sort": "-updated_at", "limit": 3, "timeout": "1ms",
    });
    let names = json!({"limit": 5, "namespace": "default"});
    let version = json!({"name": "pass", "version": 1, "min_seq": 1, "timeout": "1ms"});
    vec![
        ("task.get", one(task)),
        ("task.list", list.clone()),
        ("task.list", json!({"filter": {"labels.team": "a"}, "fields": ["id", "labels.team"]})),
        ("task.count", json!({"where": "status == 'ready'", "by": "labels.team", "limit": 3})),
        ("task.distinct", json!({"field": "specification", "limit": 3})),
        ("context.count", json!({"by": "status"})),
        ("context.distinct", json!({"field": "pipeline"})),
        ("resource.count", json!({"filter": {"status": "ready"}})),
        ("resource.distinct", json!({"field": "status", "all_namespaces": true})),
        ("task.wait", json!({"id": task, "timeout": "1ms"})),
        ("task.tree", one(context)),
        ("task.why", one(task)),
        ("task.attempts", one(task)),
        ("task.logs", json!({"id": task, "attempt": 1, "after": 0, "limit": 10})),
        ("context.get", one(context)),
        ("context.graph", one(context)),
        ("context.list", json!({"filter": {"status": "running"}, "limit": 2})),
        ("context.wait", json!({"id": context, "timeout": "1ms"})),
        ("resource.get", one(resource)),
        ("resource.load", one(resource)),
        ("resource.list", json!({"filter": {"context_id": context}, "limit": 2})),
        ("specification.get", version.clone()),
        ("specification.list", names.clone()),
        ("type.get", version.clone()),
        ("type.list", names.clone()),
        ("pipeline.get", version),
        ("pipeline.list", names.clone()),
        ("policy.get", json!({"name": "keep"})),
        ("policy.list", names),
        ("namespace.get", json!({"namespace": "default"})),
        ("service.list", json!({})),
        ("system.info", json!({})),
        ("rpc.discover", json!({})),
        ("projection.list", json!({})),
        ("operation.get", json!({"id": task})),
        ("operation.list", json!({"limit": 10, "cursor": task})),
    ]
}

fn orders(known: &Known) -> Vec<(&'static str, Value)> {
    let Known { task, context, resource } = known;
    let paused = json!({"id": task, "reason": "wait"});
    let spawn = json!({
        "specification": "pass",
        "inputs": {"x": {"value": {"a": [1, "zwei", null, 3.5]}}},
        "labels": {"team": "a"},
        "priority": 3,
        "retry": {"attempts": 2, "backoff": "1s"},
        "timeouts": {"attempt": "5s"},
        "depends_on": {"all": [{"done": task}, {"not": {"failed": task}}]},
        "shard_key": "s",
        "idempotency_key": "k",
    });
    let tasks = json!([
        {"specification": "pass", "inputs": {"x": {"value": 1}}},
        {"specification": "pass", "inputs": {"x": {"resource": resource}}, "context_id": context},
    ]);
    vec![
        ("task.spawn", spawn),
        ("task.spawn", json!({"specification": "pass", "inputs": {"x": {"value": 1}}})),
        ("task.spawn_batch", json!({"tasks": tasks})),
        ("task.cancel", json!({"id": task, "reason": "no", "cascade": true})),
        (
            "task.label",
            json!({"id": task, "set": {"team": "b"}, "remove": ["owner"], "overwrite": true}),
        ),
        (
            "operation.start",
            json!({
                "action": {"restart": {"outputs": "reuse", "version": "same"}}, "kind": "task",
                "filter": {"labels.team": "a"}, "where": "attempt > 1", "dry_run": true,
            }),
        ),
        ("operation.cancel", json!({"id": task})),
        ("task.pause", paused.clone()),
        ("task.resume", json!({"id": task})),
        ("task.approve", json!({"id": task, "name": "legal", "by": "ada"})),
        (
            "task.restart",
            json!({"id": task, "outputs": "reuse", "version": "same", "dry_run": true}),
        ),
        ("context.cancel", json!({"id": context, "reason": "no"})),
        ("context.pause", json!({"id": context, "reason": "wait"})),
        ("context.resume", json!({"id": context})),
        ("context.restart", json!({"id": context, "target": {"from": "a"}, "dry_run": true})),
        ("specification.pause", json!({"name": "pass", "reason": "wait"})),
        ("specification.resume", json!({"name": "pass"})),
        ("namespace.pause", json!({"namespace": "other", "reason": "wait"})),
        ("namespace.resume", json!({"namespace": "other"})),
        ("policy.delete", json!({"name": "keep"})),
        ("resource.allocate", json!({"count": 2, "type": {"array": "number"}})),
        ("resource.initialize", json!({"items": [{"id": resource, "value": [1, 2]}]})),
        ("resource.release", json!({"ids": [resource]})),
        ("pipeline.run", json!({"name": "line", "params": {"x": 1}, "labels": {"a": "b"}})),
    ]
}

fn definitions() -> Vec<(&'static str, Value)> {
    let specification = json!({
        "apiVersion": "kantoku/v1", "kind": "Specification", "metadata": {"name": "pass"},
        "spec": {
            "inputs": {"x": "unknown"}, "outputs": {"x": "unknown"},
            "executable": {"type": "noop"}, "retry": {"attempts": 3, "backoff": "1s"},
        },
    });
    let pipeline = json!({
        "apiVersion": "kantoku/v1", "kind": "Pipeline", "metadata": {"name": "line"},
        "spec": {
            "params": {"x": "number"},
            "tasks": {
                "a": {"use": "pass", "with": {"x": "$params.x"}},
                "b": {"use": "pass", "with": {"x": {"from": "$a.x", "map": "x + 1"}}},
            },
            "outputs": {"y": "$b.x"},
        },
    });
    vec![
        ("manifest.apply", json!({"documents": [specification, pipeline], "dry_run": true})),
        ("manifest.validate", json!({"documents": [pipeline]})),
        ("manifest.diff", json!({"documents": [specification]})),
        (
            "manifest.delete",
            json!({"documents": [], "names": ["policy/none", "secret/none"], "dry_run": true}),
        ),
        ("script.check", json!({"script": "let a = 1;\na + b"})),
        ("script.run", json!({"script": "a + 1", "input": {"a": 1}})),
        ("projection.rebuild", json!({})),
        ("projection.verify", json!({})),
    ]
}

fn streams(known: &Known) -> Vec<(&'static str, Value)> {
    let Known { task, context, .. } = known;
    let digest = format!("sha256:{}", "0".repeat(64));
    vec![
        ("event.list", json!({"context_id": context, "type": "TaskSpawned", "limit": 2})),
        ("event.export", json!({"from_seq": 1, "to_seq": 2})),
        ("event.import", json!({"lines": ["{}"], "after_seq": 9_999_999})),
        ("event.subscribe", json!({"id": task, "from_seq": 1})),
        ("event.unsubscribe", json!({"subscription": 1})),
        ("blob.load", json!({"digest": digest, "size": 70_000})),
        ("blob.store", json!({"content": "{}"})),
        ("blob.verify", json!({})),
        ("dead_letter.list", json!({"after": 0, "limit": 10})),
        ("dead_letter.get", json!({"letter": 1})),
        ("dead_letter.redeliver", json!({"letter": 1})),
        (
            "key.create",
            json!({"name": "ci", "role": "operator", "namespaces": ["team"], "expires_in": "1h"}),
        ),
        ("key.list", json!({})),
        ("key.revoke", json!({"id": "0123456789abcdef"})),
        ("secret.set", json!({"name": "db-password", "value": "correct horse", "if_revision": 0})),
        ("secret.get", json!({"name": "db-password"})),
        ("secret.list", json!({"namespace": "team"})),
        ("secret.delete", json!({"name": "db-password"})),
        ("audit.list", json!({"after": 1, "limit": 10})),
        ("seal.list", json!({})),
        ("seal.restart", json!({"reason": "restored"})),
        ("task.subscribe", json!({"filter": {"context_id": context}})),
        ("task.unsubscribe", json!([1])),
        ("task.follow_logs", json!({"id": task})),
        ("task.unfollow_logs", json!({"subscription": 1})),
        ("context.subscribe", json!({"filter": {"status": "running"}, "timeout": "1ms"})),
        ("context.unsubscribe", json!({"subscription": 7})),
    ]
}
