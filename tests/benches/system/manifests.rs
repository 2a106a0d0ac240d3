//! What the workloads run.

use kantoku_api::{
    Client,
    contract::{ManifestApply, ManifestParams},
};
use serde_json::{Map, Value, json};

/// Gives back what it reads.
pub(crate) const PASS: &str = "bench/pass";
const SCRIPT: &str = "bench/script";
const PROCESS: &str = "bench/process";

pub(crate) const CHAIN: &str = "bench-chain";
pub(crate) const FAN: &str = "bench-fan";
pub(crate) const SCRIPTS: &str = "bench-scripts";
pub(crate) const PROCESSES: &str = "bench-processes";

pub(crate) const CHAIN_LENGTH: usize = 100;
pub(crate) const FAN_WIDTH: usize = 1_000;
pub(crate) const LIGHT_LENGTH: usize = 40;

const FIB: &str = "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } \
                   #{outputs: #{x: fib(10)}}";
/// The cheapest program there is which reads its inputs and writes its outputs.
const SHELL: &str = r#"read -r inputs; echo '{"outputs": {"x": 55}}'"#;

/// Applies all of it.
pub(crate) async fn apply(client: &Client) {
    let documents = vec![
        specification(PASS, &json!({"type": "noop"})),
        specification(SCRIPT, &json!({"type": "rhai", "script": FIB})),
        specification(PROCESS, &json!({"type": "process", "command": ["/bin/sh", "-c", SHELL]})),
        pipeline(CHAIN, &row(PASS, CHAIN_LENGTH)),
        pipeline(FAN, &fan()),
        pipeline(SCRIPTS, &row(SCRIPT, LIGHT_LENGTH)),
        pipeline(PROCESSES, &row(PROCESS, LIGHT_LENGTH)),
    ];
    let params = ManifestParams { documents, ..ManifestParams::default() };
    client.call::<ManifestApply>(&params).await.expect("applied");
}

/// Each step reads what the one before it gives.
fn row(specification: &str, length: usize) -> Map<String, Value> {
    let step = |n: usize| {
        let x = n.checked_sub(1).map_or(json!(1), |before| json!(format!("$s{before}.x")));
        (format!("s{n}"), json!({"use": specification, "with": {"x": x}}))
    };
    (0..length).map(step).collect()
}

/// 1 → 1,000 → 1.
fn fan() -> Map<String, Value> {
    let names: Vec<String> = (0..FAN_WIDTH).map(|n| format!("s{n}")).collect();
    let mut steps: Map<String, Value> = names
        .iter()
        .map(|name| (name.clone(), json!({"use": PASS, "with": {"x": "$first.x"}})))
        .collect();
    steps.insert("first".into(), json!({"use": PASS, "with": {"x": 1}}));
    steps.insert("last".into(), json!({"use": PASS, "after": names}));
    steps
}

fn specification(name: &str, executable: &Value) -> Value {
    let spec = json!({
        "inputs": {"x": {"optional": "unknown"}}, "outputs": {"x": "unknown"},
        "executable": executable,
    });
    document("Specification", name, &spec)
}

fn pipeline(name: &str, tasks: &Map<String, Value>) -> Value {
    document("Pipeline", name, &json!({"tasks": tasks}))
}

fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "kantoku/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}
