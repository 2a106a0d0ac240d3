//! Restarts: who waits again, who is given up, and who comes back.

use kantoku_domain::{
    Dependency, Millis, TriggerRule,
    dependency::{EventPattern, Trigger, Upstream},
    restart::OutputPolicy::{Reallocate, Reuse},
    task::{Cancel, Command, Restart, Spawned},
};

use super::testing::*;
use crate::Handler as _;

#[test]
fn whoever_was_skipped_because_of_a_failure_comes_back_when_it_is_restarted() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"]), reader("c", &["b"])]);
    scene.act();
    scene.fail("a", false);
    assert_eq!(scene.act(), ["skip b because of a"]);
    assert_eq!(scene.act(), ["skip c because of a, b"]);
    scene.restart("a", Reuse);
    assert_eq!(scene.act(), ["ready a' 1.0", "revive b"]);
    assert_eq!(scene.act(), ["revive c"]);
    scene.succeed("a'");
    assert_eq!(scene.act(), ["ready b 1.1"], "announcements before it was skipped are void");
    scene.succeed("b");
    assert_eq!(scene.act(), ["ready c 1.1"]);
}

#[test]
fn a_skip_that_is_overtaken_by_a_restart_is_revoked_when_it_comes_by() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.fail("a", false);
    let mut due = scene.due();
    scene.restart("a", Reuse);
    assert_eq!(scene.carry_out(due.remove(0)), "skip b because of a");
    assert_eq!(scene.act(), ["ready a' 1.0", "revive b"]);
}

#[test]
fn nobody_is_given_up_while_somebody_may_resolve_what_is_missing() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.fail("a", false);
    // The failure and the restart are seen at once.
    let successor = scene.decide_restart("a", Restart::default());
    assert_eq!(scene.act(), [""; 0], "what takes its place is not even spawned");
    scene.spawn_planned(successor);
    assert_eq!(scene.act(), ["ready a' 1.0"]);
    scene.fail("a'", false);
    assert_eq!(scene.act(), ["skip b because of a'"]);
}

#[test]
fn with_fresh_outputs_the_old_ones_stay_lost() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.fail("a", false);
    assert_eq!(scene.act(), ["skip b because of a"]);
    scene.restart("a", Reallocate);
    assert_eq!(scene.act(), ["ready a' 1.0"], "b reads what a was to write");
    scene.succeed("a'");
    assert_eq!(scene.act(), [""; 0]);
}

#[test]
fn whoever_comes_after_a_task_comes_after_what_takes_its_place() {
    let mut scene = Scene::of([task("a"), dependent("b", Dependency::Task(id("a")))]);
    scene.act();
    scene.fail("a", false);
    assert_eq!(scene.act(), ["skip b because of a"]);
    scene.restart("a", Reallocate);
    assert_eq!(scene.act(), ["ready a' 1.0", "revive b"]);
    // One that comes now waits for it, too.
    scene.spawn(dependent("c", Dependency::Task(id("a"))));
    assert_eq!(scene.act(), [""; 0]);
    scene.succeed("a'");
    assert_eq!(scene.act(), ["ready b 1.1", "ready c 1.0"]);
}

#[test]
fn what_finished_ok_and_runs_again_is_waited_for_again() {
    let both = Dependency::All(vec![Dependency::Task(id("a")), Dependency::Task(id("b"))]);
    let mut scene = Scene::of([task("a"), task("b"), dependent("c", both)]);
    scene.act();
    scene.succeed("a");
    scene.restart("a", Reallocate);
    scene.succeed("b");
    assert_eq!(scene.act(), ["ready a' 1.0"], "b is done, and a is not any more");
    scene.succeed("a'");
    assert_eq!(scene.act(), ["ready c 1.0"]);
}

#[test]
fn who_is_queued_goes_back_to_waiting_when_what_it_needs_runs_again() {
    let mut scene = Scene::with_window(1);
    scene.spawn(task("a"));
    assert_eq!(scene.act(), ["ready a 1.0"]);
    scene.succeed("a");
    scene.spawn(task("first"));
    assert_eq!(scene.act(), ["ready first 1.0"]);
    scene.spawn(dependent("b", Dependency::Task(id("a"))));
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.standing("b").stage.name(), "queued");
    scene.restart("a", Reallocate);
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.standing("b").stage.name(), "waiting");
    scene.receive("first");
    assert_eq!(scene.act(), ["ready a' 1.0"]);
    scene.succeed("a'");
    assert_eq!(scene.act(), ["ready b 1.0"]);
}

