//! What the API says of itself, judged by validators of other people.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::{
        others::{clients, installed, pip_install},
        raw::post,
    },
    Rest,
};

/// With `jsonschema`, which it needs.
const VALIDATOR: &str = "openapi-spec-validator==0.9.0";

/// Has documents validated: a kind of check, and what it needs. Says so where it cannot be done.
pub(super) async fn validate(what: &'static str, documents: Vec<Value>) {
    let checked = tokio::task::spawn_blocking(move || {
        let install = |into: &std::path::Path| pip_install(into, VALIDATOR);
        let library = installed("validators", &install)?;
        let paths: Vec<PathBuf> = documents.iter().map(written).collect();
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", library).env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(clients().join("validate.py")).arg(what).args(&paths);
        let output = command.output().expect("it runs");
        for path in paths {
            std::fs::remove_file(path).expect("it was there");
        }
        Some(output)
    });
    if let Some(output) = checked.await.expect("no panic") {
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn written(document: &Value) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ktk-{}.json", Uuid::new_v4()));
    std::fs::write(&path, document.to_string()).expect("written");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_what_they_say_they_are() {
    let rest = Rest::start().await;
    let openapi = rest.get("/openapi.json").await;
    assert_eq!(openapi.header("Content-Type"), Some("application/json"));
    validate("openapi", vec![openapi.json()]).await;
    let openrpc = rest.get("/openrpc.json").await.json();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "rpc.discover" });
    let discovered = post(rest.served.address, &request.to_string()).await.json();
    assert_eq!(discovered["result"], openrpc);
    let meta = std::fs::read_to_string(clients().join("openrpc/meta-schema.json")).expect("there");
    let meta = serde_json::from_str(&meta).expect("JSON");
    validate("openrpc", vec![openrpc, meta]).await;
    rest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_people_runs_nothing_and_loads_nothing_from_elsewhere() {
    let rest = Rest::start().await;
    let page = rest.get("/docs").await;
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let policy = page.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    for told in ["POST /v1/tasks", "task.subscribe", "1009", "TaskDocument"] {
        assert!(page.body.contains(told), "{told}");
    }
    let style = rest.get("/docs/style.css").await;
    assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css")));
    rest.stop().await;
}
