//! `ktk diff`, `ktk edit` and dry runs.

use std::path::PathBuf;

use crate::{
    Own,
    stand::{Stand, stand, text},
};

const POLICY: &str = "
apiVersion: kantoku/v1
kind: Policy
metadata: {name: gentle}
spec: {limits: {takes: {label: team, concurrency: 2}}}
";

/// A file of a test's own.
fn file(stand: &Stand, name: &str, content: &str) -> PathBuf {
    let path = stand.dir().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_diff_ends_with_7_where_something_would_change() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "diff" };
    let path = file(&stand, "diff.yaml", POLICY);
    let path = path.to_str().unwrap();
    let new = text(&own.ends(&["diff", "-f", path], 7).stdout);
    assert!(new.contains("+++ policy/gentle version 1\n"), "{new}");
    assert_eq!(own.ok(&["get", "policies", "-o", "name"]), "", "nothing was applied");
    own.apply(POLICY);
    assert_eq!(own.ok(&["diff", "-f", path]), "");

    file(&stand, "diff.yaml", &POLICY.replace("concurrency: 2", "concurrency: 3"));
    let output = own.ends(&["diff", "-f", path], 7);
    let diff = text(&output.stdout);
    assert!(
        diff.starts_with("--- policy/gentle version 1\n+++ policy/gentle version 2\n"),
        "{diff}"
    );
    assert!(diff.contains("concurrency: 2\n+") && diff.contains("concurrency: 3\n"), "{diff}");
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("1 of 1 documents would change something (as of position "),
        "{stderr}"
    );
    assert_eq!(text(&own.ends(&["diff", "-f", path, "-o", "name"], 7).stdout), "policy/gentle\n");
    let changes = text(&own.ends(&["diff", "-f", path, "-o", "json"], 7).stdout);
    let changes: serde_json::Value = serde_json::from_str(&changes).unwrap();
    let change = &changes["items"][0]["changes"][0];
    assert_eq!((&change["old"], &change["new"]), (&2.into(), &3.into()), "{changes}");

    let delete = ["delete", "-f", path];
    let dry = own.ok(&[&delete[..], &["--dry-run"]].concat());
    assert_eq!(dry, "policy/gentle deleted (dry run)\n");
    assert_eq!(own.ok(&delete), "policy/gentle deleted\n");
    assert_eq!(own.ok(&delete), "policy/gentle was not there\n");
    file(
        &stand,
        "diff.yaml",
        "apiVersion: kantoku/v1\nkind: Type\nmetadata: {name: t}\nspec: {type: string}\n",
    );
    let refused = text(&own.ends(&delete, 4).stderr);
    assert!(refused.contains("a \"Type\" cannot be deleted"), "{refused}");
    assert!(refused.contains("nothing was deleted"), "{refused}");
}

#[test]
fn a_dry_run_asks_the_server_or_nobody() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "dry" };
    let pipeline = "apiVersion: kantoku/v1\nkind: Pipeline\nmetadata: {name: p}\n\
                    spec: {tasks: {a: {use: is-not-there}}}\n";
    let path = file(&stand, "dry.yaml", pipeline);
    let path = path.to_str().unwrap();
    own.ends(&["apply", "-f", path, "--dry-run"], 4);
    own.ends(&["apply", "-f", path, "--dry-run=server"], 4);
    let nobody = ["apply", "-f", path, "--dry-run=client", "--api-url", "http://127.0.0.1:1"];
    assert_eq!(own.ok(&nobody), "pipeline/p is sound (dry run without the server)\n");
    file(&stand, "dry.yaml", &pipeline.replace("use:", "uses:"));
    let stderr = text(&own.ends(&nobody, 4).stderr);
    assert!(stderr.contains("dry.yaml:4:") && stderr.contains("`uses`"), "{stderr}");
}

#[test]
fn what_is_edited_is_applied_refused_with_the_reason_or_left() {
    let stand = stand!();
    let own = Own { stand: &stand, namespace: "edit" };
    own.apply(POLICY);
    let edit = |editor: &str| own.ktk(&["edit", "policy/gentle"]).env("KTK_EDITOR", editor);
    let left = stand.ends(edit("true"), 0);
    assert!(text(&left.stderr).contains("nothing was changed"), "{}", text(&left.stderr));
    let done = stand.ok(edit("sed -i 's/concurrency: 2/concurrency: 5/'"));
    assert_eq!(done, "policy/gentle configured, version 2\n");

    // The first try is refused; the second finds the reason above the text and mends it.
    let twice = "sh -c 'if grep -q \"^#! \" \"$1\"; then sed -i s/concurency/concurrency/ \"$1\"; \
                 else sed -i \"s/concurrency: 5/concurency: 7/\" \"$1\"; fi' sh";
    assert_eq!(stand.ok(edit(twice)), "policy/gentle configured, version 3\n");

    // Who gives up finds what was written.
    let once = "sed -i s/concurrency/concurency/";
    let stderr = text(&stand.ends(edit(once), 4).stderr);
    let (_, kept) = stderr.trim_end().rsplit_once("what you wrote is in ").unwrap();
    let kept_text = std::fs::read_to_string(kept).unwrap();
    std::fs::remove_file(kept).unwrap();
    assert!(kept_text.starts_with("#! ") && kept_text.contains("concurency: 7"), "{kept_text}");
    let line: usize = kept_text.split(':').nth(1).unwrap().parse().unwrap();
    let named = kept_text.lines().nth(line - 1).unwrap();
    assert!(named.contains("concurency") || named.contains("takes"), "{named} of {kept_text}");

    stand.ends(edit("false"), 1);
    let other = "sed -i 's/name: gentle/name: other/'";
    stand.ends(edit(other), 4);
    own.ends(&["edit", "task/@last"], 2);
    own.ends(&["edit", "policy/none"], 3);
    let policy = own.json(&["get", "policy", "gentle"]);
    assert_eq!(policy["version"], 3, "{policy}");
}
