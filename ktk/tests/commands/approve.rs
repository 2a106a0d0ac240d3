//! `ktk approve`

use serde_json::json;

use crate::{
    Own,
    stand::{Stand, stand, text},
};

#[test]
fn people_say_yes_and_are_told_who_else_has_to() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "approve" };
    own.example("release.yaml");
    own.ok(&["run", "release", "-p", "version=3"]);
    own.ok(&["wait", "@last/test"]);
    let approve = |by: &str| own.ends(&["approve", "@last/ship", "ship", "--by", by], 0);
    let output = approve("ada");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.ends_with("approval \"ship\": 1 of 2 given, by ada\n"), "{stdout}");
    assert!(stderr.contains("1 more has to be given, by grace or linus"), "{stderr}");
    assert!(text(&approve("ada").stdout).contains("1 of 2 given"), "nobody counts twice");

    let refused = text(&own.ends(&["approve", "@last/ship", "ship", "--by", "eve"], 4).stderr);
    assert!(refused.contains("eve may not give approval"), "{refused}");
    let unknown = text(&own.ends(&["approve", "@last/ship", "shop"], 3).stderr);
    assert!(unknown.contains("it waits for \"ship\""), "{unknown}");
    let nobody = text(&own.ends(&["approve", "context/@last", "shop"], 3).stderr);
    assert!(nobody.contains("no task of context/"), "{nobody}");

    let described = own.ok(&["describe", "task", "@last/ship"]);
    let line = described.lines().find(|line| line.contains("given")).unwrap();
    assert!(line.contains("2 of ada, grace, linus") && line.contains("1 given"), "{line}");
    assert!(described.contains("within 1h: approval \"ship\""), "{described}");
    let why = own.json(&["why", "@last/ship"]);
    assert_eq!(why["facts"][0]["kind"], "approval", "{why}");

    let done = own.json(&["approve", "@last/ship", "ship", "--by", "grace"]);
    assert_eq!(done["given"], json!(["ada", "grace"]), "{done}");
    assert_eq!((&done["missing"], &done["needed"]), (&json!(0), &json!(2)));
    own.ok(&["wait", "context/@last"]);
    let late = text(&own.ends(&["approve", "@last/ship", "ship", "--by", "linus"], 0).stdout);
    assert!(late.contains("2 of 2"), "enough is enough: {late}");
}
