//! Every exit code, each by a command that says why.

use std::io::BufRead as _;

use crate::{
    Gate, Own, failed_context,
    stand::{Stand, stand, text},
};

#[test]
fn every_exit_code_has_a_command_that_ends_with_it() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "codes" };
    let context = failed_context(&stand, own.namespace);
    let gate = Gate::new();
    own.apply(&gate.pipeline());
    own.ok(&["run", "pipeline/gated"]);
    let new = stand.dir().join("codes.yaml");
    let manifest =
        "apiVersion: kantoku/v1\nkind: Type\nmetadata: {name: new}\nspec: {type: string}\n";
    std::fs::write(&new, manifest).unwrap();
    let new = new.to_str().unwrap();
    let failed = format!("context/{context}");

    let table: [(i32, &[&str], &str); 9] = [
        (0, &["get", "tasks"], ""),
        (1, &["man", "--dir", "/dev/null/pages"], "cannot write to /dev/null/pages"),
        (2, &["get", "taks"], "did you mean \"task\"?"),
        (3, &["get", "task", "ffffffff-ffff"], "try: ktk get tasks"),
        (4, &["cancel", &failed], "it is failed"),
        (5, &["wait", &failed], "failed"),
        (6, &["wait", "context/@last", "--timeout", "50ms"], "has not ended in time"),
        (7, &["diff", "-f", new], "1 of 1 documents would change something"),
        (8, &["get", "tasks", "--api-url", "http://127.0.0.1:1"], "cannot reach the API"),
    ];
    for (code, args, reason) in table {
        let stderr = text(&own.ends(args, code).stderr);
        assert!(stderr.contains(reason), "{code}: {stderr}");
    }

    // 9: who is to have a key and has none may not even ask.
    let profile = ["config", "set", "locked", "key_env=KTK_TEST_NO_SUCH_KEY"];
    let config = stand.dir().join("codes-config.yaml");
    let config = config.to_str().unwrap();
    stand.ok(stand.ktk(&profile).env("KTK_CONFIG", config));
    let output = stand.ends(own.ktk(&["get", "tasks"]).env("KTK_CONFIG", config), 9);
    assert!(text(&output.stderr).contains("$KTK_TEST_NO_SUCH_KEY"), "{}", text(&output.stderr));

    // 130: whoever presses Ctrl-C.
    let mut running = stand.spawned(own.ktk(&["get", "contexts", "-w"]));
    let (mut stdout, mut header) = (running.stdout(), String::new());
    stdout.read_line(&mut header).unwrap();
    running.interrupt();
    let output = running.end();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    gate.open();
}
