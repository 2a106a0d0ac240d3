//! `ktk` as a client of a real stand: one for the file, in which every test uses names of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[allow(dead_code, reason = "other tests need more of it")]
mod stand;

use std::io::BufRead as _;

use serde_json::{Value, json};

use crate::stand::{Stand, manifest, stand, text};

/// Succeeds with its input as output.
const ECHO: &str = "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: NAME/echo, description: Gives back what it is given}
spec:
  inputs: {word: string}
  outputs: {word: string}
  executable: {type: noop}
";
/// Fails with an exit code and two lines on stderr.
const FAIL: &str = "
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: NAME/fail}
spec:
  inputs: {word: string}
  outputs: {word: string}
  executable: {type: process, command: [sh, -c, \"echo the first line >&2; echo the last straw >&2; exit 3\"]}
";
/// Takes longer than any test.
const SLOW: &str = "
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: NAME/slow}
spec:
  executable: {type: sleep, duration: 1h}
";
/// Two steps, the second on the output of the first.
const PIPELINE: &str = "
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {name: NAME/two}
spec:
  params: {word: string}
  tasks:
    first: {use: NAME/echo, with: {word: $params.word}}
    second: {use: NAME/USE, with: {word: $first.word}}
  outputs: {word: $second.word}
";

#[test]
fn a_pipeline_is_applied_run_and_looked_at() {
    let stand = stand!();
    let name = "life";
    let applied = stand.ok_json(stand.apply(&[ECHO, PIPELINE], name, "echo", &["-o", "json"]));
    assert_eq!(applied["items"][0]["change"], "created", "{applied}");
    let again = stand.ok(stand.apply(&[ECHO, PIPELINE], name, "echo", &[]));
    assert!(again.contains("specification/life/echo unchanged, version 1"), "{again}");

    let run = ["run", "pipeline/life/two", "-p", "word=hello", "-l", "team=search", "--wait"];
    let ended = stand.ok_json(stand.ktk(&run).args(&["-o", "json"]));
    assert_eq!(ended["status"], "ok", "{ended}");
    assert_eq!(ended["outputs"], json!({"word": "hello"}));
    let context = ended["context_id"].as_str().unwrap();
    let text = stand.ok(stand.ktk(&run));
    assert!(text.contains(" ok, 2 of 2 tasks ok") && text.contains("\"hello\""), "{text}");

    let tasks = ["get", "tasks", "--context", context];
    let list = stand.ok_json(stand.ktk(&tasks).args(&["-o", "json"]));
    assert!(list["as_of_seq"].as_u64().unwrap() > 0, "{list}");
    let steps: Vec<_> = list["items"].as_array().unwrap().iter().map(|t| &t["step"]).collect();
    assert_eq!(steps.len(), 2, "{list}");
    let lines = stand.ok(stand.ktk(&tasks).args(&["-o", "jsonl"]));
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let names = stand.ok(stand.ktk(&tasks).args(&["-o", "name"]));
    assert!(names.lines().all(|line| line.starts_with("task/")), "{names}");
    let table = stand.ok(stand.ktk(&tasks));
    assert!(table.starts_with("ID") && table.contains("finished/ok"), "{table}");
    let labelled = stand.ok(stand.ktk(&["get", "cx", "-l", "team=search", "-o", "name"]));
    assert!(labelled.contains(context), "{labelled}");

    let described = stand.ok(stand.ktk(&["describe", "context", context]));
    assert!(described.contains("\"hello\"") && described.contains("ContextOpened"), "{described}");
    let short = &context[..context.len() - 1];
    let named = stand.ok(stand.ktk(&["get", "context", short, "-o", "name"]));
    assert_eq!(named.trim(), format!("context/{context}"), "a prefix is enough");
}

#[test]
fn a_failed_process_is_described_with_exit_code_and_stderr() {
    let stand = stand!();
    stand.ok(stand.apply(&[ECHO, FAIL, PIPELINE], "failed", "fail", &[]));
    let run = ["run", "failed/two", "-p", "word=hello", "--wait"];
    let output = stand.ends(stand.ktk(&run), 5);
    let stderr = text(&output.stderr);
    assert!(stderr.contains("exit code 3: the last straw"), "{stderr}");
    assert!(stderr.contains("1 of 2 tasks") && stderr.contains("as of position"), "{stderr}");
    let output = stand.ends(stand.ktk(&run).args(&["-o", "json"]), 5);
    let ended: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&ended["status"], &ended["tasks"]["failed"]), (&json!("failed"), &json!(1)));
    let (id, why) = ended["failed"].as_object().unwrap().iter().next().unwrap();
    assert!(why.as_str().unwrap().contains("the last straw"), "{ended}");

    let described = stand.ok(stand.ktk(&["describe", "task", id]));
    for part in ["exit code   3", "the first line", "the last straw", "TaskFinished", "\"hello\""] {
        assert!(described.contains(part), "{part} in {described}");
    }
    let document = stand.ok_json(stand.ktk(&["describe", "task", id, "-o", "json"]));
    assert_eq!(document["task"]["error"]["exit_code"], 3, "{document}");
    assert!(document["why"]["summary"].as_str().unwrap().contains("exit code 3"), "{document}");
    let failed = ["get", "tasks", "--status", "failed", "--context"];
    let failed = [&failed[..], &[ended["context_id"].as_str().unwrap(), "-o", "name"]].concat();
    assert_eq!(stand.ok(stand.ktk(&failed)).trim(), format!("task/{id}"));
}

