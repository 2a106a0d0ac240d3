//! Which crate may import which: the table of docs/ARCHITECTURE.md, and the technology that lives
//! in one crate only.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Crate, what it may import of ours.
const ARROWS: [(&str, &[&str]); 9] = [
    ("kantoku-domain", &[]),
    ("kantoku-preprocessors", &["domain"]),
    ("kantoku-streams", &["domain"]),
    ("kantoku-projections", &["domain", "streams"]),
    ("kantoku-service", &["domain", "streams"]),
    ("kantoku-executor", &["domain", "streams", "service", "preprocessors"]),
    ("kantoku-handlers", &["domain", "streams", "service", "projections"]),
    ("kantoku-api", &["domain", "streams", "projections", "preprocessors"]),
    (
        "ktk",
        &[
            "domain",
            "preprocessors",
            "streams",
            "projections",
            "service",
            "executor",
            "handlers",
            "api",
        ],
    ),
];

/// Technology, the one crate that knows it.
const HOMES: [(&str, &str); 5] = [
    ("rhai", "kantoku-preprocessors"),
    ("async-nats", "kantoku-streams"),
    ("sqlx", "kantoku-projections"),
    ("jsonrpsee", "kantoku-api"),
    ("clap", "ktk"),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            // Tests may use what they like.
            let shipped = all.iter().filter(|dependency| dependency["kind"].is_null());
            (text(package), shipped.map(text).collect())
        })
        .collect()
}

#[test]
fn no_crate_imports_what_it_may_not() {
    let allowed = BTreeMap::from(ARROWS);
    for (name, dependencies) in dependencies() {
        let Some(allowed) = allowed.get(name.as_str()) else {
            assert_eq!(name, "kantoku-tests", "{name} is not in the table of arrows");
            continue;
        };
        for dependency in dependencies {
            if let Some(ours) = dependency.strip_prefix("kantoku-") {
                assert!(allowed.contains(&ours), "{name} may not import {dependency}");
            }
        }
    }
}

#[test]
fn each_technology_lives_in_one_crate() {
    let dependencies = dependencies();
    for (technology, home) in HOMES {
        for (name, of) in &dependencies {
            let uses = of.iter().any(|dependency| dependency == technology);
            assert!(!uses || name == home, "{name} uses {technology}, which lives in {home}");
        }
    }
}
