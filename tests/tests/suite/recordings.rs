//! Recorded workflows run to their end, and their histories are sound.

use std::{fs, path::Path, time::Duration};

use kantoku_domain::Id;
use ktk::wfcommons::{Options, convert};
use serde_json::{Value, json};

use crate::{history::History, judge::Export, stand::Stand};

const DEADLINE: Duration = Duration::from_secs(180);

/// Imports `recording` under `name`, runs it, and has its history judged; how many tasks there were.
async fn run(stand: &mut Stand, name: &str, recording: &str) -> usize {
    let options = Options { name: Some(name.parse().expect("a name")), ..Options::default() };
    let converted = convert(recording, &options).expect("sound");
    for document in &converted.documents {
        stand.apply_document(document).await;
    }
    let (context_id, opened) = stand.open(name, json!({})).await;
    let history = History::follow(&stand.bus, context_id, DEADLINE).await;
    assert_eq!(history.ok(), converted.tasks);
    let is_file = |id: &Id| history.value(*id)["path"].is_string();
    assert!(opened.outputs.values().all(is_file), "every file that nobody reads was written");
    Export::of(&stand.bus).await.assert_ok(context_id, converted.tasks);
    converted.tasks
}

/// Runs every recording in `dir`.
async fn run_all(dir: &Path) {
    let Ok(files) = fs::read_dir(dir) else {
        eprintln!("SKIPPED: there are no recordings in {}", dir.display());
        return;
    };
    let mut stand = Stand::start().await;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    for (number, file) in files.enumerate() {
        let path = file.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let recording = fs::read_to_string(&path).expect("readable");
        let tasks = run(&mut stand, &format!("recording-{number}"), &recording).await;
        let value: Value = serde_json::from_str(&recording).expect("JSON");
        let recorded = value["workflow"]["specification"]["tasks"].as_array().map(Vec::len);
        assert_eq!(Some(tasks), recorded, "{}", path.display());
    }
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_real_workflows_run_to_their_end() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    Box::pin(run_all(&tests.join("../../shared/data/wfcommons"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_recording_runs_to_its_end() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wfcommons");
    assert!(dir.is_dir(), "{} is missing", dir.display());
    Box::pin(run_all(&dir)).await;
}

/// A made-up recording (`WfFormat` 1.5) of `tasks` tasks in layers of `width`: each task reads a
/// file of up to three tasks of the layer before.
fn layered(tasks: usize, width: usize) -> String {
    let id = |task: usize| format!("work.{task:05}");
    let parents = |task: usize| {
        let (layer, place) = (task / width, task % width);
        let before = move |step: usize| (layer - 1) * width + (place * 7 + step * 3) % width;
        let mut parents: Vec<_> = if layer == 0 { vec![] } else { (0..3).map(before).collect() };
        parents.sort_unstable();
        parents.dedup();
        parents
    };
    let mut children = vec![vec![]; tasks];
    for task in 0..tasks {
        for parent in parents(task) {
            children[parent].push(id(task));
        }
    }
    let specified = (0..tasks).map(|task| {
        let parents = parents(task);
        let mut reads: Vec<_> = parents.iter().map(|parent| format!("f{parent}.dat")).collect();
        reads.push("common.cfg".into());
        json!({
            "name": "work", "id": id(task), "children": children[task], "inputFiles": reads,
            "parents": parents.into_iter().map(id).collect::<Vec<_>>(),
            "outputFiles": [format!("f{task}.dat")],
        })
    });
    let executed = (0..tasks).map(|task| json!({"id": id(task), "runtimeInSeconds": task % 5}));
    let files = (0..tasks).map(|task| json!({"id": format!("f{task}.dat"), "sizeInBytes": task}));
    json!({
        "name": "layered", "schemaVersion": "1.5", "workflow": {
            "specification": {
                "tasks": specified.collect::<Vec<_>>(), "files": files.collect::<Vec<_>>(),
            },
            "execution": {
                "makespanInSeconds": 1, "executedAt": "2026-11-24T00:00:00Z",
                "tasks": executed.collect::<Vec<_>>(),
            },
        },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_of_two_thousand_tasks_runs_to_its_end() {
    let mut stand = Stand::start().await;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let tasks = run(&mut stand, "layered", &layered(2_000, 50)).await;
    assert_eq!(tasks, 2_000);
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}
