//! `ktk projections` and `ktk doctor`

use std::process::Command;

use serde_json::Value;

use crate::{
    failed_context,
    stand::{Stand, stand, text},
};

#[test]
fn the_read_model_is_verified_and_made_anew() {
    let _held = crate::transcripts::upkeep();
    let stand = stand!();
    failed_context(&stand, "upkeep");
    let list = stand.ok_json(stand.ktk(&["projections", "list", "-o", "json"]));
    assert!(list["items"][0]["stream_seq"].as_u64().unwrap() > 0, "{list}");
    let table = stand.ok(stand.ktk(&["projections", "list"]));
    assert!(table.starts_with("NAME"), "{table}");

    let verified = stand.ok_json(stand.ktk(&["projections", "verify", "-o", "json"]));
    assert_eq!(verified["equal"]["tasks"], true, "{verified}");
    assert!(verified["as_of_seq"].as_u64().unwrap() > 0, "{verified}");

    let verdict = stand.ok_json(stand.ktk(&["events", "verify", "--deep", "-o", "json"]));
    assert_eq!(
        (&verdict["found"], &verdict["tables"]["tasks"]),
        (&0.into(), &true.into()),
        "{verdict}"
    );

    if tamper(&stand) {
        let output = stand.ends(stand.ktk(&["projections", "verify"]), 7);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(
            stdout.lines().any(|line| line.starts_with("pipelines") && line.ends_with("different")),
            "{stdout}"
        );
        assert!(stderr.contains("ktk projections rebuild"), "{stderr}");
        let output = stand.ends(stand.ktk(&["events", "verify", "--deep"]), 7);
        assert!(
            text(&output.stdout).contains("table pipelines differs"),
            "{}",
            text(&output.stdout)
        );
    }
    let rebuilt = stand.ok(stand.ktk(&["projections", "rebuild"]));
    assert!(rebuilt.starts_with("rebuilt from"), "{rebuilt}");
    let verified = stand.ok(stand.ktk(&["projections", "verify"]));
    assert!(!verified.contains("different"), "{verified}");
}

/// Changes a row behind the projector's back. `false` where there is no `psql`.
fn tamper(stand: &Stand) -> bool {
    let up = stand.ok_json(stand.ktk(&["dev", "up", "--detach", "-o", "json"]));
    let tools = stand.ok(stand.ktk(&["dev", "tools"]));
    let Some(psql) = tools
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(|path| std::path::Path::new(path).join("psql"))
        .find(|psql| psql.exists())
    else {
        return false;
    };
    let status = Command::new(psql)
        .arg(up["endpoints"]["postgres"].as_str().unwrap())
        .args(["-q", "-c", "DELETE FROM ktk.pipelines"])
        .status()
        .unwrap();
    assert!(status.success());
    true
}

#[test]
fn a_doctor_finds_nothing_where_all_is_well() {
    let stand = stand!();
    let checks = stand.ok_json(stand.ktk(&["doctor", "-o", "json"]));
    assert_eq!(checks["findings"], 0, "{checks}");
    let names: Vec<_> =
        checks["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    for name in ["api", "nats", "stream", "readiness", "clock", "read model", "services", "tasks"] {
        assert!(names.contains(&&Value::from(name)), "{name} in {checks}");
    }
    assert!(stand.ok(stand.ktk(&["doctor"])).lines().all(|line| line.starts_with("✔ ok")));
}

#[test]
fn every_command_says_within_its_time_that_nobody_is_there() {
    let stand = stand!();
    let commands: [&[&str]; 9] = [
        &["tree", "01234567"],
        &["watch", "01234567"],
        &["watch"],
        &["why", "01234567"],
        &["logs", "01234567"],
        &["events", "log"],
        &["events", "export"],
        &["projections", "verify"],
        &["doctor"],
    ];
    let nobody = ["--api-url", "http://127.0.0.1:1", "--timeout", "500ms"];
    for command in commands {
        let output = stand.ends(stand.ktk(command).args(&nobody), 8);
        let stderr = text(&output.stderr);
        assert!(stderr.contains("127.0.0.1:1") && stderr.contains("ktk dev up"), "{stderr}");
    }
}
