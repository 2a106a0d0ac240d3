//! Clients of other people, in other languages, which know the protocol and nothing of Kantoku.
//!
//! They are installed from the registries of their languages, once, beside what is built. Where that
//! cannot be done the test says so and skips them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use kantoku_api::contract::{TaskCount, TaskGet};
use serde_json::{Value, json};

use super::{Served, apply, call, pass};

const PYTHON_CLIENT: &str = "jsonrpcclient==4.0.3";
const NODE_CLIENT: &str = "json-rpc-2.0@1.8.1";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_python_gets_from_spawn_to_result() {
    let Some(library) = installed("python", &python_install) else { return };
    let mut client = Command::new("python3");
    client.env("PYTHONPATH", library).env("PYTHONDONTWRITEBYTECODE", "1");
    client.arg(clients().join("round_trip.py"));
    round_trip(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_javascript_gets_from_spawn_to_result() {
    let Some(library) = installed("node", &node_install) else { return };
    let mut client = Command::new("node");
    client.env("NODE_MODULES", library.join("node_modules"));
    client.arg(clients().join("round_trip.mjs"));
    round_trip(client).await;
}

/// Has a client spawn a task and wait for it, and one more by a notification.
async fn round_trip(mut other: Command) {
    let served = Served::start().await;
    let node = served.stand.node("node").await;
    let executor = served.stand.executor("executor");
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    other.arg(served.url());
    let output = tokio::task::spawn_blocking(move || other.output()).await.expect("no panic");
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(told["x"], 41);
    let min_seq = served.stand.bus.head().await.expect("answered");
    let task = json!({ "id": told["task_id"], "min_seq": min_seq });
    call::<TaskGet>(&client, task).await.expect("it is there");
    let count = call::<TaskCount>(&client, json!({ "min_seq": min_seq })).await.expect("counted");
    assert_eq!(count.total, 2, "with the one that was spawned by a notification");
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

pub(super) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn python_install(into: &Path) -> Command {
    let mut command = pip_install(into, PYTHON_CLIENT);
    command.arg("--no-deps");
    command
}

/// Installs a package of Python with what it needs.
pub(super) fn pip_install(into: &Path, package: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    command.arg(into).arg(package);
    command
}

fn node_install(into: &Path) -> Command {
    let mut command = Command::new("npm");
    command.args(["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix"]);
    command.arg(into).arg(NODE_CLIENT);
    command
}

/// Where something is installed, which is done once. `None`: it cannot be.
pub(super) fn installed(name: &str, install: &dyn Fn(&Path) -> Command) -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test runs");
    let target = test.ancestors().nth(3).expect("target directory");
    let dir = target.join("clients").join(name);
    let marker = dir.join("installed");
    if marker.exists() {
        return Some(dir);
    }
    std::fs::create_dir_all(&dir).expect("a directory");
    let done = install(&dir).output();
    let why = match done {
        Ok(output) if output.status.success() => {
            std::fs::write(marker, "").expect("written");
            return Some(dir);
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("SKIPPED: what tests in {name} need cannot be installed here: {why}");
    None
}
