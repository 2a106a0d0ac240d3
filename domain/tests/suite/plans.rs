//! Pipelines: what is refused and why, and what a sound one becomes.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate, Event, Source, Specification,
    manifest::Manifest,
    pipeline,
    plan::{Specifications, bind_inputs, plan, validate},
    specification::{self, Applied},
};
use serde_json::{Value, json};

use crate::scenario::{envelope, uuid_like::id};

fn specification(name: &str, inputs: &Value, outputs: &Value) -> Applied {
    let definition = json!({"inputs": inputs, "outputs": outputs, "executable": {"type": "noop"}});
    let command = specification::Command::Apply {
        name: name.parse().expect("a name"),
        source: None,
        definition: serde_json::from_value(definition).expect("a definition"),
    };
    match Specification::default().decide(&command, &envelope(1)) {
        Ok(Some(Event::SpecificationApplied(applied))) => applied,
        other => panic!("applied, not {other:?}"),
    }
}

fn known() -> Specifications {
    [
        specification("text/fetch", &json!({"url": "string"}), &json!({"page": "string"})),
        specification(
            "text/words",
            &json!({"page": "string"}),
            &json!({"words": {"array": "string"}}),
        ),
        specification(
            "text/top",
            &json!({"words": {"array": "string"}}),
            &json!({"top": "string"}),
        ),
    ]
    .into_iter()
    .map(|applied| (applied.name.clone(), applied))
    .collect()
}

fn sound() -> Value {
    json!({
        "params": {"url": "string"},
        "tasks": {
            "fetch": {"use": "text/fetch", "with": {"url": "$params.url"}},
            "words": {"use": "text/words", "with": {"page": "$fetch.page"}},
            "top": {"use": "text/top", "after": ["fetch"],
                    "with": {"words": {"from": "$words.words", "map": "words.filter(|w| w.len() > 3)"}}},
        },
        "outputs": {"top": "$top.top"},
    })
}

fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut definition = sound();
    change(&mut definition);
    let definition: pipeline::Definition = serde_json::from_value(definition).expect("readable");
    validate(&definition, &known()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_pipeline_has_no_problems() {
    assert_eq!(problems(|_| {}), [""; 0]);
}

#[test]
fn each_mistake_is_named_with_its_place_and_a_way_out() {
    let cases: [(&str, Value, &str); 8] = [
        (
            "/tasks/words/use",
            json!("text/word"),
            "spec.tasks.words.use: there is no specification \"text/word\"; did you mean \"text/words\"?",
        ),
        (
            "/tasks/words/with/page",
            json!("$fetsh.page"),
            "spec.tasks.words.with.page: there is no step \"fetsh\"; did you mean \"fetch\"?",
        ),
        (
            "/tasks/words/with/page",
            json!("$fetch.pages"),
            "spec.tasks.words.with.page: $fetch.pages: the step has no output \"pages\"; did you mean \"page\"?",
        ),
        (
            "/tasks/words/with",
            json!({}),
            "spec.tasks.words.with: input \"page\" (string) of text/words is missing",
        ),
        (
            "/tasks/words/with/pag",
            json!("x"),
            "spec.tasks.words.with.pag: text/words has no input \"pag\"; did you mean \"page\"?",
        ),
        (
            "/tasks/words/with/page",
            json!("$words.words"),
            "spec.tasks.words.with.page: $words.words is array of string, but page is string; \
          fit it with a script: page: {from: $words.words, map: \"…\"}",
        ),
        (
            "/tasks/fetch/with/url",
            json!(7),
            "spec.tasks.fetch.with.url: $: expected string, got number 7",
        ),
        (
            "/tasks/top/after",
            json!(["fech"]),
            "spec.tasks.top.after: there is no step \"fech\"; did you mean \"fetch\"?",
        ),
    ];
    for (pointer, value, expected) in cases {
        let found = problems(|definition| {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            definition.pointer_mut(parent).expect("there")[key] = value;
        });
        assert!(found.iter().any(|problem| problem == expected), "{expected}\nnot in {found:#?}");
    }
}

#[test]
fn a_cycle_is_drawn() {
    let found = problems(|definition| definition["tasks"]["fetch"]["after"] = json!(["top"]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("fetch → top → fetch") || found[0].contains("→"), "{found:?}");
}

fn planned(params: Value) -> Result<kantoku_domain::context::Opened, Vec<String>> {
    let command = pipeline::Command::Apply {
        name: "top-words".parse().expect("a name"),
        definition: serde_json::from_value(sound()).expect("readable"),
    };
    let event = kantoku_domain::Pipeline::default().decide(&command, &envelope(1));
    let Ok(Some(Event::PipelineApplied(applied))) = event else { panic!("applied") };
    let params: BTreeMap<String, Value> = serde_json::from_value(params).expect("a map");
    plan(&applied, &known(), &params, &BTreeMap::new(), id(1))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_plan_names_every_task_and_binds_every_edge() {
    let opened = planned(json!({"url": "http://localhost"})).expect("sound");
    let task = |step: &str| {
        opened.plan.iter().find(|p| p.task.step.as_deref() == Some(step)).expect("planned")
    };
    let page = task("fetch").task.outputs["page"].id;
    assert_eq!(task("words").task.inputs["page"].resource(), Some(page));
    assert_eq!(opened.outputs["top"], task("top").task.outputs["top"].id);
    assert_eq!(task("top").task.inputs["words"].names, ["words"]);
    assert_eq!(task("fetch").task.inputs["url"].source, Source::Value(json!("http://localhost")));
    assert!(task("top").task.depends_on.is_some());
    assert_eq!(planned(json!({"url": "http://localhost"})), Ok(opened), "planning is a function");
}

#[test]
fn parameters_are_checked() {
    let expected = ["params.url: parameter \"url\" (string) is missing"];
    assert_eq!(planned(json!({})).expect_err("missing"), expected);
    let expected = ["params.url: $: expected string, got number 7"];
    assert_eq!(planned(json!({"url": 7})).expect_err("wrong"), expected);
    let found = planned(json!({"url": "x", "urk": 1})).expect_err("surplus");
    assert_eq!(found, ["params.urk: the pipeline has no parameter \"urk\"; did you mean \"url\"?"]);
}

#[test]
fn manifests_are_read_or_explained() {
    let read = |document: Value| Manifest::read(&document).map_err(|problem| problem.to_string());
    let sound = json!({"apiVersion": "kantoku/v1", "kind": "Pipeline",
        "metadata": {"name": "a"}, "spec": sound()});
    assert!(matches!(read(sound.clone()), Ok(Manifest::Pipeline(..))));
    for (pointer, value, expected) in [
        ("/apiVersion", json!("v2"), "apiVersion: unknown apiVersion \"v2\"; write kantoku/v1"),
        ("/kind", json!("Pipline"), "kind: unknown kind \"Pipline\"; did you mean \"Pipeline\"?"),
        ("/metadata/name", json!(7), "metadata.name: metadata.name is missing or not a text"),
    ] {
        let mut document = sound.clone();
        *document.pointer_mut(pointer).expect("there") = value;
        assert_eq!(read(document).expect_err(pointer), expected);
    }
    let mut document = sound;
    document["spec"]["tasks"]["top"]["wiht"] = json!({});
    let problem = read(document).expect_err("a typing error");
    assert!(problem.starts_with("spec.tasks.top.wiht: unknown field"), "{problem}");
    assert!(problem.contains("did you mean \"with\"?"), "{problem}");
}

#[test]
fn the_inputs_of_a_single_task_are_bound_or_every_problem_is_named() {
    let inputs = json!({"page": "string", "limit": "number", "note": {"optional": "string"}});
    let applied = specification("text/words", &inputs, &json!({"words": "unknown"}));
    let bind = |given: Vec<(&str, Source)>| {
        bind_inputs(&applied, given.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())
    };
    let bound = bind(vec![("page", Source::Resource(id(7))), ("limit", Source::Value(json!(3)))])
        .expect("sound");
    assert_eq!(bound["page"].resource(), Some(id(7)));
    assert_eq!(bound["limit"].source, Source::Value(json!(3)));
    let template = applied.template(bound);
    assert_eq!((template.queue.as_str(), template.inputs.len()), ("default", 2));

    let problems =
        bind(vec![("limit", Source::Value(json!("3"))), ("nota", Source::Value(json!("x")))])
            .expect_err("three mistakes");
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "inputs: input \"page\" (string) of text/words is missing",
            "inputs.limit: $: expected number, got string \"3\"",
            "inputs.nota: text/words has no input \"nota\"; did you mean \"note\"?",
        ]
    );
}