#[test]
fn what_was_got_as_yaml_can_be_applied() {
    let stand = stand!();
    let type_ = "
---
apiVersion: kantoku/v1
kind: Type
metadata: {name: NAME/pair, description: Two of them}
spec: {type: {struct: {a: string, b: {optional: number}}}}
";
    stand.ok(stand.apply(&[ECHO, FAIL, SLOW, type_, PIPELINE], "round", "fail", &[]));
    for (kind, name) in [
        ("specification", "round/echo"),
        ("specification", "round/fail"),
        ("specification", "round/slow"),
        ("type", "round/pair"),
        ("pipeline", "round/two"),
    ] {
        let yaml = stand.ok(stand.ktk(&["get", kind, name, "-o", "yaml"]));
        let applied = stand.ok(stand.input(&["apply", "-f", "-"], &yaml));
        assert_eq!(applied.trim(), format!("{kind}/{name} unchanged, version 1"), "{yaml}");
    }
    let all = stand.ok(stand.ktk(&["get", "specifications", "-o", "yaml"]));
    let applied = stand.ok(stand.input(&["apply", "-f", "-"], &all));
    assert!(applied.lines().count() >= 3, "{applied}");
    assert!(applied.lines().all(|line| line.contains(" unchanged, ")), "{applied}");

    let changed = ECHO.replace("Gives back", "Returns");
    let dry = stand.ok(stand.apply(&[&changed], "round", "", &["--dry-run"]));
    assert!(dry.contains("configured, version 2 (dry run)"), "{dry}");
    stand.ok(stand.apply(&[&changed], "round", "", &[]));
    let old = ["get", "specification", "round/echo@1", "-o", "json"];
    let old = stand.ok_json(stand.ktk(&old));
    assert_eq!(old["description"], "Gives back what it is given");
    stand.ends(stand.ktk(&["get", "specification", "round/echo@3"]), 3);
}

