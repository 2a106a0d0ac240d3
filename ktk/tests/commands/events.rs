//! `ktk events`

use std::io::BufRead as _;

use serde_json::Value;

use crate::{
    failed_context,
    stand::{Stand, stand, text},
    task,
};

fn documents(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn the_history_of_a_task_and_of_a_context_is_shown_in_order() {
    let stand = stand!();
    let namespace = "events";
    let context = failed_context(&stand, namespace);
    let second = task(&stand, namespace, &context, "second");
    let log = ["events", "log", &second, "-n", namespace, "-o", "jsonl"];
    let history = documents(&stand.ok(stand.ktk(&log)));
    let expected = [
        "TaskSpawned",
        "TaskReady",
        "TaskReceived",
        "TaskAttemptFailed",
        "TaskReady",
        "TaskReceived",
        "TaskFinished",
    ];
    assert_eq!(types(&history), expected);
    let table = stand.ok(stand.ktk(&log[..5]));
    assert_eq!(table.lines().count(), expected.len(), "{table}");

    let of_context = ["events", "log", "--context", &context, "-n", namespace, "-o", "jsonl"];
    let all = documents(&stand.ok(stand.ktk(&of_context)));
    assert_eq!(types(&all)[0], "ContextOpened");
    assert!(all.is_sorted_by_key(|event| event["stream_seq"].as_u64()));
    let spawned = stand.ok(stand.ktk(&of_context).args(&["--type", "TaskSpawned"]));
    assert_eq!(documents(&spawned).len(), 3);
    let limited = stand.ok(stand.ktk(&of_context).args(&["--limit", "2"]));
    assert_eq!(documents(&limited), all[..2]);

    let tail = ["events", "tail", "--context", &context, "-n", namespace, "-o", "jsonl"];
    let last = documents(&stand.ok(stand.ktk(&tail).args(&["--tail", "4"])));
    assert_eq!(last, all[all.len() - 4..]);
}

#[test]
fn what_happens_is_followed() {
    let stand = stand!();
    let namespace = "tail";
    failed_context(&stand, namespace);
    let tail = ["events", "tail", "-f", "--tail", "1", "-n", namespace, "-o", "jsonl"];
    let mut child = stand.spawned(stand.ktk(&tail));
    let mut lines = child.stdout().lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let last = next()["stream_seq"].as_u64().unwrap();
    stand.ends(stand.ktk(&["run", "sad", "-n", namespace, "--wait"]), 5);
    let opened = next();
    assert_eq!(opened["type"], "ContextOpened", "{opened}");
    assert!(opened["stream_seq"].as_u64().unwrap() > last);
    child.interrupt();
    assert_eq!(child.end().status.code(), Some(130));
}

#[test]
fn an_export_is_a_header_all_events_and_a_trailer_and_replaces_its_file_as_a_whole() {
    let stand = stand!();
    let namespace = "export";
    let context = failed_context(&stand, namespace);
    let log = ["events", "log", "--context", &context, "-n", namespace, "-o", "jsonl"];
    let all = documents(&stand.ok(stand.ktk(&log)));

    let file = std::env::temp_dir().join(format!("ktk-export-{}.jsonl", std::process::id()));
    std::fs::write(&file, "from before").unwrap();
    let export = ["events", "export", "--context", &context, "-n", namespace];
    let path = file.to_str().unwrap();
    let output = stand.ends(stand.ktk(&export).args(&["-f", path]), 0);
    let said = text(&output.stderr);
    assert!(said.contains(&format!("exported {} events to", all.len())), "{said}");
    let exported = documents(&std::fs::read_to_string(&file).unwrap());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(exported[0]["kantoku"], "export/1");
    assert_eq!(exported[0]["context_id"], context.as_str());
    assert_eq!(exported[1..exported.len() - 1], all);
    let trailer = exported.last().unwrap();
    assert_eq!(trailer["events"], all.len());
    assert_eq!(trailer["last_seq"], all.last().unwrap()["stream_seq"]);

    // To stdout, from a position on.
    let from = all[3]["stream_seq"].to_string();
    let rest = documents(&stand.ok(stand.ktk(&export).args(&["--from-seq", &from])));
    assert_eq!(rest[1..rest.len() - 1], all[3..]);

    let nowhere = ["-f", "/nowhere/at/all.jsonl"];
    let output = stand.ends(stand.ktk(&export).args(&nowhere), 1);
    assert!(text(&output.stderr).contains("/nowhere/at/all.jsonl"), "{}", text(&output.stderr));
}
