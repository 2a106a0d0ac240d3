use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use kantoku_domain::{
    Executable, Reference, digest,
    manifest::Manifest,
    pipeline,
    plan::{self, Specifications},
    specification,
};
use serde_json::{Value, json};

use super::*;

/// The manifests, read as an apply would read them.
struct Read {
    pipeline: pipeline::Definition,
    specifications: Specifications,
}

impl Read {
    /// Reads what was converted, and proves that the pipeline is sound.
    fn of(converted: &Converted) -> Self {
        let (last, first) = converted.documents.split_last().expect("documents");
        let mut specifications = Specifications::new();
        for document in first {
            let Ok(Manifest::Specification(name, definition)) = Manifest::read(document) else {
                panic!("no specification: {document}");
            };
            let definition = *definition;
            let digest = digest(&definition);
            let applied = specification::Applied {
                name: name.clone(),
                version: 1,
                digest,
                source: None,
                definition,
            };
            assert!(
                specifications.insert(name, applied).is_none(),
                "specifications do not collide"
            );
        }
        let Ok(Manifest::Pipeline(name, pipeline)) = Manifest::read(last) else {
            panic!("no pipeline: {last}");
        };
        assert_eq!(name, converted.pipeline);
        assert_eq!(plan::validate(&pipeline, &specifications), []);
        assert_eq!(pipeline.tasks.len(), converted.tasks);
        Self { pipeline: *pipeline, specifications }
    }

    /// Who waits for whom: (before, after).
    fn edges(&self) -> BTreeSet<(String, String)> {
        let mut edges = BTreeSet::new();
        for (name, step) in &self.pipeline.tasks {
            let reads = step.with.values().filter_map(Value::as_str).map(|text| {
                let reference = Reference::parse(text).expect("a reference");
                reference.owner
            });
            edges.extend(reads.chain(step.after.clone()).map(|before| (before, name.clone())));
        }
        edges
    }

    fn sleep_ms(&self, step: &str) -> u64 {
        let name = &self.pipeline.tasks[step].specification;
        match &self.specifications[name].definition.executable {
            Executable::Sleep { duration, .. } => duration.0,
            other => panic!("no sleep: {other:?}"),
        }
    }
}

fn converted(recording: &Value) -> (Converted, Read) {
    let converted = convert(&recording.to_string(), &Options::default()).expect("sound");
    let read = Read::of(&converted);
    (converted, read)
}

fn edges(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[track_caller]
fn refused(recording: &Value, path: &str, message: &str) {
    let problems = convert(&recording.to_string(), &Options::default()).expect_err("refused");
    let found = problems.iter().any(|problem| {
        problem.path.join(".") == path
            && problem.message.contains(message)
            && problem.suggestion.is_some()
    });
    assert!(found, "{problems:#?}");
}

fn split(tasks: &Value) -> Value {
    json!({"name": "w", "schemaVersion": "1.5", "workflow": {"specification": {"tasks": tasks}}})
}

fn flat(tasks: &Value) -> Value {
    json!({"name": "w", "schemaVersion": "1.4", "workflow": {"tasks": tasks}})
}

#[test]
fn recordings_of_real_workflows_become_sound_pipelines_with_their_edges() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/wfcommons");
    let Ok(files) = fs::read_dir(&dir) else {
        eprintln!("SKIPPED: there are no recordings in {}", dir.display());
        return;
    };
    let files = files.map(|file| file.expect("readable").path());
    let files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    assert!(files.len() >= 3, "{files:?}");
    for path in files {
        let json = fs::read_to_string(&path).expect("readable");
        let converted = convert(&json, &Options::default()).expect("sound");
        let read = Read::of(&converted);
        let recording: Value = serde_json::from_str(&json).expect("JSON");
        let tasks = recording["workflow"]["specification"]["tasks"].as_array().expect("tasks");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let recorded = tasks.iter().flat_map(|task| {
            let parents = task["parents"].as_array().expect("parents");
            parents.iter().map(|parent| (text(parent), text(&task["id"])))
        });
        assert_eq!(read.edges(), recorded.collect(), "{}", path.display());
        let ids: BTreeSet<_> = tasks.iter().map(|task| text(&task["id"])).collect();
        assert!(ids.iter().eq(read.pipeline.tasks.keys()), "{}", path.display());
        for executed in recording["workflow"]["execution"]["tasks"].as_array().expect("tasks") {
            let seconds = executed["runtimeInSeconds"].as_f64().expect("a number");
            let slept = read.sleep_ms(&text(&executed["id"])) as f64;
            assert!((slept - seconds).abs() <= 0.5, "{executed}: slept {slept} ms");
        }
        let files = |key: &str| -> usize {
            tasks.iter().map(|task| task[key].as_array().map_or(0, Vec::len)).sum()
        };
        let definitions = || read.specifications.values().map(|applied| &applied.definition);
        let inputs: usize = definitions().map(|definition| definition.inputs.len()).sum();
        let outputs: usize = definitions().map(|definition| definition.outputs.len()).sum();
        assert_eq!((inputs, outputs), (files("inputFiles"), files("outputFiles")));
    }
}

