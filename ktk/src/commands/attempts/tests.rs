//! Attempts as they must look.

use kantoku_api::contract::Input;
use kantoku_domain::task::Failure;
use serde_json::{Value, json};

use super::*;
use crate::{
    output::Paint,
    render::testing::{at, id},
};

fn attempt(n: usize, attempt: u32, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        task_id: id(n),
        attempt,
        specification: serde_json::from_value(
            json!({"name": "nightly/convert", "version": 1, "digest": ""}),
        )
        .unwrap(),
        inputs: [("rates".to_owned(), Input::Value("a.json".into()))].into(),
        outcome,
        error: None,
        node: Some("node-1".into()),
        boot_id: None,
        fence: Some(41),
        ready_at: Some(at(0)),
        started_at: Some(at(0)),
        ended_at: Some(at(2_000)),
        refused: None,
    }
}

/// One that was lost with its node, and a restart of another version that went well.
fn chain() -> Vec<Attempt> {
    let mut lost = attempt(1, 1, AttemptOutcome::Lost);
    lost.error = Some(Failure::new("lost", "its lease ran out", true));
    lost.refused = Some("attempt 2 is current".into());
    let mut ok = attempt(2, 1, AttemptOutcome::Ok);
    ok.specification.version = 2;
    ok.node = Some("node-2".into());
    ok.inputs.insert("orders".into(), Input::Resource(id(9)));
    ok.ended_at = Some(at(12));
    vec![lost, ok]
}

fn view() -> View {
    View {
        wide: false,
        namespaces: false,
        ids: ShortIds::of([id(1), id(2)]),
        paint: Paint::OFF,
        now: at(9_000),
    }
}

#[test]
fn each_attempt_of_the_chain_has_a_line_and_what_was_refused_another() {
    let expected = "\
TASK       ATTEMPT   OUTCOME   SPECIFICATION       NODE     STARTED                TOOK    ERROR
00000001   1         lost      nightly/convert@1   node-1   2026-01-02T03:04:05Z   2.0 s   its lease ran out
                                                                                           refused later: attempt 2 is current
00000002   1         ok        nightly/convert@2   node-2   2026-01-02T03:04:05Z   12 ms
";
    let text = table(&chain(), &view());
    assert_eq!(text, expected, "\n--- is\n{text}\n--- should be\n{expected}");
}

#[test]
fn what_is_different_is_told_and_nothing_else() {
    let expected = format!(
        "
00000001 attempt 1 → 00000002 attempt 1
  specification   nightly/convert@1 → nightly/convert@2
  input orders    none → resource/{}
  node            node-1 → node-2
  outcome         lost → ok
  error           its lease ran out → none
  took            2.0 s → 12 ms
",
        id(9)
    );
    let found = differences(&chain());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text(&view()), expected);
    let same = differences(&[attempt(1, 1, AttemptOutcome::Ok), attempt(1, 2, AttemptOutcome::Ok)]);
    assert!(same[0].text(&view()).ends_with("\n  nothing is different\n"));
    assert_eq!(differences(&chain()[..1]), []);
}

#[test]
fn programs_get_the_values_themselves() {
    let document = json!(differences(&chain()));
    assert_eq!(document[0]["before"], json!({"task_id": id(1), "attempt": 1}));
    let changes = document[0]["changes"].as_array().unwrap();
    let field = |name: &str| changes.iter().find(|change| change["field"] == name).unwrap();
    assert_eq!(field("took_ms")["after"], 12);
    assert_eq!(field("error")["after"], Value::Null);
}
