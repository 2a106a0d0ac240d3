//! `ktk import`

use std::path::Path;

use serde_json::json;

use crate::stand::{Stand, stand, text};

fn mosaic() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("examples/wfcommons/mosaic.json").to_str().unwrap().to_owned()
}

#[test]
fn a_recorded_workflow_is_imported_and_runs_to_its_end() {
    let stand = stand!();
    let file = mosaic();
    let import = ["import", "wfcommons", &file, "--time-scale", "0.0001", "-n", "import"];
    let imported = stand.ok_json(stand.ktk(&import).args(&["-o", "json"]));
    assert_eq!(imported, json!({ "pipeline": "mosaic", "tasks": 34 }));
    let run = ["run", "pipeline/mosaic", "-n", "import", "--wait", "-o", "json"];
    let ended = stand.ok_json(stand.ktk(&run));
    assert_eq!((&ended["status"], &ended["tasks"]["ok"]), (&json!("ok"), &json!(34)), "{ended}");

    let recording = std::fs::read_to_string(&file).unwrap();
    let from_stdin =
        ["import", "wfcommons", "-", "--name", "another", "-n", "import", "-o", "name"];
    assert_eq!(stand.ok(stand.input(&from_stdin, &recording)), "pipeline/another\n");
}

#[test]
fn what_is_no_recording_is_refused() {
    let stand = stand!();
    let import = ["import", "wfcommons", "-"];
    let output = stand.ends(stand.input(&import, "{\"workflow\": 3}"), 4);
    assert!(text(&output.stderr).contains("cannot be imported"), "{}", text(&output.stderr));
    let output = stand.ends(stand.ktk(&["import", "wfcommons", "/nowhere.json"]), 3);
    assert!(text(&output.stderr).contains("/nowhere.json"), "{}", text(&output.stderr));
    stand.ends(stand.ktk(&["import", "wfcommons", &mosaic(), "--time-scale", "-1"]), 4);
}
