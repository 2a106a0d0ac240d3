//! The commands that show, follow and check, on a real stand: one for the file, in which every test
//! uses names of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod approve;
mod bulk;
mod cancel;
mod change;
mod events;
mod examples;
mod exit_codes;
mod help;
mod import;
mod logs;
mod pause;
mod policy;
mod restart;
mod roundtrip;
mod scripts;
mod select;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../cli/stand.rs"]
mod stand;
mod transcript;
mod transcripts;
mod tree;
mod upkeep;
mod verify;

use std::{
    path::{Path, PathBuf},
    process::Output,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

use crate::stand::{Invocation, Stand};

/// A stand as the user of one namespace sees it.
struct Own<'a> {
    stand: &'a Stand,
    namespace: &'static str,
}

impl Own<'_> {
    fn ktk(&self, args: &[&str]) -> Invocation {
        self.stand.ktk(args).args(&["-n", self.namespace])
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        self.stand.ok(self.ktk(args))
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        self.stand.ok_json(self.ktk(args).args(&["-o", "json"]))
    }

    #[track_caller]
    fn ends(&self, args: &[&str], code: i32) -> Output {
        self.stand.ends(self.ktk(args), code)
    }

    #[track_caller]
    fn apply(&self, manifest: &str) -> String {
        let args = ["apply", "-n", self.namespace, "-f", "-"];
        self.stand.ok(self.stand.input(&args, manifest))
    }

    /// Applies a file of `examples/semantics`.
    #[track_caller]
    fn example(&self, file: &str) -> String {
        self.ok(&["apply", "-f", example(file).to_str().unwrap()])
    }

    /// The status of each step of a context, those that were restarted left out, by name.
    #[track_caller]
    fn steps(&self, context: &str) -> Vec<(String, String)> {
        let tree = self.json(&["tree", context]);
        let current = tree["tasks"].as_array().unwrap().iter();
        let current = current.filter(|task| task.get("restarted_as").is_none());
        let mut steps: Vec<_> = current
            .map(|task| {
                let status = task["sub_status"].as_str().or(task["status"].as_str()).unwrap();
                (task["step"].as_str().unwrap().to_owned(), status.to_owned())
            })
            .collect();
        steps.sort();
        steps
    }
}

/// Where an example lies.
fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/semantics").join(file)
}

/// A pipeline whose second step fails, in a namespace of its own. The context.
fn failed_context(stand: &Stand, namespace: &str) -> String {
    let manifest = "
apiVersion: kantoku/v1
kind: Specification
metadata: {name: talk}
spec:
  outputs: {word: string}
  executable:
    type: process
    command: [sh, -c, 'cat >/dev/null; echo one >&2; echo two >&2; echo {\\\"word\\\": 1} | sed s/1/\\\"x\\\"/']
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: fail}
spec:
  inputs: {word: string}
  outputs: {word: string}
  executable:
    type: process
    command: [sh, -c, 'cat >/dev/null; echo attempt $KANTOKU_ATTEMPT >&2; echo the last straw >&2; exit 3']
  retry: {attempts: 2, backoff: 10ms}
---
apiVersion: kantoku/v1
kind: Specification
metadata: {name: rest}
spec:
  inputs: {word: string}
  executable: {type: noop}
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {name: sad}
spec:
  tasks:
    first: {use: talk}
    second: {use: fail, with: {word: $first.word}}
    third: {use: rest, with: {word: $second.word}}
";
    stand.ok(stand.input(&["apply", "-n", namespace, "-f", "-"], manifest));
    let run = ["run", "sad", "-n", namespace, "--wait", "-o", "json"];
    let output = stand.ends(stand.ktk(&run), 5);
    let ended: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ended["status"], "failed", "{ended}");
    ended["context_id"].as_str().unwrap().to_owned()
}

/// The id of the task of a step.
fn task(stand: &Stand, namespace: &str, context: &str, step: &str) -> String {
    let tree = stand.ok_json(stand.ktk(&["tree", context, "-n", namespace, "-o", "json"]));
    let tasks = tree["tasks"].as_array().unwrap();
    let task = tasks.iter().find(|task| task["step"] == step).unwrap();
    task["id"].as_str().unwrap().to_owned()
}

/// A file that tasks wait for.
struct Gate(PathBuf);

impl Gate {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("ktk-gate-{}-{count}", std::process::id())))
    }

    fn open(&self) {
        std::fs::write(&self.0, "").unwrap();
    }

    /// A pipeline whose first step waits for the gate, and whose second fails.
    fn pipeline(&self) -> String {
        format!(
            "
apiVersion: kantoku/v1
kind: Specification
metadata: {{name: gated}}
spec:
  executable:
    type: process
    command: [sh, -c, 'echo before >&2; until test -e {}; do sleep 0.05; done; echo after >&2; echo {{}}']
---
apiVersion: kantoku/v1
kind: Specification
metadata: {{name: broken}}
spec:
  executable: {{type: process, command: [sh, -c, 'exit 3']}}
---
apiVersion: kantoku/v1
kind: Pipeline
metadata: {{name: gated}}
spec:
  tasks:
    first: {{use: gated}}
    second: {{use: broken, after: [first]}}
",
            self.0.display()
        )
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}
