//! Policies: versions, and what is wrong with one.

use kantoku_domain::{
    Event, Policy, Reason,
    manifest::Manifest,
    policy::{Command, Definition},
};
use serde_json::{Value, json};

use crate::scenario::given;

fn read(spec: Value) -> Definition {
    serde_json::from_value(spec).expect("a policy")
}

fn apply(spec: Value) -> Command {
    Command::Apply { name: "limits".parse().expect("a name"), definition: Box::new(read(spec)) }
}

#[test]
fn a_policy_has_versions_and_can_be_taken_back() {
    let four = || apply(json!({"limits": {"a": {"specification": "x", "concurrency": 4}}}));
    let mut policy = given::<Policy>(&[]);
    policy.then_rejected(&Command::Delete, Reason::NotFound);
    policy.then_event(&four());
    assert_eq!(policy.when(&four()), Ok(None));
    let event = policy.then_event(&apply(json!({})));
    assert!(matches!(event, Event::PolicyApplied(applied) if applied.version == 2));
    policy.then_event(&Command::Delete);
    assert_eq!(policy.state.current(), None);
    assert_eq!(policy.when(&Command::Delete), Ok(None));
    let event = policy.then_event(&apply(json!({})));
    assert!(matches!(event, Event::PolicyApplied(applied) if applied.version == 3), "again");
}

#[test]
fn a_policy_is_written_as_a_manifest() {
    let document = json!({"apiVersion": "kantoku/v1", "kind": "Policy",
        "metadata": {"name": "limits", "description": "for all"},
        "spec": {"limits": {"teams": {"label": "team", "concurrency": 4}}, "ageing": {"every": "1m"}}});
    let Ok(Manifest::Policy(name, definition)) = Manifest::read(&document) else {
        panic!("a policy")
    };
    assert_eq!((name.as_str(), definition.description.as_str()), ("limits", "for all"));
    assert_eq!(definition.problems(&["spec"]), []);
    let mut wrong = document.clone();
    wrong["spec"]["limits"]["teams"]["concurency"] = json!(4);
    let problem = Manifest::read(&wrong).expect_err("a typing error").to_string();
    assert!(problem.starts_with("spec.limits.teams.concurency: unknown field"), "{problem}");
    let mut wrong = document;
    wrong["spec"]["limits"]["teams"] = json!({"key": "{team}", "concurrency": 1});
    let problem = Manifest::read(&wrong).expect_err("no such field").to_string();
    assert!(problem.contains("{labels.NAME} can be filled in"), "{problem}");
}

#[test]
fn every_problem_is_named_with_its_place_and_a_way_out() {
    for (limit, expected) in [
        (
            json!({"concurrency": 4}),
            "spec.limits.a: a limit is about one thing, not 0; write one of specification, label \
             and key",
        ),
        (
            json!({"specification": "x", "label": "team", "concurrency": 4}),
            "spec.limits.a: a limit is about one thing, not 2; write one of specification, label \
             and key",
        ),
        (
            json!({"specification": "x", "value": "a", "concurrency": 4}),
            "spec.limits.a.value: a value is the value of a label; write label, too",
        ),
        (
            json!({"specification": "x"}),
            "spec.limits.a: it limits nothing; write concurrency: 4, or rate: {count: 100, per: 1m}",
        ),
        (
            json!({"specification": "x", "concurrency": 0}),
            "spec.limits.a.concurrency: a limit is 1 to 100000, not 0; to stop them all, pause \
             them (ktk pause); to limit nothing, leave it out",
        ),
        (
            json!({"specification": "x", "rate": {"count": 5, "per": "2d"}}),
            "spec.limits.a.rate.per: 2d is not 1ms to 1d; write per: 1m",
        ),
    ] {
        let problems = read(json!({"limits": {"a": limit}})).problems(&["spec"]);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [expected]);
    }
    let problems = read(json!({"ageing": {"every": "1ms"}})).problems(&["spec"]);
    assert_eq!(
        problems[0].to_string(),
        "spec.ageing.every: priority grows at most every second; write every: 1m"
    );
}
