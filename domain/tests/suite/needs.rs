//! What a task waits for in all: inputs, the rule of its step, its dependency.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Id, TriggerRule,
    dependency::{Cause, Counts, Hopeless, Needs, Readiness, Trigger, Triggered, Upstream},
};
use proptest::prelude::*;

use crate::{dependencies::World, scenario::uuid_like::id};

const PENDING: Readiness = Readiness::Pending { next: None };

fn ready(absent: &[&str]) -> Readiness {
    Readiness::Ready { absent: absent.iter().map(ToString::to_string).collect() }
}

/// Tasks 1 and 2 come before and hand over resources 11 (input a) and 12 (input b); 3 only comes
/// before.
fn step(rule: TriggerRule) -> Needs {
    let upstream = |task, inputs: &[&str]| Upstream {
        task: id(task),
        inputs: inputs.iter().map(ToString::to_string).collect(),
    };
    let upstream = vec![upstream(1, &["a"]), upstream(2, &["b"]), upstream(3, &[])];
    Needs {
        inputs: [("a".into(), id(11)), ("b".into(), id(12))].into(),
        when: Some(Trigger { rule, upstream }),
        depends_on: None,
    }
}

#[test]
fn inputs_and_dependency_must_all_be_there() {
    let needs = Needs {
        inputs: [("page".into(), id(11))].into(),
        when: None,
        depends_on: Some(Dependency::All(vec![Dependency::Task(id(1))])),
    };
    assert!(needs.is_conjunction());
    assert_eq!(needs.named().len(), 2);
    let world = World::default();
    assert_eq!(needs.evaluate(&world, world.now), PENDING);
    let world = world.resolved(11);
    assert_eq!(needs.evaluate(&world, world.now), PENDING);
    assert_eq!(needs.evaluate(&world.clone().ok(1), world.now), ready(&[]));

    let world = World::default().lost(11, 7, Cause::Failure).failed(1);
    let Readiness::Failed(hopeless) = needs.evaluate(&world, world.now) else { panic!("failed") };
    let skipped = hopeless.skipped(id(5));
    assert_eq!((skipped.root_cause, skipped.others.as_slice()), (id(7), [id(1)].as_slice()));
    assert_eq!((skipped.missing.as_str(), skipped.cause), ("input page", Cause::Failure));
    let grounds = needs.explain(&world, world.now).grounds;
    assert_eq!(grounds.len(), 1, "one reason is enough: {grounds:?}");
}

#[test]
fn a_deadline_that_passed_is_nobody_elses_fault() {
    let hopeless = Hopeless { missing: "depends_on".into(), ..Hopeless::default() };
    assert_eq!(hopeless.skipped(id(5)).root_cause, id(5));
}

#[test]
fn who_is_late_himself_is_to_blame_whatever_rule_rules_him_out_besides() {
    let deadline = Dependency::Not(Box::new(Dependency::At(kantoku_domain::Timestamp::default())));
    let needs = Needs { depends_on: Some(deadline), ..step(TriggerRule::AllFailed) };
    let all_ok = World::default().ok(1).resolved(11).ok(2).resolved(12).ok(3);
    let Readiness::Failed(hopeless) = needs.evaluate(&all_ok, all_ok.now) else { panic!("failed") };
    let skipped = hopeless.skipped(id(5));
    assert_eq!((skipped.root_cause, skipped.others.len()), (id(5), 3));
    assert_eq!(skipped.cause, Cause::Failure, "those after it come back when it is restarted");
}

#[test]
fn a_rule_decides_which_inputs_may_be_absent() {
    let handed_over = || World::default().ok(1).resolved(11).ok(2).resolved(12).ok(3);
    let one_failed = || World::default().ok(1).resolved(11).failed(2).lost(12, 2, Cause::Failure);
    for (rule, world, expected) in [
        (TriggerRule::AllDone, handed_over(), ready(&[])),
        (TriggerRule::AllDone, one_failed(), PENDING),
        (TriggerRule::AllDone, one_failed().ok(3), ready(&["b"])),
        // Ok, but what it was to hand over is still made by the task that it delegated to.
        (TriggerRule::AllDone, World::default().ok(1).ok(2).resolved(12).ok(3), PENDING),
        (TriggerRule::AnyOk, World::default().ok(2).resolved(12), ready(&["a"])),
        (TriggerRule::AnyOk, World::default().ok(2), PENDING),
        (TriggerRule::AnyFailed, one_failed(), ready(&["b"])),
        (TriggerRule::NoneFailed, handed_over(), ready(&[])),
        (
            TriggerRule::NoneFailed,
            World::default()
                .ok(1)
                .resolved(11)
                .skipped(2, 9, Cause::Rule)
                .lost(12, 9, Cause::Rule)
                .ok(3),
            ready(&["b"]),
        ),
    ] {
        assert_eq!(step(rule).evaluate(&world, world.now), expected, "{rule:?} in {world:?}");
    }
}

