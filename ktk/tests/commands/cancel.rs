//! `ktk cancel`

use std::path::Path;

use serde_json::json;

use crate::{
    Own,
    stand::{Stand, stand},
};

/// The processes that have this word on their command line.
fn processes(word: &str) -> usize {
    let has_word = |path: &Path| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == word.as_bytes())
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter(|entry| has_word(&entry.as_ref().unwrap().path()))
        .count()
}

#[test]
fn nothing_is_left_of_what_was_cancelled() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "grove" };
    // A time that no other test sleeps for.
    let sleep = format!("{}", 100_000 + std::process::id());
    own.apply(&format!(
        "
apiVersion: kantoku/v1
kind: Specification
metadata: {{name: tree}}
spec:
  executable:
    type: process
    command: [sh, -c, 'trap \"\" TERM; (setsid sleep {sleep} &) ; sleep {sleep} & sleep {sleep} & wait; wait']
  timeouts: {{grace: 1s}}
---
apiVersion: kantoku/v1
kind: Specification
metadata: {{name: rest}}
spec: {{executable: {{type: noop}}}}
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {{name: grove}}
spec:
  tasks:
    tree: {{use: tree}}
    after: {{use: rest, after: [tree]}}
"
    ));
    own.ok(&["run", "grove"]);
    own.ok(&["wait", "@last/tree", "--for", "status=received"]);
    // It has started what it starts once that is there.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while processes(&sleep) < 3 {
        assert!(std::time::Instant::now() < deadline, "the processes do not come");
        std::thread::yield_now();
    }
    let stdout = own.ok(&["cancel", "context/@last", "--reason", "not needed"]);
    assert!(stdout.contains("1 attempt still runs and is told to stop:"), "{stdout}");
    assert!(stdout.contains(" tree "), "{stdout}");
    // Ordered again, it is waited for what the first order has left.
    let stdout = own.ok(&["cancel", "context/@last", "--wait"]);
    assert!(stdout.ends_with("nothing of it runs any more\n"), "{stdout}");
    assert_eq!(processes(&sleep), 0);
    let cancelled = [("after", "cancelled"), ("tree", "cancelled")];
    let cancelled = cancelled.map(|(step, status)| (step.to_owned(), status.to_owned()));
    assert_eq!(own.steps("context/@last"), cancelled);
    // What is cancelled already stays so, and nothing of it runs.
    let again = own.json(&["cancel", "context/@last", "--wait"]);
    assert_eq!((&again["alive"], &again["gone"]), (&json!([]), &json!(true)), "{again}");
}

#[test]
fn dependents_are_skipped_or_cancelled_with_it() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "chain" };
    own.apply(
        "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: long}
spec: {executable: {type: sleep, duration: 1h}}
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: rest}
spec: {executable: {type: noop}}
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {name: chain}
spec:
  tasks:
    a: {use: long}
    b: {use: rest, after: [a]}
    c: {use: rest, after: [b]}
",
    );
    let steps = |cascade: &[&str]| {
        own.ok(&["run", "chain"]);
        own.ok(&["wait", "@last/a", "--for", "status=received"]);
        own.ok(&[&["cancel", "@last/a"], cascade].concat());
        own.ok(&["wait", "context/@last", "--for", "done"]);
        own.steps("context/@last").into_iter().map(|(_, status)| status).collect::<Vec<_>>()
    };
    assert_eq!(steps(&[]), ["cancelled", "skipped", "skipped"]);
    assert_eq!(steps(&["--cascade"]), ["cancelled", "cancelled", "cancelled"]);
}
