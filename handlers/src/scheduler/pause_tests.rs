//! Pauses: of a task, its context, its specification, its namespace; and labels, which hold up
//! nothing.

use kantoku_domain::{
    Id, Kind, Namespace,
    task::{Command, Label},
};

use super::testing::*;

fn pause() -> Command {
    Command::Pause { reason: "audit".into() }
}

fn wide() -> [(Kind, Id); 3] {
    let namespace = Namespace::default();
    [
        (Kind::Context, id("context")),
        (Kind::Specification, Id::named(&namespace, Kind::Specification, "spec")),
        (Kind::Namespace, Id::named(&namespace, Kind::Namespace, namespace.as_str())),
    ]
}

#[test]
fn what_is_paused_is_not_announced_until_it_goes_on() {
    for (kind, id) in wide() {
        let mut scene = Scene::of([task("a")]);
        scene.pause(kind, id);
        assert_eq!(scene.act(), [""; 0], "{kind:?}");
        let standing = scene.standing("a");
        let pausing = standing.paused.expect("it is paused");
        assert_eq!((standing.stage.name(), pausing.kind), ("paused", kind));
        assert_eq!(pausing.paused.reason, "audit");
        scene.spawn(task("b"));
        assert_eq!(scene.act(), [""; 0], "{kind:?}");
        scene.resume(kind, id);
        assert_eq!(scene.act(), ["ready a 1.0", "ready b 1.0"], "{kind:?}");
    }
}

#[test]
fn who_is_queued_when_a_pause_begins_waits_for_its_end() {
    for (kind, of) in wide() {
        let mut scene = Scene::with_window(1);
        scene.spawn(task("first"));
        scene.act();
        scene.spawn(task("a"));
        assert_eq!(scene.act(), [""; 0]);
        scene.pause(kind, of);
        scene.receive("first");
        assert_eq!(scene.act(), [""; 0], "there is room, and {kind:?} is paused");
        scene.resume(kind, of);
        assert_eq!(scene.act(), ["ready a 1.0"]);
    }
}

#[test]
fn a_pause_of_another_context_is_nobodys_here() {
    let mut scene = Scene::of([task("a")]);
    scene.pause(Kind::Context, id("another"));
    scene.pause(Kind::Specification, id("another"));
    assert_eq!(scene.act(), ["ready a 1.0"]);
}

#[test]
fn what_was_announced_before_a_wide_pause_goes_on() {
    for (kind, of) in wide() {
        let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
        scene.act();
        scene.pause(kind, of);
        scene.succeed("a");
        assert_eq!(scene.act(), [""; 0]);
        scene.resume(kind, of);
        assert_eq!(scene.act(), ["ready b 1.0"]);
    }
}

#[test]
fn a_task_that_was_paused_is_announced_anew() {
    let mut scene = Scene::of([task("a")]);
    assert_eq!(scene.act(), ["ready a 1.0"]);
    scene.order(id("a"), &pause());
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.standing("a").stage.name(), "paused");
    scene.order(id("a"), &Command::Resume);
    assert_eq!(scene.act(), ["ready a 1.1"]);
    scene.succeed("a");
    assert_eq!(scene.scheduler.tasks(), 0);
}

#[test]
fn an_announcement_that_a_pause_has_overtaken_is_made_again() {
    let mut scene = Scene::of([task("a")]);
    let mut due = scene.due();
    scene.order(id("a"), &pause());
    assert_eq!(scene.carry_out(due.remove(0)), "refused: ready a 1.0");
    assert_eq!(scene.act(), [""; 0]);
    scene.order(id("a"), &Command::Resume);
    assert_eq!(scene.act(), ["ready a 1.1"]);
}

fn label(value: &str) -> Command {
    let set = [("triage".to_owned(), value.to_owned())].into();
    Command::Label(Label { set, overwrite: true, ..Label::default() })
}

#[test]
fn an_announcement_that_a_label_has_overtaken_is_made_again() {
    let mut scene = Scene::of([task("a")]);
    let mut due = scene.due();
    scene.order(id("a"), &label("open"));
    assert_eq!(scene.carry_out(due.remove(0)), "refused: ready a 1.0");
    assert_eq!(scene.act(), ["ready a 1.0"]);
}

#[test]
fn what_was_announced_before_a_label_is_claimed_all_the_same() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.order(id("b"), &label("open"));
    assert_eq!(scene.act(), ["ready a 1.0"]);
    scene.order(id("a"), &label("open"));
    assert_eq!(scene.act(), [""; 0]);
    scene.order(id("b"), &label("seen"));
    scene.succeed("a");
    assert_eq!(scene.act(), ["ready b 1.0"]);
    scene.succeed("b");
    assert_eq!(scene.scheduler.tasks(), 0);
}

#[test]
fn an_attempt_that_runs_is_not_touched_and_the_next_waits() {
    let mut scene = Scene::of([task("a")]);
    scene.act();
    scene.receive("a");
    scene.order(id("a"), &pause());
    assert_eq!(scene.standing("a").stage.name(), "held");
    let error = kantoku_domain::task::Failure::new("exit", "exit code 1", true);
    scene.order(id("a"), &Command::Fail { attempt: 1, error });
    assert_eq!(scene.wait_until(60), [""; 0]);
    assert_eq!(scene.standing("a").stage.name(), "paused");
    scene.order(id("a"), &Command::Resume);
    assert_eq!(scene.act(), ["ready a 2.1"]);
}

#[test]
fn a_pause_that_came_and_went_while_it_ran_counts_as_a_round() {
    let mut scene = Scene::of([task("a")]);
    scene.act();
    scene.receive("a");
    scene.order(id("a"), &pause());
    scene.order(id("a"), &Command::Resume);
    let error = kantoku_domain::task::Failure::new("exit", "exit code 1", true);
    scene.order(id("a"), &Command::Fail { attempt: 1, error });
    assert_eq!(scene.wait_until(60), ["ready a 2.1"]);
}

#[test]
fn what_can_never_run_is_given_up_paused_or_not() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.order(id("b"), &pause());
    scene.fail("a", false);
    assert_eq!(scene.act(), ["skip b because of a"]);
}