#[test]
fn the_custodian_of_what_was_delegated_is_the_one_to_restart() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.delegate("a");
    scene.act();
    scene.fail("child", false);
    assert_eq!(scene.act(), ["skip b because of child"]);
    scene.restart("child", Reuse);
    assert_eq!(scene.act(), ["ready child' 1.0", "revive b"]);
    scene.succeed("child'");
    assert_eq!(scene.act(), ["ready b 1.1"]);
}

#[test]
fn a_skipped_task_that_is_restarted_itself_passes_its_outputs_on() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"]), reader("c", &["b"])]);
    scene.act();
    scene.fail("a", false);
    scene.act();
    scene.act();
    scene.restart("a", Reuse);
    let mut due = scene.due();
    // Somebody is faster than the scheduler.
    scene.restart("b", Reuse);
    let done: Vec<_> = due.drain(..).map(|effect| scene.carry_out(effect)).collect();
    assert!(done.contains(&"refused: revive b".to_owned()), "{done:?}");
    assert_eq!(scene.act(), ["revive c"]);
    scene.succeed("a'");
    assert_eq!(scene.act(), ["ready b' 1.0"]);
    scene.succeed("b'");
    assert_eq!(scene.act(), ["ready c 1.1"]);
}

#[test]
fn a_live_task_that_is_replaced_is_over() {
    let mut scene = Scene::of([reader("a", &["x"]), reader("b", &["a"])]);
    let restart =
        Restart { outputs: Reallocate, step_of: Some(id("restart")), ..Restart::default() };
    let successor = scene.decide_restart("a", restart);
    scene.spawn_planned(successor);
    assert_eq!(scene.act(), ["skip b because of a"]);
    assert_eq!(scene.scheduler.tasks(), 1, "only a' is not over");
}

#[test]
fn of_several_causes_one_that_is_mended_is_not_enough() {
    let mut scene = Scene::of([task("a"), task("b"), reader("c", &["a", "b"])]);
    scene.act();
    scene.fail("a", false);
    scene.fail("b", false);
    assert_eq!(scene.act(), ["skip c because of a, b"]);
    scene.restart("a", Reuse);
    assert_eq!(scene.act(), ["ready a' 1.0"]);
    scene.restart("b", Reuse);
    assert_eq!(scene.act(), ["ready b' 1.0", "revive c"]);
}

#[test]
fn what_a_rule_chose_not_to_run_is_no_failure_and_comes_back_if_it_was_one() {
    let on_failure = |of: &str| {
        let upstream = vec![Upstream { task: id(of), inputs: vec![] }];
        Some(Trigger { rule: TriggerRule::AnyFailed, upstream })
    };
    let mut scene = Scene::of([task("a")]);
    scene.spawn(Spawned { when: on_failure("a"), ..task("mend") });
    scene.spawn(reader("after", &["mend"]));
    scene.act();
    scene.succeed("a");
    assert_eq!(scene.act(), ["skip mend because of a"]);
    assert_eq!(scene.act(), ["skip after because of a, mend"]);
    // It runs again, and fails this time.
    scene.restart("a", Reallocate);
    assert_eq!(scene.act(), ["ready a' 1.0", "revive mend"]);
    assert_eq!(scene.act(), ["revive after"]);
    scene.fail("a'", false);
    assert_eq!(scene.act(), ["ready mend 1.1"]);
}

#[test]
fn a_deadline_begins_anew_with_a_revival() {
    let of = Box::new(Dependency::Task(id("b")));
    let within = Dependency::Within { time: Millis(20_000), of };
    let both = Dependency::All(vec![Dependency::Task(id("a")), within]);
    let mut scene = Scene::of([task("a"), task("b"), dependent("c", both)]);
    scene.act();
    scene.fail("a", false);
    assert_eq!(scene.act(), ["skip c because of a"]);
    scene.now = 15;
    scene.restart("a", Reuse);
    assert_eq!(scene.act(), ["ready a' 1.0", "revive c"]);
    scene.act();
    assert_eq!(scene.scheduler.next_due(), Some(at(35)));
    scene.now = 34;
    scene.succeed("a'");
    scene.succeed("b");
    assert_eq!(scene.act(), ["ready c 1.1"]);
}