#[test]
fn what_the_server_refuses_is_shown_where_it_stands() {
    let stand = stand!();
    let output = stand.ends(stand.apply(&[ECHO, PIPELINE], "refused", "ekho", &[]), 4);
    let stderr = text(&output.stderr);
    assert!(stderr.contains("there is no specification \"refused/ekho\""), "{stderr}");
    assert!(stderr.contains("did you mean \"refused/echo\"?"), "{stderr}");
    let line = "    second: {use: refused/ekho, with: {word: $first.word}}";
    assert!(stderr.starts_with("-:18:19: ") && stderr.contains(line), "{stderr}");
    stand.ends(stand.ktk(&["get", "specification", "refused/echo"]), 3);

    let manifest = manifest(&[ECHO, PIPELINE], "refused", "ekho");
    let validated = stand.input(&["validate", "-f", "-", "-o", "json"], &manifest);
    let report: Value = serde_json::from_slice(&stand.ends(validated, 4).stdout).unwrap();
    assert_eq!(report["problems"][0]["line"], 18, "{report}");
    let sound = manifest.replace("ekho", "echo");
    let validated = stand.ok(stand.input(&["validate", "-f", "-"], &sound));
    assert!(validated.contains("2 documents are sound"), "{validated}");
}

#[test]
fn a_task_is_spawned_waited_for_and_cancelled() {
    let stand = stand!();
    stand.ok(stand.apply(&[ECHO, FAIL, SLOW], "single", "", &[]));
    let echo = ["spawn", "single/echo", "-i", "word=hi", "--wait", "-o", "json"];
    let ended = stand.ok_json(stand.ktk(&echo));
    assert_eq!(ended["outputs"], json!({"word": "hi"}), "{ended}");
    let failed = ["spawn", "single/fail", "-i", "word=hi", "--wait"];
    let stderr = text(&stand.ends(stand.ktk(&failed), 5).stderr);
    assert!(stderr.contains("exit code 3"), "{stderr}");

    let key = ["spawn", "single/slow", "--idempotency-key", "once", "-o", "json"];
    let spawned = stand.ok_json(stand.ktk(&key));
    assert_eq!(stand.ok_json(stand.ktk(&key))["task_id"], spawned["task_id"], "the same key");
    let task = format!("task/{}", spawned["task_id"].as_str().unwrap());
    let stderr = text(&stand.ends(stand.ktk(&["wait", &task, "--timeout", "300ms"]), 6).stderr);
    assert!(stderr.contains("has not ended in time"), "{stderr}");
    stand.ok(stand.ktk(&["cancel", &task, "--reason", "enough"]));
    stand.ok(stand.ktk(&["wait", &task, "--for=done"]));
    stand.ends(stand.ktk(&["wait", &task]), 5);
    let described = stand.ok(stand.ktk(&["describe", &task]));
    assert!(described.contains("cancelled") && described.contains("enough"), "{described}");
}

#[test]
fn last_and_failed_are_names() {
    let stand = stand!();
    // What is last is kept per namespace, so this test is alone in its own.
    let own = ["-n", "last"];
    stand.ok(stand.apply(&[ECHO, FAIL, PIPELINE], "last", "fail", &own));
    stand.ends(stand.ktk(&["describe", "context", "@failed"]).args(&own), 3);
    stand.ok(stand.ktk(&["run", "last/two", "-p", "word=a", "-o", "name"]).args(&own));
    stand.ends(stand.ktk(&["wait", "context/@last"]).args(&own), 5);
    stand.ends(stand.ktk(&["describe", "task", "@last"]).args(&own), 3);
    let failed = stand.ok(stand.ktk(&["describe", "task", "@failed"]).args(&own));
    assert!(failed.contains("last/fail@1"), "{failed}");
    stand.ok(stand.ktk(&["spawn", "last/echo", "-i", "word=b"]).args(&own));
    let task = stand.ok(stand.ktk(&["wait", "@last"]).args(&own));
    assert!(task.starts_with("task/") && task.contains("finished/ok"), "{task}");
    let elsewhere = stand.ok(stand.ktk(&["get", "tasks", "-o", "name", "-n", "nobody"]));
    assert_eq!(elsewhere, "");
}

