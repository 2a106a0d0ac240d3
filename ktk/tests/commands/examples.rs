//! `examples/semantics`: each file does what its comments say.

use serde_json::json;

use crate::{
    Own, example,
    stand::{Stand, stand, text},
};

#[test]
fn all_of_them_are_sound() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "sound" };
    let dir = example("");
    let said = own.ok(&["validate", "-f", dir.to_str().unwrap()]);
    assert!(said.ends_with(" documents are sound\n"), "{said}");
}

#[test]
fn a_clean_up_runs_however_the_work_has_ended() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "cleanup" };
    own.example("cleanup.yaml");
    let run = |samples: &str, code: i32| {
        let param = format!("samples:={samples}");
        let run = ["run", "pipeline/experiment", "-p", &param, "--wait", "-o", "json"];
        let output = own.ends(&run, code);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let well = run("3", 0);
    assert_eq!(well["outputs"], json!({"done": "m-17 is back"}), "{well}");
    let steps = |of: &serde_json::Value| own.steps(of["context_id"].as_str().unwrap());
    let expected = |[alarm, measure, publish]: [&str; 3]| {
        let steps = [
            ("alarm", alarm),
            ("give-back", "ok"),
            ("measure", measure),
            ("publish", publish),
            ("rent", "ok"),
        ];
        steps.map(|(step, status)| (step.to_owned(), status.to_owned()))
    };
    assert_eq!(steps(&well), expected(["skipped", "ok", "ok"]));

    let badly = run("0", 5);
    assert_eq!(badly["outputs"]["done"], "m-17 is back", "{badly}");
    assert_eq!(steps(&badly), expected(["ok", "failed", "skipped"]));
    let why = own.ok(&["why", "@last/publish"]);
    assert!(why.contains("there is nothing to measure"), "{why}");
    let described = own.ok(&["describe", "task", "@last/give-back"]);
    assert!(described.contains("when: all_done"), "{described}");
}

#[test]
fn no_more_downloads_run_at_once_than_the_policy_lets() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "mirror" };
    own.example("limits.yaml");
    let ended = own.json(&["run", "pipeline/mirror", "--wait"]);
    assert_eq!(ended["outputs"], json!({"total": 4096}), "{ended}");
    // From its announcement to its end a task holds its slot.
    let context = ended["context_id"].as_str().unwrap();
    let events = own.ok(&["get", "events", "--context", context, "-o", "jsonl", "--limit", "0"]);
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tree = own.json(&["tree", context]);
    let host = |id: &serde_json::Value| {
        let task = tree["tasks"].as_array().unwrap().iter().find(|task| task["id"] == *id);
        let step = task.and_then(|task| task["step"].as_str()).unwrap();
        step.split_once('-').map(|(host, _)| host.to_owned())
    };
    let (mut held, mut most) = ([("north", 0), ("south", 0)], 0);
    for event in &events {
        let change = match event["type"].as_str().unwrap() {
            "TaskReady" => 1,
            "TaskFinished" => -1,
            _ => continue,
        };
        let Some(host) = host(&event["id"]) else { continue };
        let (_, count) = held.iter_mut().find(|(name, _)| *name == host).unwrap();
        *count += change;
        most = most.max(*count);
    }
    assert_eq!(held, [("north", 0), ("south", 0)], "all have ended");
    assert_eq!(most, 2, "as many as may, and not one more");
}

#[test]
fn a_release_waits_for_those_who_have_to_agree() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "release" };
    own.example("release.yaml");
    own.ok(&["run", "pipeline/release", "-p", "version=1.4.0"]);
    own.ok(&["wait", "@last/test"]);
    let why = own.ok(&["why", "@last/announce"]);
    assert!(why.contains("approval") && why.contains("ktk approve task/"), "{why}");
    own.ok(&["approve", "context/@last", "ship", "--by", "ada"]);
    let stderr = text(&own.ends(&["wait", "context/@last", "--timeout", "300ms"], 6).stderr);
    assert!(stderr.contains("has not ended in time"), "{stderr}");
    own.ok(&["approve", "context/@last", "ship", "--by", "grace"]);
    let ended = own.json(&["wait", "context/@last"]);
    let message = "It is out: https://example.org/releases/app-1.4.0.tar.gz";
    assert_eq!(ended["outputs"], json!({ "message": message }), "{ended}");
}
