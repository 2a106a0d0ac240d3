//! `ktk pause`, `ktk resume`

use serde_json::Value;

use crate::{
    Own,
    stand::{Stand, stand, text},
};

const NAP: &str = "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: nap}
spec: {executable: {type: noop}}
";

/// Pauses it, shows that a new task waits and why, resumes it, and sees the task end.
fn hold_back(own: &Own<'_>, target: &str) {
    let reason = "the mattress is out for cleaning";
    let paused = own.ok(&["pause", target, "--reason", reason]);
    assert_eq!(paused, format!("{target} paused\n"));
    let spawned = own.json(&["spawn", "nap"]);
    let task = format!("task/{}", spawned["task_id"].as_str().unwrap());
    own.ends(&["wait", &task, "--timeout", "300ms"], 6);
    let why = own.ok(&["why", &task]);
    assert!(why.contains(reason) && why.contains(&format!("ktk resume {target}")), "{why}");
    let why = own.json(&["why", &task]);
    assert_eq!(why["facts"][0]["kind"], "paused", "{why}");
    assert_eq!(own.ok(&["resume", target]), format!("{target} resumed\n"));
    own.ok(&["wait", &task]);
}

#[test]
fn a_specification_and_a_namespace_wait_as_a_whole() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "nap" };
    own.apply(NAP);
    hold_back(&own, "specification/nap");
    hold_back(&own, "namespace/nap");

    own.ok(&["pause", "namespace/nap", "--reason", "audit"]);
    let namespace = own.ok(&["get", "namespace", "nap"]);
    assert!(namespace.contains("PAUSED") && namespace.contains("audit"), "{namespace}");
    own.ok(&["pause", "specification/nap"]);
    let table = own.ok(&["get", "specifications"]);
    assert!(table.contains("PAUSED"), "{table}");
    let described = own.ok(&["describe", "specification", "nap"]);
    assert!(described.contains("PAUSED by"), "{described}");
    let yaml = own.ok(&["get", "specification", "nap", "-o", "yaml"]);
    assert!(own.apply(&yaml).contains("unchanged"), "a pause is no part of it");
    own.ok(&["resume", "specification/nap"]);
    own.ok(&["resume", "namespace/nap"]);
    assert!(own.ok(&["get", "ns"]).contains("open"));
}

#[test]
fn a_task_and_a_context_say_that_they_are_paused() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "held" };
    own.example("release.yaml");
    let run = own.json(&["run", "release", "-p", "version=2"]);
    let context = format!("context/{}", run["context_id"].as_str().unwrap());
    own.ok(&["wait", "@last/test"]);
    own.ok(&["pause", "@last/ship", "--reason", "not today"]);
    let tasks = own.ok(&["get", "tasks", "--context", &context]);
    let ship = tasks.lines().find(|line| line.contains(" ship ")).unwrap();
    assert!(ship.contains("initialized PAUSED"), "{tasks}");
    let described = own.ok(&["describe", "task", "@last/ship"]);
    assert!(described.contains("PAUSED by") && described.contains("not today"), "{described}");
    for by in ["ada", "linus"] {
        own.ok(&["approve", "@last/ship", "ship", "--by", by]);
    }
    own.ends(&["wait", "@last/ship", "--timeout", "300ms"], 6);

    own.ok(&["pause", &context]);
    assert!(own.ok(&["get", "contexts"]).contains("running PAUSED"));
    assert!(own.ok(&["tree", &context]).lines().next().unwrap().contains("PAUSED"));
    own.ok(&["resume", "@last/ship"]);
    own.ends(&["wait", "@last/ship", "--timeout", "300ms"], 6);
    let why = own.json(&["why", "@last/ship"]);
    let kinds: Vec<&Value> =
        why["facts"].as_array().unwrap().iter().map(|fact| &fact["kind"]).collect();
    assert_eq!(kinds, ["paused"], "the context's pause holds still: {why}");
    own.ok(&["resume", &context]);
    own.ok(&["wait", &context]);

    let refused = text(&own.ends(&["pause", "@last/ship"], 4).stderr);
    assert!(refused.contains("finished"), "what has ended cannot be paused: {refused}");
    own.ends(&["pause", "pipeline/release"], 2);
    own.ends(&["resume", "task/ffffffffff"], 3);
}
