//! What steps of a pipeline wait for: `after`, `when`, `depends_on`.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate, Dependency, Event, Id, Pipeline, Specification, TriggerRule, context,
    manifest::Manifest,
    pipeline,
    plan::{Specifications, plan, validate},
    specification,
    task::{Planned, Spawned},
};
use serde_json::{Value, json};

use crate::scenario::{envelope, uuid_like::id};

fn known() -> Specifications {
    let definitions = [
        ("load", json!({"outputs": {"rows": {"array": "string"}}})),
        ("report", json!({"inputs": {"rows": {"array": "string"}}, "outputs": {"text": "string"}})),
        ("tidy", json!({"inputs": {"rows": {"optional": {"array": "string"}}}})),
    ];
    let applied = definitions.map(|(name, mut definition)| {
        definition["executable"] = json!({"type": "noop"});
        let command = specification::Command::Apply {
            name: name.parse().expect("a name"),
            source: None,
            definition: serde_json::from_value(definition).expect("a definition"),
        };
        match Specification::default().decide(&command, &envelope(1)) {
            Ok(Some(Event::SpecificationApplied(applied))) => (applied.name.clone(), applied),
            other => panic!("applied, not {other:?}"),
        }
    });
    applied.into()
}

/// Loads a and b, and a step `last`.
fn pipeline(last: &Value) -> pipeline::Definition {
    let definition = json!({"tasks": {"a": {"use": "load"}, "b": {"use": "load"}, "last": last}});
    serde_json::from_value(definition).expect("readable")
}

fn problems(last: &Value) -> Vec<String> {
    validate(&pipeline(last), &known()).iter().map(ToString::to_string).collect()
}

fn planned(last: &Value) -> context::Opened {
    let command = pipeline::Command::Apply {
        name: "p".parse().expect("a name"),
        definition: Box::new(pipeline(last)),
    };
    let event = Pipeline::default().decide(&command, &envelope(1));
    let Ok(Some(Event::PipelineApplied(applied))) = event else { panic!("applied") };
    plan(&applied, &known(), &BTreeMap::new(), &BTreeMap::new(), id(1)).expect("sound")
}

fn step<'a>(opened: &'a context::Opened, step: &str) -> &'a Planned {
    opened.plan.iter().find(|it| it.task.step.as_deref() == Some(step)).expect("planned")
}

fn last(written: &Value) -> (Spawned, impl Fn(&str) -> Id + use<>) {
    let opened = planned(written);
    let spawned = step(&opened, "last").task.clone();
    (spawned, move |name: &str| step(&opened, name).id)
}

#[test]
fn steps_are_named_and_tasks_are_meant() {
    let (spawned, task) = last(&json!({
        "use": "tidy", "after": ["a"],
        "depends_on": {"any": [
            {"failed": "b"}, {"resource": "$b.rows"}, {"task": id(9)}, {"approval": "go"},
        ]},
    }));
    let rows = task("b").derive("rows", id(1).partition());
    let Some(Dependency::All(parts)) = spawned.depends_on else { panic!("all") };
    assert_eq!(parts[0], Dependency::Task(task("a")));
    let Dependency::Any(any) = &parts[1] else { panic!("any") };
    assert_eq!(
        any[..3],
        [Dependency::Failed(task("b")), Dependency::Resource(rows), Dependency::Task(id(9)),]
    );
    assert_eq!(spawned.when, None);
}

#[test]
fn a_rule_is_about_the_steps_before_and_what_they_hand_over() {
    let (spawned, task) = last(&json!({
        "use": "tidy", "after": ["b"], "when": "all_done", "with": {"rows": "$a.rows"},
        "depends_on": {"approval": "go"},
    }));
    let trigger = spawned.when.expect("a rule");
    assert_eq!(trigger.rule, TriggerRule::AllDone);
    let upstream: Vec<_> = trigger.upstream.iter().map(|it| (it.task, it.inputs.len())).collect();
    assert_eq!(upstream, [(task("a"), 1), (task("b"), 0)]);
    assert!(matches!(spawned.depends_on, Some(Dependency::Approval(_))), "after is in the rule");
}

