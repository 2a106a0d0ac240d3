//! What the load runs.

use serde_json::{Value, json};

/// The documents to apply.
pub(crate) fn manifests() -> Value {
    json!([
        pass(json!({"type": "noop"}), "pass"),
        pass(json!({"type": "sleep", "duration": "200ms", "outputs": {"x": 1}}), "slow"),
        pass(json!({"type": "sleep", "duration": "3s", "outputs": {"x": 1}}), "long"),
        pass(sh(r#"test "$KANTOKU_ATTEMPT" -gt 1 && echo '{"x": 2}'"#), "fragile"),
        specification(
            "broken",
            json!({
                "inputs": {"x": "number"}, "outputs": {"x": "number"},
                "executable": {"type": "rhai", "script": "throw \"broken\""},
                "retry": {"attempts": 1},
            })
        ),
        pass(
            rhai(
                r#"#{
            "spawn": [
                #{key: "a", specification: "pass", inputs: #{x: x}},
                #{key: "b", specification: "slow", inputs: #{x: x}},
            ],
            delegate: #{x: "b.x"},
        }"#
            ),
            "fork"
        ),
        pass(
            rhai(
                r#"#{
            "spawn": [#{key: "again", specification: "fork", inputs: #{x: x}}],
            delegate: #{x: "again.x"},
        }"#
            ),
            "deep"
        ),
        pipeline(
            "chain",
            json!({
                "first": {"use": "pass", "with": {"x": "$params.x"}},
                "second": {"use": "fork", "with": {"x": "$first.x"}},
                "third": {"use": "slow", "with": {"x": "$second.x"}},
                "last": {"use": "pass", "with": {"x": "$third.x"}},
            }),
            "last"
        ),
        pipeline(
            "fan",
            json!({
                "root": {"use": "pass", "with": {"x": "$params.x"}},
                "one": {"use": "slow", "with": {"x": "$root.x"}},
                "two": {"use": "fragile", "with": {"x": "$root.x"}},
                "three": {"use": "deep", "with": {"x": "$root.x"}},
                "four": {"use": "pass", "with": {"x": "$root.x"}, "after": ["one", "two"]},
                "end": {"use": "pass", "with": {"x": "$three.x"}, "after": ["four"]},
            }),
            "end"
        ),
        pipeline(
            "breaks",
            json!({
                "good": {"use": "pass", "with": {"x": "$params.x"}},
                "bad": {"use": "broken", "with": {"x": "$good.x"}},
                "never": {"use": "pass", "with": {"x": "$bad.x"}},
            }),
            "never"
        ),
    ])
}

fn sh(script: &str) -> Value {
    json!({"type": "process", "command": ["sh", "-c", script]})
}

fn rhai(script: &str) -> Value {
    json!({"type": "rhai", "script": script})
}

/// One number in, one out.
#[expect(clippy::needless_pass_by_value, reason = "it becomes part of the document")]
fn pass(executable: Value, name: &str) -> Value {
    specification(
        name,
        json!({
            "inputs": {"x": "number"}, "outputs": {"x": "number"}, "executable": executable,
            "retry": {"attempts": 3, "backoff": "50ms"},
        }),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it becomes part of the document")]
fn specification(name: &str, spec: Value) -> Value {
    document("Specification", name, &spec)
}

#[expect(clippy::needless_pass_by_value, reason = "it becomes part of the document")]
fn pipeline(name: &str, tasks: Value, last: &str) -> Value {
    let outputs = json!({"x": format!("${last}.x")});
    let spec = json!({"params": {"x": "number"}, "tasks": tasks, "outputs": outputs});
    document("Pipeline", name, &spec)
}

fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "kantoku/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}
