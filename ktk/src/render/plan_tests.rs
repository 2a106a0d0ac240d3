//! Plans as they must look.

use kantoku_domain::restart::{OutputPolicy, Target, VersionPolicy};
use serde_json::json;

use super::*;
use crate::render::testing::id;

fn entry(n: usize, step: &str, action: Action, reason: &str) -> Entry {
    serde_json::from_value(json!({
        "task_id": id(n),
        "step": step,
        "action": action,
        "reason": reason,
        "position": 100 + n,
    }))
    .unwrap()
}

fn plan(entries: Vec<Entry>) -> Plan {
    Plan {
        context_id: id(0),
        target: Target::Failed,
        outputs: OutputPolicy::Reuse,
        version: VersionPolicy::Latest,
        entries,
        results: [].into(),
        reopens: false,
    }
}

fn nightly() -> Plan {
    let mut convert = entry(2, "convert", Action::Rerun, "it failed");
    convert.specification =
        serde_json::from_value(json!({"name": "nightly/convert", "version": 2, "digest": ""}))
            .unwrap();
    plan(vec![
        entry(1, "orders", Action::Keep, "it finished ok"),
        convert,
        entry(3, "totals", Action::Revive, "it was skipped because of step \"convert\""),
    ])
}

fn text(plan: &Plan, full: bool, successors: &HashMap<Id, Id>) -> String {
    let specifications =
        [1, 2, 3].map(|n| (id(n), "nightly/step".to_owned())).into_iter().collect();
    let view = PlanView {
        full,
        paint: Paint::OFF,
        specifications: &specifications,
        successors,
        superseded: &[],
    };
    plan_text(plan, &view)
}

#[track_caller]
fn assert_text(text: &str, expected: &str) {
    let expected = expected.trim_start_matches('\n');
    assert_eq!(text, expected, "\n--- is\n{text}\n--- should be\n{expected}");
}

#[test]
fn a_plan_is_a_sum_and_a_line_per_task() {
    assert_text(
        &text(&nightly(), false, &HashMap::new()),
        "
1 rerun, 1 revive, 1 keep, 0 skip  outputs reuse, version latest, context/00000000-0000-5000-8000-00000000002a
ACTION   STEP      TASK       SPECIFICATION                 POSITION   REASON
keep     orders    00000001   nightly/step                  101        it finished ok
rerun    convert   00000002   nightly/convert → version 2   102        it failed
revive   totals    00000003   nightly/step                  103        it was skipped because of step \"convert\"
",
    );
}

#[test]
fn what_was_done_names_the_successors() {
    let text = text(&nightly(), false, &[(id(2), id(7))].into());
    let line = text.lines().find(|line| line.starts_with("rerun")).unwrap();
    assert!(line.starts_with("rerun    convert   00000002   00000007   "), "{text}");
}

#[test]
fn what_nothing_happens_to_is_counted_where_it_is_much() {
    let mut many = nightly();
    let kept = (10..210).map(|n| entry(n, &format!("s{n}"), Action::Keep, "it finished ok"));
    many.entries.extend(kept);
    let folded = text(&many, false, &HashMap::new());
    assert!(folded.starts_with("1 rerun, 1 revive, 201 keep, 0 skip"), "{folded}");
    assert!(folded.ends_with("  … 201 tasks are kept as they are (--full lists them)\n"));
    assert_eq!(folded.lines().count(), 5, "{folded}");
    let full = text(&many, true, &HashMap::new());
    assert_eq!(full.lines().count(), 2 + 203, "{full}");
    assert!(full.contains(&id(2).to_string()), "whole ids: {full}");
}

#[test]
fn all_that_is_special_about_a_plan_is_said() {
    let moved = json!({"letter": {"task_id": id(3), "output": "letter"}});
    let special =
        Plan { reopens: true, results: serde_json::from_value(moved).unwrap(), ..nightly() };
    let text = text(&special, false, &HashMap::new());
    assert!(text.contains("the context was cancelled, and goes on with this\n"), "{text}");
    assert!(text.contains("fresh resources for outputs of it: letter\n"), "{text}");
}

#[test]
fn what_was_overtaken_is_named() {
    let superseded = [Superseded { task_id: id(3), reason: "it is ready by now".into() }];
    let view = PlanView {
        full: false,
        paint: Paint::OFF,
        specifications: &HashMap::new(),
        successors: &HashMap::new(),
        superseded: &superseded,
    };
    let text = plan_text(&nightly(), &view);
    assert!(text.ends_with(&format!("superseded  task/{}  it is ready by now\n", id(3))));
}