#[test]
fn whoever_was_skipped_comes_back_when_one_in_between_is_restarted() {
    // c was given up because of a, far away; b, which it reads from, is restarted, and does not need
    // a any more.
    let upstream = vec![Upstream { task: id("a"), inputs: vec![] }];
    let when = Some(Trigger { rule: TriggerRule::AnyOk, upstream });
    let mut scene = Scene::of([task("a"), Spawned { when, ..task("b") }, reader("c", &["b"])]);
    scene.act();
    scene.fail("a", false);
    assert_eq!(scene.act(), ["skip b because of a"]);
    assert_eq!(scene.act(), ["skip c because of a, b"]);
    let rebind = [(id("a"), id("x"))].into();
    let restart = Restart { outputs: Reuse, rebind, ..Restart::default() };
    let successor = scene.decide_restart("b", restart);
    scene.spawn_planned(successor);
    assert_eq!(scene.act(), ["revive c"]);
    scene.restart("a", Reallocate);
    assert_eq!(scene.act(), ["ready a' 1.0"]);
}

#[test]
fn what_ends_well_is_too_late_for_what_it_was_to_hand_over_before() {
    // With fresh outputs, what c reads cannot come, however well a ends.
    let upstream = |step: &str| Upstream { task: id(step), inputs: vec![step.to_owned()] };
    let upstream = vec![upstream("a"), upstream("b")];
    let when = Some(Trigger { rule: TriggerRule::NoneFailed, upstream });
    let mut scene = Scene::of([task("a"), task("b")]);
    scene.spawn(Spawned { when, ..reader("c", &["a", "b"]) });
    scene.act();
    let step_of = Some(id("restart"));
    let restart = Restart { outputs: Reallocate, step_of, ..Restart::default() };
    let successor = scene.decide_restart("a", restart);
    scene.spawn_planned(successor);
    assert_eq!(scene.act(), ["ready a' 1.0"]);
    scene.succeed("a'");
    assert_eq!(scene.act(), ["skip c because of a"], "b has not ended, and makes no difference");
}

#[test]
fn a_task_that_ends_badly_is_done_whatever_becomes_of_its_outputs() {
    let upstream = vec![Upstream { task: id("a"), inputs: vec!["a".into()] }];
    let when = Some(Trigger { rule: TriggerRule::AllDone, upstream });
    let mut scene = Scene::of([task("a"), Spawned { when, ..reader("b", &["a"]) }]);
    scene.act();
    // What a was to write is another's to write now, which takes its time.
    scene.delegate("a");
    scene.restart("a", Reallocate);
    assert_eq!(scene.act(), ["ready a' 1.0", "ready child 1.0"]);
    scene.fail("a'", false);
    assert_eq!(scene.act(), ["ready b 1.0"]);
}

#[test]
fn nothing_is_kept_of_those_who_wait_once_they_are_over() {
    let within = |of| Dependency::Within { time: Millis(20_000), of: Box::new(of) };
    let pattern = EventPattern { type_: "TaskReady".into(), id: None, labels: [].into() };
    let mut scene = Scene::of([task("a"), reader("b", &["a"]), reader("c", &["nothing"])]);
    scene.spawn(dependent("d", within(Dependency::Done(id("a")))));
    scene.spawn(dependent("e", within(Dependency::Task(id("nobody")))));
    scene.spawn(dependent("f", Dependency::Event(pattern)));
    scene.act();
    scene.act();
    scene.fail("a", false);
    scene.act();
    scene.restart("b", Reallocate);
    scene.act();
    for step in ["c", "d", "e", "f"] {
        scene.order(id(step), &Command::Cancel(Cancel::because("enough")));
    }
    assert_eq!(scene.scheduler.tasks.len(), 1, "b' was skipped and may come back");
    let successor = scene.called("b'");
    let restart = Restart { outputs: Reallocate, ..Restart::default() };
    scene.order(successor, &Command::Restart(Box::new(restart)));
    assert_eq!(scene.scheduler.left(), [0; 8]);
}
