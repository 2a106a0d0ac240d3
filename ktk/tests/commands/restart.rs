//! `ktk restart`, `ktk attempts`, `ktk tree --by restart`

use serde_json::{Value, json};

use crate::{
    Own,
    stand::{Stand, stand, text},
};

/// The nightly run of the examples, whose rates are in a file that is not there yet. The context and
/// the file.
fn failed_night(own: &Own<'_>) -> (String, std::path::PathBuf) {
    own.example("restart.yaml");
    let file = own.stand.dir().join(format!("{}.json", own.namespace));
    let rates = format!("rates={}", file.display());
    let output = own.ends(&["run", "nightly", "-p", &rates, "--wait", "-o", "json"], 5);
    let ended: Value = serde_json::from_slice(&output.stdout).unwrap();
    (format!("context/{}", ended["context_id"].as_str().unwrap()), file)
}

fn write_rates(file: &std::path::Path) {
    std::fs::write(file, r#"{"EUR": 1, "USD": 0.92}"#).unwrap();
}

/// What becomes of which step, in order.
fn actions(document: &Value) -> Vec<(&str, &str)> {
    let entries = document["plan"]["entries"].as_array().unwrap().iter();
    let mut actions: Vec<_> = entries
        .map(|entry| (entry["step"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    actions.sort_unstable();
    actions
}

#[test]
fn what_has_failed_runs_again_as_the_plan_says_and_the_rest_is_kept() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "nightly" };
    let (context, rates) = failed_night(&own);
    let convert = own.json(&["get", "task", &format!("{context}/convert")]);
    let of_before = own.json(&["get", "task", "@last/count"]);

    let restart = ["restart", &context, "--only-failed"];
    let shown = own.ok(&[&restart[..], &["--dry-run"]].concat());
    let mut lines = shown.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("1 rerun, 2 revive, 2 keep, 0 skip"), "{shown}");
    assert!(lines.next().unwrap().starts_with("ACTION   STEP"), "{shown}");
    for (action, step) in [("rerun", "convert"), ("revive", "totals"), ("keep", "count")] {
        let line = shown.lines().find(|line| line.contains(&format!(" {step} "))).unwrap();
        assert!(line.starts_with(action) && line.contains("nightly/"), "{line}");
    }
    let command = format!("ktk restart {context} --only-failed -n nightly");
    assert!(shown.trim_end().ends_with(&command), "{shown}");
    let preview = own.json(&[&restart[..], &["--dry-run"]].concat());
    assert_eq!(preview["counts"], json!({"rerun": 1, "revive": 2, "keep": 2, "skip": 0}));
    assert_eq!(preview["plan"]["entries"].as_array().unwrap().len(), 5, "{preview}");
    let untouched = own.json(&["get", "task", "@last/convert"]);
    assert_eq!(untouched["restarted_as"], Value::Null, "a preview does nothing");

    write_rates(&rates);
    let reason = ["--reason", "the rates are there", "--wait"];
    let done = own.json(&[&restart[..], &reason].concat());
    assert_eq!(done["outputs"]["letter"], "Acme 1292, Borealis 460", "{done}");
    assert_eq!(actions(&done), actions(&preview), "the outcome is the plan");
    let old = convert["id"].as_str().unwrap();
    let new = done["successors"][old].as_str().unwrap();
    let of_after = own.json(&["get", "task", "@last/count"]);
    assert_eq!(of_after["stream_seq"], of_before["stream_seq"], "nobody touched it");

    let attempts = own.json(&["attempts", "@last/convert", "--diff"]);
    let outcomes: Vec<_> =
        attempts["items"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "ok"], "{attempts}");
    assert_eq!(attempts["differences"][0]["after"]["task_id"], new, "{attempts}");
    let table = own.ok(&["attempts", old, "--diff"]);
    assert!(table.contains("there are no rates") && table.contains("failed → ok"), "{table}");

    let tree = own.ok(&["tree", &context]);
    assert!(tree.contains("5 of 5 ended · 5 ok"), "{tree}");
    assert!(tree.contains("1 that others replaced"), "{tree}");
    let chains = own.ok(&["tree", &context, "--by", "restart"]);
    assert!(chains.contains("✖ failed     convert") && chains.contains("└─ ✔ ok"), "{chains}");
    let described = own.ok(&["describe", "task", old]);
    assert!(described.contains(new) && described.contains("the rates are there"), "{described}");

    // Whoever comes later is told who was first.
    let refused = text(&own.ends(&["restart", old], 4).stderr);
    assert!(refused.contains(&format!("try: ktk describe task/{new}")), "{refused}");
}

