//! The same for many at once.

use serde_json::json;

use crate::{
    Own, failed_context,
    stand::{Stand, stand, text},
};

#[test]
fn what_was_refused_is_named_and_ends_with_4() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "many" };
    let context = failed_context(&stand, own.namespace);
    let ended = "status == 'finished' || status == 'skipped'";
    let many = ["cancel", "tasks", "--where", ended];
    let preview = own.json(&[&many[..], &["--dry-run"]].concat());
    assert_eq!((&preview["count"], preview.get("operation_id")), (&json!(3), None), "{preview}");
    assert_eq!(preview["sample"].as_array().unwrap().len(), 3);

    // Nobody can be asked: nothing is done.
    let asked = own.ends(&many, 2);
    assert!(text(&asked.stderr).contains("3 tasks would be concerned: --yes"), "{asked:?}");
    assert_eq!(own.json(&["get", "operations"])["items"], json!([]));

    let refused = own.ends(&[&many[..], &["--yes", "--wait"]].concat(), 4);
    let (stdout, stderr) = (text(&refused.stdout), text(&refused.stderr));
    assert!(stdout.contains("done: 0 cancelled, 3 refused"), "{stdout}");
    let id = stdout.split(' ').next().unwrap();
    assert!(stderr.contains(&format!("try: ktk describe {id}")), "{stderr}");
    let described = own.ok(&["describe", id]);
    assert!(
        described.contains("the task cannot be cancelled: it is finished already"),
        "{described}"
    );
    assert!(described.contains("started by"), "{described}");
    own.ends(&["cancel", id], 4);
    own.ends(&["cancel", "operation/0193"], 2);
    own.ends(&["describe", "operation/00000000-0000-0000-0000-000000000000"], 3);
    // Of another namespace there is nothing to see.
    let other = Own { stand: &stand, namespace: "many-others" };
    other.ends(&["describe", id], 3);

    let labelled = ["label", "tasks", "--where", "sub_status == 'failed'", "triage=open", "--yes"];
    own.ok(&[&labelled[..], &["--wait"]].concat());
    assert_eq!(
        own.json(&["get", "tasks", "-l", "triage=open"])["items"].as_array().unwrap().len(),
        1
    );
    let restart = ["restart", "-l", "triage=open", "--yes", "--wait"];
    let restarted = own.ok(&restart);
    assert!(restarted.contains("done: 1 restarted"), "{restarted}");
    let operations = own.json(&["get", "operations"]);
    assert_eq!(operations["items"][0]["kind"], "task.restart", "{operations}");
    own.ends(&["wait", &format!("context/{context}")], 5);
    // What means nothing where one is named, or none, is said.
    own.ends(&["cancel", &format!("context/{context}"), "--yes"], 2);
    own.ends(&["cancel"], 2);
    own.ends(&["cancel", "pipelines", "--where", ended], 2);
    own.ends(&["cancel", "--where", "statsu == 'ready'", "--dry-run"], 4);
}
