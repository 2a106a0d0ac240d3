//! The client for browsers, from its types to what it does when connections are lost.

use std::{path::Path, process::Command};

use kantoku_domain::access::Role;
use serde_json::{Value, json};

use super::{
    super::others::{clients, installed},
    Guarded,
};
use crate::api::pass;

/// The compiler, and a WebSocket for versions of Node that have none.
const PACKAGES: [&str; 2] = ["typescript@5.9.3", "ws@8.18.3"];

#[tokio::test(flavor = "multi_thread")]
async fn the_typed_client_fits_the_contract_and_gets_from_spawn_to_result() {
    let Some(library) = installed("typescript", &install) else { return };
    let modules = library.join("node_modules");
    let out = library.join("compiled");
    let mut compile = Command::new("node");
    compile.arg(modules.join("typescript/bin/tsc")).arg("--project");
    compile.arg(clients().join("typescript")).arg("--outDir").arg(&out);
    run(compile).await;
    // Where its package says so, Node takes these for modules.
    std::fs::write(out.join("package.json"), r#"{"type": "module"}"#).expect("written");

    let guarded = Box::pin(Guarded::start()).await;
    let node = guarded.served.stand.node("node").await;
    let executor = guarded.served.stand.executor("executor");
    guarded.result(&guarded.root, "manifest.apply", &json!({ "documents": [pass()] })).await;
    let (_, key) = guarded.key(Role::Operator, &json!({ "namespaces": ["default"] })).await;
    guarded.until_it_opens(&key).await;
    let mut round_trip = Command::new("node");
    round_trip.env("WS", modules.join("ws/wrapper.mjs"));
    round_trip.arg(out.join("tests/clients/typescript/round_trip.mjs"));
    round_trip.arg(guarded.served.url()).arg(key);
    let told: Value = serde_json::from_str(&run(round_trip).await).expect("one JSON document");
    assert_eq!(told["x"], 41);
    executor.stop().await;
    node.stop().await;
    guarded.served.stop().await;
}

fn install(into: &Path) -> Command {
    let mut command = Command::new("npm");
    command.args(["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix"]);
    command.arg(into).args(PACKAGES);
    command
}

/// What a program says that ends well.
async fn run(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said} {errors}", output.status);
    said
}
