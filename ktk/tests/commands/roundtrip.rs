//! What `get -o yaml` prints can be applied, whatever it is, and changes nothing.

use serde_json::json;

use crate::{
    Own, failed_context,
    stand::{Stand, stand, text},
};

const DECLARED: &str = "
apiVersion: kantoku/v1
kind: Type
metadata: {name: pair, description: Two of them}
spec: {type: {struct: {a: string, b: {optional: number}}}}
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: take}
spec:
  inputs: {pair: {ref: pair}}
  executable: {type: noop}
  retry: {attempts: 2, backoff: 10ms}
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {name: pairs}
spec:
  params: {pair: {ref: pair}}
  tasks: {only: {use: take, with: {pair: $params.pair}}}
---
apiVersion: kantoku/v1
kind: Policy
metadata: {name: gentle}
spec: {limits: {takes: {specification: take, concurrency: 2}}}
";

#[test]
fn every_kind_that_is_declared_stays_as_it_is() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "round-declared" };
    own.apply(DECLARED);
    own.ok(&["pause", "specification/take", "--reason", "a pause is no part of the manifest"]);
    for kind in ["types", "specifications", "pipelines", "policies"] {
        let yaml = own.ok(&["get", kind, "-o", "yaml"]);
        let applied = own.apply(&yaml);
        assert!(applied.ends_with(" unchanged, version 1\n"), "{kind}: {applied}\n{yaml}");
        let dir = stand.dir().join("round.yaml");
        std::fs::write(&dir, &yaml).unwrap();
        assert_eq!(own.ok(&["diff", "-f", dir.to_str().unwrap()]), "", "{kind}");
    }
}

#[test]
fn every_kind_that_is_not_declared_is_named_and_left_alone() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "round-records" };
    failed_context(&stand, own.namespace);
    let before = own.json(&["get", "tasks"]);
    for kind in ["tasks", "contexts", "resources", "events", "services", "namespaces"] {
        let yaml = own.ok(&["get", kind, "-o", "yaml"]);
        assert!(yaml.contains("kind: "), "{kind}: {yaml}");
        let args = ["apply", "-n", own.namespace, "-f", "-"];
        let output = stand.ends(stand.input(&args, &yaml), 0);
        assert_eq!(text(&output.stdout), "", "{kind}");
        let stderr = text(&output.stderr);
        let line = format!("is left as it is: {kind} are not declared by manifests");
        assert!(stderr.contains(&line), "{kind}: {stderr}");
    }
    // Those that can be applied are, whatever stands beside them.
    let mixed = own.ok(&["get", "tasks", "-o", "yaml"]) + "---" + DECLARED;
    let args = ["apply", "-n", own.namespace, "-f", "-", "-o", "json"];
    let applied = stand.ok_json(stand.input(&args, &mixed));
    let changes: Vec<_> =
        applied["items"].as_array().unwrap().iter().map(|item| &item["change"]).collect();
    assert_eq!(changes.iter().filter(|change| ***change == json!("created")).count(), 4);
    assert_eq!(changes.iter().filter(|change| ***change == json!("ignored")).count(), 3);
    assert_eq!(own.json(&["get", "tasks"])["items"], before["items"]);
    // Who writes one by hand is told that this is not the way.
    let wish = "apiVersion: kantoku/v1\nkind: Task\nmetadata: {name: a}\nspec: {}\n";
    let output = stand.ends(stand.input(&["apply", "-f", "-"], wish), 4);
    assert!(text(&output.stderr).contains("unknown kind \"Task\""), "{}", text(&output.stderr));
}