#[test]
fn what_is_not_there_ends_with_3_and_advice() {
    let stand = stand!();
    let nobody = "ffffffff-ffff-7fff-8fff-ffffffffff00";
    for args in [
        &["get", "task", nobody][..],
        &["describe", "context", nobody],
        &["wait", "task/ffffffffff"],
        &["cancel", "task/ffffffffff"],
        &["get", "pipeline", "not/there"],
        &["run", "not/there"],
        &["spawn", "not/there"],
        &["get", "service", "nobody"],
        &["describe", "event", "999999999"],
    ] {
        let output = stand.ends(stand.ktk(args), 3);
        let stderr = text(&output.stderr);
        assert!(stderr.contains("\ntry: ktk "), "{args:?}: {stderr}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
    }
    let (long_ago, soon) = (["get", "tasks", "--min-seq", "999999999"], ["--timeout", "300ms"]);
    stand.ends(stand.ktk(&long_ago).args(&soon), 6);
}

#[test]
fn parameters_that_do_not_fit_are_refused_with_a_way_out() {
    let stand = stand!();
    let count = "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: NAME/count}
spec: {inputs: {n: number}, outputs: {n: number}, executable: {type: noop}}
";
    stand.ok(stand.apply(&[count], "params", "", &[]));
    let stderr = text(&stand.ends(stand.ktk(&["spawn", "params/count", "-i", "n=3"]), 4).stderr);
    assert!(stderr.contains("inputs.n") && stderr.contains("KEY:=JSON"), "{stderr}");
    let large = ["spawn", "params/count", "-i", "n:=9007199254740993", "--wait", "-o", "json"];
    let ended = stand.ok_json(stand.ktk(&large));
    assert_eq!(ended["outputs"]["n"], 9_007_199_254_740_993_u64, "no digit is lost");
    let missing = stand.ends(stand.ktk(&["spawn", "params/count"]), 4);
    assert!(text(&missing.stderr).contains("is missing"), "{}", text(&missing.stderr));
}

#[test]
fn an_interrupted_wait_leaves_the_run_alone() {
    let stand = stand!();
    stand.ok(stand.apply(&[SLOW], "interrupt", "", &[]));
    let own = ["-n", "interrupt"];
    stand.ok(stand.apply(&[SLOW], "interrupt", "", &own));
    let mut watch = stand.spawned(stand.ktk(&["get", "tasks", "-w", "-o", "jsonl"]).args(&own));
    let mut changes = watch.stdout().lines();
    let wait = stand.spawned(stand.ktk(&["spawn", "interrupt/slow", "--wait"]).args(&own));
    // It waits once others see that the task runs.
    let received = changes.find_map(|line| {
        let task: Value = serde_json::from_str(&line.unwrap()).unwrap();
        (task["status"] == "received").then_some(task)
    });
    wait.interrupt();
    let output = wait.end();
    assert_eq!(output.status.code(), Some(130));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("the task goes on: ktk wait task/"), "{stderr}");
    watch.interrupt();
    assert_eq!(watch.end().status.code(), Some(130));
    let id = received.unwrap()["id"].as_str().unwrap().to_owned();
    let status = stand.ok_json(stand.ktk(&["get", "task", &id, "-o", "json"]).args(&own));
    assert_eq!(status["status"], "received");
    stand.ok(stand.ktk(&["cancel", &format!("task/{id}")]).args(&own));
}

#[test]
fn everything_has_a_list_in_every_format() {
    let stand = stand!();
    stand.ok(stand.apply(&[ECHO, PIPELINE], "lists", "echo", &[]));
    stand.ok(stand.ktk(&["run", "lists/two", "-p", "word=a", "--wait"]));
    for kind in ["t", "cx", "r", "spec", "types", "pl", "ev", "svc"] {
        let list = stand.ok_json(stand.ktk(&["get", kind, "-o", "json", "--limit", "3"]));
        let items = list["items"].as_array().unwrap().len();
        assert!(items <= 3, "{kind}");
        assert!(items > 0 || kind == "types", "{kind}");
        for format in ["table", "wide", "name", "jsonl", "yaml"] {
            stand.ok(stand.ktk(&["get", kind, "-o", format, "--limit", "3"]));
        }
    }
    let version = stand.ok_json(stand.ktk(&["version", "-o", "json"]));
    assert!(version["server"]["head_seq"].as_u64().unwrap() > 0, "{version}");
}