#[test]
fn since_1_5_parents_are_ids_and_what_was_measured_lies_apart() {
    for version in ["1.5", "1.6"] {
        let (converted, read) = converted(&json!({
            "name": "my work flow!", "description": "A flow", "schemaVersion": version,
            "workflow": {
                "specification": {
                    "tasks": [
                        {"name": "make", "id": "make_1", "parents": [], "children": ["use_2", "late_3"],
                         "inputFiles": ["raw.txt"], "outputFiles": ["a.b/made.txt", "log"]},
                        {"name": "use", "id": "use_2", "parents": ["make_1"], "children": [],
                         "inputFiles": ["a.b/made.txt", "raw.txt"], "outputFiles": ["end"]},
                        {"name": "late", "id": "late_3", "parents": [], "children": []},
                    ],
                    "files": [{"id": "raw.txt", "sizeInBytes": 7}, {"id": "end", "sizeInBytes": 9_007_199_254_740_993_u64}],
                },
                "execution": {"makespanInSeconds": 3, "executedAt": "", "tasks": [
                    {"id": "make_1", "runtimeInSeconds": 1.5, "command": {"program": "mk", "arguments": ["-x"]}},
                    {"id": "use_2", "runtimeInSeconds": 20},
                ]},
            },
        }));
        assert_eq!((converted.pipeline.as_str(), converted.tasks), ("my-work-flow", 3));
        assert_eq!(read.edges(), edges(&[("make_1", "use_2"), ("make_1", "late_3")]));
        let steps = &read.pipeline.tasks;
        assert_eq!(
            steps["make_1"].with["raw.txt"],
            json!({"value": {"path": "raw.txt", "size": 7}})
        );
        assert_eq!(steps["make_1"].labels["program"], "mk");
        assert_eq!(steps["use_2"].with["a.b/made.txt"], r#"$make_1["a.b/made.txt"]"#);
        assert_eq!(steps["late_3"].after, ["make_1"]);
        let slept = ["make_1", "use_2", "late_3"].map(|step| read.sleep_ms(step));
        assert_eq!(slept, [2, 20, 0]);
        let outputs = BTreeMap::from([("end", "$use_2.end"), ("log", "$make_1.log")]);
        assert!(read.pipeline.outputs.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(outputs));
        let name = &steps["use_2"].specification;
        assert_eq!(name.as_str(), "wf/my-work-flow/use_2");
        let Executable::Sleep { outputs, .. } = &read.specifications[name].definition.executable
        else {
            panic!("a sleep");
        };
        assert_eq!(outputs["end"], json!({"path": "end", "size": 9_007_199_254_740_993_u64}));
    }
}

#[test]
fn in_1_4_parents_are_names_and_files_lie_in_their_tasks() {
    let (_, read) = converted(&flat(&json!([
        {"name": "split_ID01", "id": "ID01", "category": "split", "type": "compute", "parents": [],
         "runtimeInSeconds": 1234.0, "files": [
            {"link": "input", "name": "x", "sizeInBytes": 1},
            {"link": "output", "name": "x", "path": "/here/", "sizeInBytes": 2}]},
        {"name": "join_ID02", "id": "ID02", "type": "compute", "parents": ["split_ID01"],
         "children": ["end"], "files": [{"link": "input", "name": "x", "path": "/here/", "sizeInBytes": 2}]},
        {"name": "end", "type": "auxiliary", "files": null},
    ])));
    assert!(read.pipeline.tasks.keys().eq(["ID01", "ID02", "end"]));
    assert_eq!(read.edges(), edges(&[("ID01", "ID02"), ("ID02", "end")]));
    assert_eq!(read.pipeline.tasks["ID02"].with["/here/x"], r"$ID01./here/x");
    assert_eq!(read.pipeline.tasks["ID01"].with["x"], json!({"value": {"path": "x", "size": 1}}));
    assert_eq!(read.pipeline.tasks["ID01"].labels["program"], "split");
    assert_eq!(read.sleep_ms("ID01"), 1234);
}

#[test]
fn odd_names_are_kept_for_people_and_fitted_for_specifications() {
    let long = format!("NF:CORE({})", "x".repeat(300));
    let (_, read) = converted(&split(&json!([
        {"id": "a:b/c#1", "outputFiles": ["#task/7/\"v\" 1.yml", "from", "$x"]},
        {"id": "a:b/c#2", "inputFiles": ["#task/7/\"v\" 1.yml", "from", "$x"]},
        {"id": "a-b-c-1"}, {"id": "…"}, {"id": long.clone()}, {"id": format!("{long}y")},
    ])));
    assert!(read.pipeline.tasks.contains_key(&long));
    assert_eq!(read.edges(), edges(&[("a:b/c#1", "a:b/c#2")]));
    let step = &read.pipeline.tasks["a:b/c#2"];
    assert_eq!(step.with["#task/7/\"v\" 1.yml"], r##"$["a:b/c#1"]["#task/7/\"v\" 1.yml"]"##);
}

#[test]
fn a_file_that_several_write_comes_from_the_parent_that_is_last() {
    let (_, read) = converted(&split(&json!([
        {"id": "third", "parents": ["first", "second"], "inputFiles": ["f"]},
        {"id": "second", "parents": ["first"], "inputFiles": ["f"], "outputFiles": ["f"]},
        {"id": "first", "outputFiles": ["f"]},
        {"id": "other", "outputFiles": ["f"]},
    ])));
    assert_eq!(read.pipeline.tasks["second"].with["f"], "$first.f");
    assert_eq!(read.pipeline.tasks["third"].with["f"], "$second.f");
    assert_eq!(read.pipeline.tasks["third"].after, ["first"]);
    refused(
        &split(&json!([
            {"id": "a", "outputFiles": ["f"]}, {"id": "b", "outputFiles": ["f"]},
            {"id": "c", "inputFiles": ["f"]},
        ])),
        "workflow.specification.tasks.2.parents",
        "\"f\" is written by 2 tasks (\"a\", \"b\", …), none of them a parent",
    );
}

#[test]
fn what_is_wrong_is_located() {
    let tasks = |tasks: Value| split(&tasks);
    refused(&json!({"schemaVersion": "1.3"}), "schemaVersion", "\"1.3\"");
    refused(&json!({"tasks": []}), "schemaVersion", "no version");
    refused(&json!({"schemaVersion": "1.5", "workflow": {}}), "", "missing field `specification`");
    refused(&tasks(json!([])), "workflow.specification.tasks", "not 0");
    refused(
        &tasks(json!([{"id": "a"}, {"id": "a"}])),
        "workflow.specification.tasks.1.id",
        "belongs to task 0 already",
    );
    refused(
        &tasks(json!([{"id": "a"}, {"id": "b", "parents": ["a", "gone"]}])),
        "workflow.specification.tasks.1.parents.1",
        "no single task \"gone\"",
    );
    refused(
        &flat(&json!([{"name": "a", "children": ["gone"]}])),
        "workflow.tasks.0.children.0",
        "no single task \"gone\"",
    );
    refused(
        &tasks(json!([{"id": "a", "parents": ["c"]}, {"id": "b", "parents": ["a"]},
                      {"id": "c", "parents": ["b"]}, {"id": "d", "parents": ["a"]}])),
        "workflow.specification.tasks.0.parents",
        "a → b → c → a",
    );
    refused(
        &tasks(json!([{"id": "a", "parents": ["b"], "outputFiles": ["f"]},
                      {"id": "b", "inputFiles": ["f"]}])),
        "workflow.specification.tasks.0.parents",
        "a → b → a",
    );
    refused(&tasks(json!([{"id": "params"}])), "workflow.specification.tasks.0.id", "params");
    refused(&tasks(json!([{"id": "a\u{0}"}])), "workflow.specification.tasks.0.id", "shown");
    refused(
        &flat(&json!([{"name": "a", "runtimeInSeconds": -1}])),
        "workflow.tasks.0.runtimeInSeconds",
        "negative",
    );
    let endless = Options { time_scale: f64::NAN, ..Options::default() };
    assert_eq!(convert("{}", &endless).expect_err("refused")[0].path, ["time_scale"]);
    let many: Vec<_> = (0..500).map(|n| json!({"id": format!("{n}"), "parents": ["x"]})).collect();
    let problems = convert(&tasks(json!(many)).to_string(), &Options::default());
    assert_eq!(problems.expect_err("refused").len(), 100);
}

#[test]
fn an_own_name_and_a_scale_are_honoured() {
    let recording = split(&json!([{"id": "a"}]));
    let options = Options { name: Some("my/flow".parse().expect("a name")), time_scale: 2.0 };
    let converted = convert(&recording.to_string(), &options).expect("sound");
    assert_eq!(converted.pipeline.as_str(), "my/flow");
    assert_eq!(converted.documents[0]["metadata"]["name"], "wf/my/flow/a");
}