#[test]
fn what_is_written_today_is_stored_as_before() {
    let (spawned, task) = last(&json!({"use": "tidy", "after": ["a", "b"]}));
    assert_eq!(
        serde_json::to_value(&spawned.depends_on).expect("JSON"),
        json!({"all": [{"task": task("a")}, {"task": task("b")}]})
    );
    let stored = serde_json::to_value(&spawned).expect("JSON");
    assert!(stored.get("when").is_none() && stored.get("restart_root").is_none());
    let written = serde_json::to_value(pipeline(&json!({"use": "tidy"}))).expect("JSON");
    assert_eq!(written["tasks"]["last"], json!({"use": "tidy", "priority": 0}));
}

#[test]
fn each_mistake_is_named_with_its_place_and_a_way_out() {
    for (written, expected) in [
        (
            json!({"use": "tidy", "depends_on": {"all": [{"task": "c"}]}}),
            "spec.tasks.last.depends_on.all.0.task: there is no step \"c\"; did you mean \"a\"?",
        ),
        (
            json!({"use": "tidy", "depends_on": {"resource": "$b.row"}}),
            "spec.tasks.last.depends_on.resource: $b.row: the step has no output \"row\"; \
             did you mean \"rows\"?",
        ),
        (
            json!({"use": "tidy", "depends_on": {"resource": "rows"}}),
            "spec.tasks.last.depends_on.resource: \"rows\" is no resource: write $step.output, \
             or an id",
        ),
        (
            json!({"use": "tidy", "depends_on": {"resource": "$params.x"}}),
            "spec.tasks.last.depends_on.resource: a parameter is there from the start: there is \
             nothing to wait for",
        ),
        (
            json!({"use": "tidy", "depends_on": {"within": {"time": "1h", "of": {"any": []}}}}),
            "spec.tasks.last.depends_on.within.of.any: any of nothing never holds",
        ),
        (
            json!({"use": "tidy", "when": "all_done"}),
            "spec.tasks.last.when: when: all_done is about the steps before, and there are none; \
             name some in after, or read their outputs",
        ),
        (
            json!({"use": "report", "when": "all_done", "with": {"rows": "$a.rows"}}),
            "spec.tasks.last.with.rows: when: all_done runs the step even if $a.rows does not \
             arrive, but rows is array of string; make the input optional in report, or turn null \
             into a value with a script: rows: {from: $a.rows, map: \"…\"}",
        ),
    ] {
        assert_eq!(problems(&written), [expected], "{written}");
    }
    let with_script = json!({"from": "$a.rows", "map": "if value == () { [] } else { value }"});
    let sound = json!({"use": "report", "when": "any_ok", "with": {"rows": with_script}});
    assert_eq!(problems(&sound), [""; 0], "a script makes a value of null");
}

#[test]
fn a_dependency_can_close_a_circle() {
    let definition = json!({"tasks": {
        "a": {"use": "load", "depends_on": {"not": {"failed": "b"}}},
        "b": {"use": "load", "after": ["a"]},
    }});
    let definition = serde_json::from_value(definition).expect("readable");
    let found: Vec<_> = validate(&definition, &known()).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["spec.tasks.b: the steps wait for each other: b → a → b"]);
}

#[test]
fn a_long_chain_is_checked_in_no_time() {
    let step = |n: usize| {
        let after = n.checked_sub(1).map(|before| format!("s{before}"));
        (format!("s{n}"), json!({"use": "load", "after": Vec::from_iter(after)}))
    };
    let tasks: serde_json::Map<_, _> = (0..20_000).map(step).collect();
    let definition = serde_json::from_value(json!({"tasks": tasks})).expect("readable");
    assert_eq!(validate(&definition, &known()), []);
}

#[test]
fn a_word_that_is_no_rule_is_found_where_it_stands() {
    let document = |last: Value| {
        json!({
            "apiVersion": "kantoku/v1", "kind": "Pipeline", "metadata": {"name": "p"},
            "spec": {"tasks": {"a": {"use": "load"}, "last": last}},
        })
    };
    let read = |last| Manifest::read(&document(last)).expect_err("wrong").to_string();
    let problem = read(json!({"use": "tidy", "after": ["a"], "when": "all_don"}));
    assert!(problem.starts_with("spec.tasks.last.when: unknown variant"), "{problem}");
    assert!(problem.ends_with("did you mean \"all_done\"?"), "{problem}");
    let problem = read(json!({"use": "tidy", "depends_on": {"all": [{"tsk": "a"}]}}));
    assert!(problem.starts_with("spec.tasks.last.depends_on.all.0.tsk: unknown"), "{problem}");
    assert!(problem.ends_with("did you mean \"task\"?"), "{problem}");
}
