//! Policies: `apply`, `get`, `describe`, `delete`, and what `why` says of their limits.

use crate::{
    Own,
    stand::{Stand, stand, text},
};

const FETCH: &str = "
apiVersion: kantoku/v1
kind: Policy
metadata: {name: gentle, description: Be kind}
spec:
  limits:
    hosts: {key: '{labels.host}', concurrency: 1}
  ageing: {every: 1m}
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: fetch}
spec: {executable: {type: sleep, duration: 1h}}
";

#[test]
fn a_limit_holds_until_it_is_deleted() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "gentle" };
    assert!(own.apply(FETCH).contains("policy/gentle created, version 1"));
    let spawn =
        || own.json(&["spawn", "fetch", "-l", "host=a"])["task_id"].as_str().unwrap().to_owned();
    let holder = spawn();
    own.ok(&["wait", &holder, "--for", "status=received"]);
    let waiting = spawn();
    own.ends(&["wait", &waiting, "--for", "status=received", "--timeout", "300ms"], 6);
    let why = own.ok(&["why", &waiting]);
    assert!(why.contains("limit") && why.contains("1 of 1 held by"), "{why}");
    assert!(why.contains(&format!("try: ktk describe task/{holder}")), "{why}");
    let why = own.json(&["why", &waiting]);
    assert_eq!(why["source"], "scheduler", "{why}");
    assert_eq!(why["facts"][0]["held_by"][0], holder.as_str(), "{why}");

    let table = own.ok(&["get", "policies"]);
    assert!(table.contains("gentle") && table.contains("hosts: 1 at once"), "{table}");
    let described = own.ok(&["describe", "policy/gentle"]);
    assert!(
        described.contains("key {labels.host}") && described.contains("Be kind"),
        "{described}"
    );
    let yaml = own.ok(&["get", "policy", "gentle", "-o", "yaml"]);
    assert!(own.apply(&yaml).contains("policy/gentle unchanged, version 1"), "{yaml}");

    // Nothing is restarted: what waits for the limit goes on.
    assert_eq!(own.ok(&["delete", "policy/gentle"]), "policy/gentle deleted\n");
    own.ok(&["wait", &waiting, "--for", "status=received"]);
    assert_eq!(own.ok(&["get", "policies", "-o", "name"]), "");
    own.ends(&["get", "policy", "gentle"], 3);
    own.ends(&["delete", "policy", "nobody"], 3);
    own.ends(&["delete", "spec/fetch"], 2);
    for task in [holder, waiting] {
        own.ok(&["cancel", &format!("task/{task}")]);
        own.ends(&["wait", &task, "--for", "status=ready"], 5);
    }
}

#[test]
fn policies_that_are_so_are_deleted_when_that_is_meant() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "bygone" };
    let policy = |name: &str| {
        format!(
            "---\napiVersion: kantoku/v1\nkind: Policy\nmetadata: {{name: {name}}}\n\
             spec: {{limits: {{a: {{label: team, concurrency: 1}}}}}}\n"
        )
    };
    own.apply(&["test/a", "test/b", "real"].map(policy).concat());
    let delete = ["delete", "policies", "--where", "name.startsWith('test/')"];
    let asked = own.ends(&delete, 2);
    assert!(text(&asked.stderr).contains("would be deleted: 2"), "{}", text(&asked.stderr));
    let dry = own.ok(&[&delete[..], &["--dry-run"]].concat());
    assert_eq!(dry, "policy/test/a deleted (dry run)\npolicy/test/b deleted (dry run)\n");
    own.ok(&[&delete[..], &["--yes"]].concat());
    assert_eq!(own.ok(&["get", "policies", "-o", "name"]), "policy/real\n");
    own.ends(&[&delete[..], &["--yes"]].concat(), 3);
    own.ends(&["delete", "secrets", "--where", "name == 'a'", "--yes"], 2);
    own.ends(&["delete", "policy/real", "--dry-run"], 2);
}

#[test]
fn what_is_wrong_with_a_policy_is_shown_where_it_stands() {
    let stand = stand!();
    let manifest = "\
apiVersion: kantoku/v1
kind: Policy
metadata: {name: wrong}
spec:
  limits:
    none: {specification: fetch}
    both: {specification: fetch, label: host, concurrency: 2}
    zero:
      label: host
      concurrency: 0
  ageing: {every: 10ms}
";
    let validate = ["validate", "-n", "gentle", "-f", "-"];
    let output = stand.ends(stand.input(&validate, manifest), 4);
    let stderr = text(&output.stderr);
    for (place, what) in [
        ("-:6:5: ", "it limits nothing"),
        ("-:7:5: ", "a limit is about one thing, not 2"),
        ("-:10:20: ", "a limit is 1 to 100000, not 0"),
        ("-:11:19: ", "priority grows at most every second"),
    ] {
        let found = stderr.lines().find(|line| line.contains(what));
        assert!(found.is_some_and(|line| line.starts_with(place)), "{place}{what}: {stderr}");
    }
    assert!(stderr.contains("4 problems"), "{stderr}");
}

#[test]
fn what_is_wrong_with_what_a_step_waits_for_is_shown_where_it_stands() {
    let stand = stand!();
    let manifest = "\
apiVersion: kantoku/v1
kind: Specification
metadata: {name: step}
spec: {executable: {type: noop}}
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {name: wrong}
spec:
  tasks:
    first: {use: step, when: all_done}
    second:
      use: step
      after: [first]
      depends_on:
        all:
          - {approval: {name: go, count: 3, by: [ann, bo]}}
          - {task: frist}
          - within: {time: 1h, of: {event: {type: TaskFinishd}}}
";
    let validate = ["validate", "-n", "gentle", "-f", "-"];
    let output = stand.ends(stand.input(&validate, manifest), 4);
    let stderr = text(&output.stderr);
    for (place, what) in [
        ("-:11:", "when: all_done is about the steps before, and there are none"),
        ("-:17:", "3 have to approve, but by names 2"),
        ("-:18:20: ", "there is no step \"frist\"; did you mean \"first\"?"),
        ("-:19:", "there is no event \"TaskFinishd\"; did you mean \"TaskFinished\"?"),
    ] {
        let found = stderr.lines().find(|line| line.contains(what));
        assert!(found.is_some_and(|line| line.starts_with(place)), "{place}{what}: {stderr}");
    }
    // A name that is none is found, too, though the document cannot be read.
    let unread = manifest.replace("all_done", "al_done");
    let output = stand.ends(stand.input(&validate, &unread), 4);
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("-:11:30: ") && stderr.contains("all_done"), "{stderr}");
}
