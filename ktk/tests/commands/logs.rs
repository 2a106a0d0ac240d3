//! `ktk logs`

use std::io::Read as _;

use serde_json::Value;

use crate::{
    Gate, failed_context,
    stand::{Stand, stand, text},
    task,
};

#[test]
fn what_attempts_wrote_is_shown_in_order() {
    let stand = stand!();
    let namespace = "logs";
    let context = failed_context(&stand, namespace);
    let first = task(&stand, namespace, &context, "first");
    assert_eq!(stand.ok(stand.ktk(&["logs", &first, "-n", namespace])), "one\ntwo\n");
    assert_eq!(stand.ok(stand.ktk(&["logs", &first, "-n", namespace, "--tail", "1"])), "two\n");
    // With a task that has ended, there is nothing to follow.
    assert_eq!(stand.ok(stand.ktk(&["logs", &first, "-n", namespace, "-f"])), "one\ntwo\n");
    let follow_tail = ["logs", &first, "-n", namespace, "-f", "--tail", "1"];
    assert_eq!(stand.ok(stand.ktk(&follow_tail)), "two\n");

    let second = task(&stand, namespace, &context, "second");
    let all = "attempt 1\nthe last straw\nattempt 2\nthe last straw\n";
    let logs = ["logs", &second, "-n", namespace];
    let output = stand.ends(stand.ktk(&logs), 0);
    assert_eq!(text(&output.stdout), all);
    assert!(text(&output.stderr).contains("attempt 2"), "where the attempts part");
    let one = stand.ok(stand.ktk(&logs).args(&["--attempt", "2"]));
    assert_eq!(one, "attempt 2\nthe last straw\n");
    let lines = stand.ok(stand.ktk(&logs).args(&["-o", "jsonl"]));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[3]["attempt"], &lines[3]["stream"]), (&2.into(), &"stderr".into()));
    stand.ends(stand.ktk(&["logs", "01234567", "-n", namespace]), 3);
}

#[test]
fn who_follows_sees_lines_as_they_are_written_until_the_task_ends() {
    let stand = stand!();
    let namespace = "follow";
    let gate = Gate::new();
    stand.ok(stand.input(&["apply", "-n", namespace, "-f", "-"], &gate.pipeline()));
    let spawned = stand.ok_json(stand.ktk(&["spawn", "gated", "-n", namespace, "-o", "json"]));
    let id = spawned["task_id"].as_str().unwrap();
    let mut child = stand.spawned(stand.ktk(&["logs", id, "-n", namespace, "-f"]));
    let mut stdout = child.stdout();
    let mut before = [0; 7];
    stdout.read_exact(&mut before).unwrap();
    assert_eq!(&before, b"before\n", "while it runs");
    gate.open();
    let mut after = String::new();
    stdout.read_to_string(&mut after).unwrap();
    assert_eq!(after, "after\n");
    assert_eq!(child.end().status.code(), Some(0));
}
