//! `ktk scripts`.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    Own,
    stand::{Stand, stand, text},
};

const LONG: &str = "let long = words.filter(|w| w.len() > least);\nlong\n";

const CASES: &str = "
cases:
- {name: short words go, input: {words: [a, bcd], least: 1}, expected: [bcd]}
- {input: {words: [a], least: 1}, expected: [a]}
- {name: least is needed, input: {words: [a]}, error: least}
";

/// A directory of a test's own with a script in it. Where the script is.
fn script(stand: &Stand, dir: &str, source: &str, cases: &str) -> PathBuf {
    let dir = stand.dir().join(dir);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("long.yaml"), cases).unwrap();
    let path = dir.join("long.rhai");
    std::fs::write(&path, source).unwrap();
    path
}

#[test]
fn a_script_is_checked_and_run_with_the_place_of_what_is_wrong() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "scripts" };
    let path = script(&stand, "scripts-run", LONG, CASES);
    let path = path.to_str().unwrap();
    assert_eq!(own.ok(&["scripts", "check", path]), format!("{path} is sound\n"));
    let run = ["scripts", "run", path, "-p", "words:=[\"a\", \"bcd\"]"];
    let ran = own.json(&[&run[..], &["-p", "least:=1"]].concat());
    assert_eq!(ran, json!({ "value": ["bcd"] }));
    let failed = own.ends(&run, 1);
    let place = format!("{path}:1:");
    assert!(text(&failed.stderr).contains(&place), "{}", text(&failed.stderr));

    std::fs::write(path, "let a = 1;\nlet = 2;").unwrap();
    let checked = own.ends(&["scripts", "check", path], 7);
    assert!(
        text(&checked.stdout).starts_with(&format!("{path}:2:5: ")),
        "{}",
        text(&checked.stdout)
    );
    let checked = own.ends(&["scripts", "check", path, "-o", "jsonl"], 7);
    assert!(text(&checked.stdout).contains("\"kind\":\"compile\""), "{}", text(&checked.stdout));
}

#[test]
fn the_cases_of_a_script_end_with_7_where_one_fails() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "cases" };
    let path = script(&stand, "scripts-test", LONG, CASES);
    let tested = own.ends(&["scripts", "test", path.to_str().unwrap()], 7);
    let lines = text(&tested.stdout);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(
        lines,
        [
            "ok      short words go",
            "failed  case 2: expected [\"a\"], got []",
            "ok      least is needed",
        ]
    );
    assert!(text(&tested.stderr).contains("1 of 3 cases failed"), "{}", text(&tested.stderr));
    let sound = CASES.replace("expected: [a]", "expected: []");
    let path = script(&stand, "scripts-test", LONG, &sound);
    let tested = own.json(&["scripts", "test", path.to_str().unwrap()]);
    let ok: Vec<_> = tested["items"].as_array().unwrap().iter().map(|it| &it["ok"]).collect();
    assert_eq!(ok, [&json!(true); 3]);
    // Nothing beside it.
    std::fs::remove_file(path.with_extension("yaml")).unwrap();
    own.ends(&["scripts", "test", path.to_str().unwrap()], 1);
}
