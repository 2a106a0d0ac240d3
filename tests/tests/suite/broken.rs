//! What is wrong in a manifest is found, and said where it stands: `tests/broken` holds one mistake a
//! file, and `expected.json` beside them what must be said about each.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use kantoku_domain::{Problem, manifest::Manifest, plan, specification};
use serde_json::{Value, json};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("broken")
}

fn read(name: &str) -> String {
    fs::read_to_string(dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is wrong with the manifests in `text`, as an apply would find it.
fn problems(text: &str) -> Vec<Problem> {
    let documents: Vec<Value> = match serde_saphyr::from_multiple(text) {
        Ok(documents) => documents,
        Err(error) => return vec![Problem::new::<&str>(&[], error.to_string())],
    };
    let mut known = plan::Specifications::new();
    let mut problems = Vec::new();
    for document in &documents {
        match Manifest::read(document) {
            Err(problem) => problems.push(problem),
            Ok(Manifest::Specification(name, definition)) => {
                let (digest, definition) = (String::new(), *definition);
                let applied = specification::Applied {
                    name: name.clone(),
                    version: 1,
                    digest,
                    source: None,
                    definition,
                };
                known.insert(name, applied);
            }
            Ok(Manifest::Pipeline(_, definition)) => {
                problems.extend(plan::validate(&definition, &known));
            }
            Ok(Manifest::Policy(_, definition)) => problems.extend(definition.problems(&["spec"])),
            Ok(Manifest::Type(..)) => {}
        }
    }
    problems
}

#[test]
fn each_broken_example_is_refused_with_what_was_promised() {
    let expected: Vec<Value> = serde_json::from_str(&read("expected.json")).expect("JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let listed: BTreeSet<_> = expected.iter().filter_map(|entry| text(&entry["file"])).collect();
    let files = fs::read_dir(dir()).expect("readable");
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("UTF-8"));
    assert_eq!(listed, names.filter(|name| name != "expected.json").collect());

    for entry in expected {
        let file = text(&entry["file"]).expect("a file");
        let content = read(&file);
        let problems = problems(&content);
        let [problem] = &problems[..] else { panic!("{file}: one mistake, not {problems:#?}") };
        let message = text(&entry["message"]).expect("a message");
        assert!(problem.message.contains(&message), "{file}: {problem}");
        let suggestion = problem.suggestion.as_deref();
        let promised = text(&entry["suggestion"]);
        let is_kept = promised.is_none_or(|text| suggestion.is_some_and(|s| s.starts_with(&text)));
        assert!(is_kept, "{file}: {problem}");

        let line = entry["line"].as_u64().expect("a line");
        if entry["path"].is_null() {
            assert!(problem.message.contains(&format!("line {line} ")), "{file}: {problem}");
        } else {
            assert_eq!(json!(problem.path), entry["path"], "{file}");
            let key = problem.path.last().expect("a path");
            let there = content.lines().nth(line as usize - 1).expect("a line");
            assert!(there.trim_start().starts_with(&format!("{key}:")), "{file}:{line}: {there}");
        }
    }
}