#[test]
fn a_rule_that_cannot_hold_names_who_is_to_blame_and_whether_anybody_failed() {
    let hopeless = |rule, world: World| match step(rule).evaluate(&world, world.now) {
        Readiness::Failed(hopeless) => (hopeless.root_causes, hopeless.cause, hopeless.missing),
        other => panic!("failed, not {other:?}"),
    };
    let all_ok = World::default().ok(1).resolved(11).ok(2).resolved(12).ok(3);
    let mut all = vec![id(1), id(2), id(3)];
    all.sort_unstable();
    assert_eq!(
        hopeless(TriggerRule::AnyFailed, all_ok),
        (all, Cause::Rule, "when: any_failed".into())
    );
    // A task ended ok, but the child that it had delegated to has failed.
    let delegated = World::default().ok(1).lost(11, 7, Cause::Failure);
    assert_eq!(
        hopeless(TriggerRule::NoneFailed, delegated),
        (vec![id(7)], Cause::Failure, "when: none_failed".into())
    );
}

#[test]
fn what_a_rule_alone_rules_out_waits_for_who_may_fail_yet() {
    let by_rule = World::default().skipped(1, 9, Cause::Rule).lost(11, 9, Cause::Rule);
    let needs = Needs {
        inputs: [("a".into(), id(11)), ("b".into(), id(12))].into(),
        depends_on: Some(Dependency::Task(id(3))),
        ..Needs::default()
    };
    let cause = |world: &World| match needs.evaluate(world, world.now) {
        Readiness::Failed(hopeless) => Some(hopeless.cause),
        _ => None,
    };
    assert_eq!(cause(&by_rule), None, "b and 3 are open");
    let grounds = needs.explain(&by_rule, by_rule.now).grounds;
    assert_eq!((grounds.len(), grounds[0].name.as_str()), (1, "input a"), "it is ruled out");
    assert_eq!(cause(&by_rule.clone().resolved(12)), None);
    assert_eq!(cause(&by_rule.clone().resolved(12).ok(3)), Some(Cause::Rule));
    assert_eq!(cause(&by_rule.failed(3)), Some(Cause::Failure), "at once");
}

#[test]
fn a_rule_is_explained_by_what_decides_it() {
    let names = |rule, world: &World| -> Vec<(String, String)> {
        let grounds = step(rule).explain(world, world.now).grounds;
        grounds.into_iter().map(|ground| (ground.name, ground.message)).collect()
    };
    let world = World::default().ok(1).failed(3);
    let [three, eleven] = [id(3), id(11)];
    assert_eq!(
        names(TriggerRule::NoneFailed, &world),
        [("when: none_failed".into(), format!("task {three} failed"))]
    );
    assert_eq!(
        names(TriggerRule::AllDone, &world)[0],
        ("input a".into(), format!("resource {eleven} is not resolved yet"))
    );
    assert_eq!(names(TriggerRule::AnyFailed, &world).len(), 1);
    let open = step(TriggerRule::AnyOk).explain(&World::default(), World::default().now).grounds;
    assert!(open.iter().all(|ground| ground.one_of == Some((1, 3))), "{open:?}");
}

proptest! {
    /// Counting gives what looking at every ending gives, and what is ready or impossible stays so
    /// as endings come in.
    #[test]
    fn a_rule_that_has_decided_stays(ends in prop::collection::vec(0..3_u8, 1..6), rule in 0..6_usize) {
        let rule = TriggerRule::ALL[rule];
        let tasks: Vec<Id> = (0..ends.len() as u64).map(id).collect();
        let upstream = tasks.iter().map(|task| Upstream { task: *task, inputs: vec![] }).collect();
        let needs = Needs { when: Some(Trigger { rule, upstream }), ..Needs::default() };
        let mut counts = Counts { pending: ends.len(), ..Counts::default() };
        let mut world = World::default();
        let mut decided = BTreeMap::new();
        for (n, end) in ends.iter().enumerate() {
            counts.pending -= 1;
            world = match end {
                0 => { counts.ok += 1; world.ok(n as u64) }
                1 => { counts.failed += 1; world.failed(n as u64) }
                _ => { counts.skipped += 1; world.skipped(n as u64, 9, Cause::Rule) }
            };
            let counted = rule.holds(counts);
            let looked = match needs.evaluate(&world, world.now) {
                Readiness::Pending { .. } => Triggered::Pending,
                Readiness::Ready { .. } => Triggered::Ready,
                Readiness::Failed(_) => Triggered::Never,
            };
            // What a rule alone rules out is given up when nobody can fail any more.
            if counted != Triggered::Never || counts.pending == 0 {
                prop_assert_eq!(counted, looked);
            }
            if counted != Triggered::Pending {
                decided.insert(n, counted);
            }
            let first = decided.values().next();
            prop_assert!(first.is_none_or(|first| *first == counted), "{:?}", decided);
        }
        prop_assert!(!decided.is_empty(), "when all have ended, every rule has decided");
    }
}