#[test]
fn what_is_ok_runs_again_from_a_step_on_fresh_outputs_only() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "from" };
    let (context, rates) = failed_night(&own);
    write_rates(&rates);
    own.ok(&["restart", &context, "--only-failed", "--wait"]);

    let from = ["restart", &context, "--from", "convert"];
    let refused = text(&own.ends(&from, 4).stderr);
    let advice = format!("try: ktk {} -n from --outputs reallocate --dry-run", from.join(" "));
    assert!(refused.contains(&advice), "{refused}");
    let fresh = [&from[..], &["--outputs", "reallocate"]].concat();
    let preview = own.json(&[&fresh[..], &["--dry-run"]].concat());
    let expected = [
        ("convert", "rerun"),
        ("count", "keep"),
        ("letter", "rerun"),
        ("orders", "keep"),
        ("totals", "rerun"),
    ];
    assert_eq!(actions(&preview), expected);

    // The plan itself can be handed back.
    let file = stand.dir().join("plan.json");
    std::fs::write(&file, preview.to_string()).unwrap();
    let letter = || own.json(&["get", &context])["outputs"]["letter"].clone();
    let before = letter();
    let plan = ["restart", &context, "--plan", file.to_str().unwrap(), "--wait"];
    let done = own.json(&plan);
    assert_eq!(actions(&done), expected);
    assert_eq!(done["successors"].as_object().unwrap().len(), 3, "{done}");
    assert_eq!(done["outputs"]["letter"], "Acme 1292, Borealis 460", "{done}");
    assert_ne!(letter(), before, "it is another resource now");
    // By now all of it was overtaken.
    let refused = text(&own.ends(&plan, 4).stderr);
    assert!(refused.contains("restarted"), "{refused}");
    own.ends(&["restart", &context, "--from", "konvert", "--dry-run"], 3);
}

#[test]
fn a_single_task_is_restarted_and_what_failed_last_is_the_restart() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "single" };
    own.apply(
        "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: broken}
spec: {executable: {type: process, command: [sh, -c, 'cat >/dev/null; echo no luck >&2; exit 3']}}
",
    );
    own.ends(&["spawn", "broken", "--wait"], 5);
    let first = own.json(&["get", "task", "@failed"]);
    let old = first["id"].as_str().unwrap();
    let output = own.ends(&["restart", "@failed", "--wait", "-o", "json"], 5);
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&done["status"], &done["sub_status"]), (&json!("finished"), &json!("failed")));
    let new = done["task_id"].as_str().unwrap();
    assert_eq!(done["successors"], json!({ old: new }));
    assert_eq!(own.json(&["get", "task", "@failed"])["id"], new);
    let last = own.json(&["get", "task", "@last"]);
    assert_eq!((&last["id"], &last["restart_root"]), (&json!(new), &json!(old)));
    let names = own.ok(&["attempts", "@last", "-o", "name"]);
    assert_eq!(names, format!("task/{old}\ntask/{new}\n"));

    // Live: what happens is seen, and how it ended.
    let output = own.ends(&["restart", "@failed", "--watch"], 5);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.contains("1 rerun, 0 revive, 0 keep, 0 skip"), "{stdout}");
    assert!(stdout.contains("✖ failed") && stderr.contains("no luck"), "{stdout}{stderr}");

    // The other version that is asked for does not exist.
    own.ends(&["restart", "@last", "--version", "7", "--dry-run"], 3);
    own.ends(&["restart", "@last", "--only-failed", "--dry-run"], 0);
    own.ends(&["restart", "task/@last", "--only-failed"], 2);
    own.ends(&["restart", "pipeline/x"], 2);
}
