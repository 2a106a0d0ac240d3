//! `ktk tree`, `ktk watch`, `ktk why`

use std::io::BufRead as _;

use serde_json::Value;

use crate::{
    Gate, failed_context,
    stand::{Stand, stand, text},
    task,
};

#[test]
fn a_tree_shows_what_failed_first_and_then_every_task() {
    let stand = stand!();
    let namespace = "tree";
    let context = failed_context(&stand, namespace);
    let tree = stand.ok(stand.ktk(&["tree", &context, "-n", namespace]));
    let lines: Vec<_> = tree.lines().collect();
    assert!(lines[0].starts_with("sad v1  failed"), "{tree}");
    assert!(lines[1].ends_with("3 of 3 ended · 1 failed · 1 skipped · 1 ok"), "{tree}");
    assert!(lines[3].starts_with("✖ failed  second"), "{tree}");
    assert!(lines[3].contains("exit code 3"), "{tree}");
    assert!(lines[5].starts_with("├─ ✔ ok       first"), "{tree}");
    assert!(lines[6].starts_with("├─ ✖ failed   second"), "{tree}");
    assert!(lines[6].ends_with("attempt 2  ← first"), "{tree}");
    assert!(lines[7].starts_with("└─ ⊘ skipped  third"), "{tree}");

    // By one of its tasks, and for programs.
    let id = task(&stand, namespace, &context, "third");
    let document = stand.ok_json(stand.ktk(&["tree", &id[..13], "-n", namespace, "-o", "json"]));
    assert_eq!(document["context"]["id"], context.as_str(), "{document}");
    let names = stand.ok(stand.ktk(&["tree", &context, "-n", namespace, "-o", "name"]));
    assert!(names.contains(&format!("task/{id}\n")), "{names}");
    stand.ends(stand.ktk(&["tree", "01234567", "-n", namespace]), 3);
}

#[test]
fn a_task_says_why_it_is_where_it_is() {
    let stand = stand!();
    let namespace = "why";
    let context = failed_context(&stand, namespace);
    let failed = task(&stand, namespace, &context, "second");
    let why = stand.ok(stand.ktk(&["why", &failed, "-n", namespace]));
    assert!(why.contains("exit code 3") && why.contains("the last straw"), "{why}");

    let skipped = task(&stand, namespace, &context, "third");
    let why = stand.ok(stand.ktk(&["why", &skipped, "-n", namespace]));
    assert!(why.contains("\"second\"") && why.contains("exit code 3"), "{why}");

    let why = stand.ok_json(stand.ktk(&["why", "@failed", "-n", namespace, "-o", "json"]));
    assert_eq!(why["task_id"], failed.as_str());
    assert_eq!(why["facts"][0]["kind"], "failed", "{why}");

    // An input that never comes: of a task that runs for ever.
    let slow = "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: slow}
spec:
  outputs: {word: string}
  executable: {type: sleep, duration: 1h, outputs: {word: x}}
";
    stand.ok(stand.input(&["apply", "-n", namespace, "-f", "-"], slow));
    let slow = stand.ok_json(stand.ktk(&["spawn", "slow", "-n", namespace, "-o", "json"]));
    let word = format!("word={}", slow["output_ids"]["word"].as_str().unwrap());
    let spawn = ["spawn", "rest", "-n", namespace, "-r", &word, "-o", "json"];
    let waiting = stand.ok_json(stand.ktk(&spawn));
    let why = ["why", waiting["task_id"].as_str().unwrap(), "-n", namespace];
    let why = stand.ok(stand.ktk(&why));
    let maker = slow["task_id"].as_str().unwrap();
    assert!(why.contains("word") && why.contains(maker), "{why}");
    stand.ok(stand.ktk(&["cancel", &format!("task/{maker}"), "-n", namespace]));
}

#[test]
fn who_watches_sees_each_change_and_how_it_ended() {
    let stand = stand!();
    let namespace = "watch";
    let context = failed_context(&stand, namespace);
    let output = stand.ends(stand.ktk(&["watch", &context, "-n", namespace]), 5);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.contains("✖ failed  second"), "{stdout}");
    assert!(stderr.contains(&format!("context/{context} failed")), "{stderr}");

    // Live, by lines: what there is, what runs, what ends, then what it came to.
    let gate = Gate::new();
    stand.ok(stand.input(&["apply", "-n", namespace, "-f", "-"], &gate.pipeline()));
    let run = ["run", "gated", "-n", namespace, "--watch"];
    let mut child = stand.spawned(stand.ktk(&run));
    let mut lines = child.stdout().lines();
    let mut wait_for = |what: &str| {
        let found = lines.find(|line| line.as_ref().unwrap().contains(what));
        assert!(found.is_some(), "{what}");
    };
    wait_for("0 of 2 ended");
    gate.open();
    wait_for("✔ ok         first");
    wait_for("✖ failed     second");
    wait_for("2 of 2 ended · 1 failed · 1 ok");
    assert_eq!(child.end().status.code(), Some(5));

    // For programs: each change as a document.
    let watch = stand.ktk(&["watch", &context, "-n", namespace, "-o", "jsonl", "--min-seq", "1"]);
    let lines = text(&stand.ends(watch, 5).stdout);
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
}

