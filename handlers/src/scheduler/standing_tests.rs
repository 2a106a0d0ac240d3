//! Why a task is where it is: one answer for each place where it can be.

use kantoku_domain::{
    Dependency, Standing,
    dependency::Approval,
    standing::Stage,
    task::{Approved, Command},
};

use super::testing::*;
use crate::Handler as _;

fn told(standing: &Standing) -> Vec<String> {
    let text = |ground: &kantoku_domain::dependency::Ground| {
        format!("{} {}: {}", ground.name, ground.status.name(), ground.message)
    };
    standing.grounds.iter().map(text).collect()
}

#[test]
fn who_waits_is_told_for_what_and_for_nothing_else() {
    let approval = Approval { name: "release".into(), count: 2, by: vec![] };
    let mut on_both = reader("b", &["a", "x"]);
    on_both.depends_on = Some(Dependency::Approval(approval));
    let mut scene = Scene::of([task("x"), task("a"), on_both]);
    scene.act();
    scene.succeed("x");
    let approved = Approved { name: "release".into(), by: "ann".into() };
    scene.order(id("b"), &Command::Approve(approved));
    scene.act();
    let standing = scene.standing("b");
    assert_eq!(standing.stage, Stage::Waiting);
    assert_eq!(standing.position, scene.log.len() as u64);
    let a = out("a");
    assert_eq!(
        told(&standing),
        [
            format!("input a PENDING: resource {a} is not resolved yet"),
            "depends_on PENDING: approval \"release\" has 1 of 2 (ann); anybody may give it".into(),
        ]
    );
}

#[test]
fn each_stage_is_told_from_spawn_to_end() {
    let mut scene = Scene::with_window(1);
    scene.spawn(task("first"));
    scene.spawn(task("a"));
    let both = ["first", "a"].map(|step| scene.standing(step).stage);
    assert_eq!(both, [0, 0].map(|_| Stage::Queued { since: at(0) }), "nobody has looked yet");
    scene.now = 1;
    scene.act();
    let (one, other) = match scene.standing("a").stage {
        Stage::Announced { .. } => ("a", "first"),
        _ => ("first", "a"),
    };
    let announced = Stage::Announced { queue: "default".into(), since: at(1) };
    assert_eq!(scene.standing(one).stage, announced);
    let standing = scene.standing(other);
    assert_eq!(standing.stage, Stage::Queued { since: at(0) });
    let blocked: Vec<_> = standing.blocked.iter().map(ToString::to_string).collect();
    assert_eq!(blocked, ["queue default: 1 tasks are announced and not claimed yet"]);
    scene.receive(one);
    assert_eq!(scene.standing(one).stage, Stage::Held { node: "node".into(), since: at(1) });
    scene.act();
    scene.fail(other, true);
    scene.act();
    let standing = scene.standing(other);
    assert_eq!((standing.stage, standing.attempt), (Stage::Backoff, 2));
    assert_eq!(standing.next_at, Some(scene.task(id(other)).not_before));
    scene.order(id(one), &Command::Cancel(kantoku_domain::task::Cancel::because("enough")));
    assert_eq!(scene.scheduler.standing(id(one), at(1)), None, "others know about its end");
    assert_eq!(scene.scheduler.standing(id("nobody"), at(1)), None);
}

#[test]
fn who_was_given_up_is_told_because_of_whom() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.fail("a", false);
    scene.act();
    let standing = scene.standing("b");
    let Stage::Skipped(skipped) = &standing.stage else { panic!("{standing:?}") };
    assert_eq!(skipped.root_cause, id("a"));
    let (a, resource) = (id("a"), out("a"));
    assert_eq!(
        told(&standing),
        [format!(
            "input a FAILED: resource {resource} cannot be resolved any more, because of task {a}"
        )]
    );
}

#[test]
fn when_the_clock_changes_something_is_told() {
    let within = Dependency::Within {
        time: kantoku_domain::Millis(20_000),
        of: Box::new(Dependency::Task(id("b"))),
    };
    let mut scene = Scene::of([dependent("a", within)]);
    scene.act();
    assert_eq!(scene.standing("a").next_at, Some(at(20)));
}