#[test]
fn a_watch_can_be_ended_and_runs_out() {
    let stand = stand!();
    let namespace = "patience";
    let slow = "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: slow}
spec: {executable: {type: sleep, duration: 1h}}
";
    stand.ok(stand.input(&["apply", "-n", namespace, "-f", "-"], slow));
    let spawned = stand.ok_json(stand.ktk(&["spawn", "slow", "-n", namespace, "-o", "json"]));
    let context = spawned["context_id"].as_str().unwrap();
    let watch = ["watch", context, "-n", namespace];
    let output = stand.ends(stand.ktk(&watch).args(&["--timeout", "300ms"]), 6);
    assert!(text(&output.stderr).contains("has not ended"), "{}", text(&output.stderr));

    let mut child = stand.spawned(stand.ktk(&watch));
    let mut stdout = child.stdout();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("running"), "{line}");
    child.interrupt();
    let output = child.end();
    assert_eq!(output.status.code(), Some(130));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("ktk watch {context}")), "{said}");

    // All contexts of a namespace: what there is, then what changes.
    let mut child = stand.spawned(stand.ktk(&["watch", "-n", namespace, "-o", "jsonl"]));
    let mut changes = child.stdout().lines();
    let mut status = || {
        let line = changes.next().unwrap().unwrap();
        let change: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(change["context"]["id"], context, "{change}");
        change["context"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(), "running");
    stand.ok(stand.ktk(&["cancel", &format!("context/{context}"), "-n", namespace]));
    while status() != "cancelled" {}
    child.interrupt();
    assert_eq!(child.end().status.code(), Some(130));
}

#[test]
fn who_looks_back_sees_what_was_and_is_told_where_that_cannot_be() {
    let stand = stand!();
    let namespace = "back";
    let context = failed_context(&stand, namespace);
    let id = task(&stand, namespace, &context, "second");
    let events = stand.ok(stand.ktk(&["get", "events", &id, "-n", namespace, "-o", "jsonl"]));
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| {
        let event = events.iter().find(|event| event["type"] == name);
        event.unwrap()["stream_seq"].to_string()
    };
    let (spawned, received) = (of("TaskSpawned"), of("TaskReceived"));

    let ktk = |args: &[&str]| stand.ktk(&[args, &["-n", namespace]].concat());
    let shown = |at_seq: &str| {
        let args = ["get", "task", &id, "--at-seq", at_seq, "-o", "json"];
        stand.ok_json(ktk(&args))["status"].clone()
    };
    assert_eq!((shown(&spawned), shown(&received)), ("initialized".into(), "received".into()));
    let tree = stand.ok(ktk(&["tree", &context, "--at-seq", &received]));
    assert!(tree.contains("running  second") && tree.contains("running"), "{tree}");
    assert!(!tree.contains("skipped"), "{tree}");
    let page = stand.ok(ktk(&["describe", "task", &id, "--at-seq", &received]));
    assert!(page.contains("received") && !page.contains("exit code 3"), "{page}");
    let page = stand.ok(ktk(&["describe", "context", &context, "--at", "0s"]));
    assert!(page.contains("exit code 3"), "{page}");
    let svg = stand.ok(ktk(&["graph", &context, "-o", "svg", "--at-seq", &received]));
    assert!(svg.contains("running") && !svg.contains("skipped"), "{svg}");
    let by_data = stand.ok_json(ktk(&["graph", &context, "-o", "json", "--by", "data"]));
    let kinds: Vec<_> = by_data["edges"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["data", "data"], "{by_data}");

    stand.ends(ktk(&["get", "task", &id, "--at-seq", "1"]), 3);
    stand.ends(ktk(&["get", "task", &id, "--at", "9000d"]), 3);
    for args in [
        ["get", "tasks", "--at-seq", "1"].as_slice(),
        &["get", "pipeline", "sad", "--at-seq", "1"],
        &["describe", "pipeline", "sad", "--at", "1m"],
        &["logs", &id, "--at", "1m"],
        &["get", "task", &id, "--at", "1m", "--at-seq", "1"],
        &["get", "task", &id, "--at", "yesterday"],
    ] {
        let output = stand.ends(ktk(args), 2);
        assert!(text(&output.stderr).contains("--at"), "{args:?}: {}", text(&output.stderr));
    }
}
