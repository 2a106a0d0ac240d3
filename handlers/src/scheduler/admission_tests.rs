//! Admission: limits, and the slots in use, which are derived from events.

use kantoku_domain::{
    Dependency, Event, Kind, Millis, policy,
    restart::OutputPolicy::Reallocate,
    task::{Cancel, Command, Restart, Spawned},
};

use super::{testing::*, *};

fn limit(concurrency: u32) -> policy::Limit {
    let specification = Some(name("spec"));
    policy::Limit { specification, concurrency: Some(concurrency), ..policy::Limit::default() }
}

fn used(scene: &Scene) -> usize {
    scene.scheduler.slots().map(|(_, held)| held).sum()
}

/// Two of three may run.
fn two_of_three() -> Scene {
    let mut scene = Scene::new();
    scene.apply_policy(limit(2));
    for (second, step) in ["a", "b", "c"].into_iter().enumerate() {
        scene.now = second as i64;
        scene.spawn(task(step));
    }
    scene
}

#[test]
fn no_more_run_than_may_and_the_next_follows() {
    let mut scene = two_of_three();
    assert_eq!(scene.act(), ["ready a 1.0", "ready b 1.0"]);
    assert_eq!(used(&scene), 2);
    scene.receive("a");
    assert_eq!(scene.act(), [""; 0], "it runs");
    let blocked = scene.standing("c").blocked;
    let told: Vec<_> = blocked.iter().map(ToString::to_string).collect();
    assert!(
        told[0].starts_with("limit limit of policy p for \"spec\": 2 of 2 held by"),
        "{told:?}"
    );
    scene.succeed("b");
    assert_eq!(scene.act(), ["ready c 1.0"]);
    assert_eq!(used(&scene), 2);
}

#[test]
fn whatever_ends_an_attempt_frees_its_slots() {
    type Ends = fn(&mut Scene);
    let ends: [(&str, Ends); 7] = [
        ("succeeds", |scene| scene.succeed("a")),
        ("fails", |scene| scene.fail("a", false)),
        ("fails and waits for another attempt", |scene| scene.fail("a", true)),
        ("is cancelled", |scene| {
            scene.order(id("a"), &Command::Cancel(Cancel::because("enough")));
        }),
        ("is cancelled while it runs", |scene| {
            scene.receive("a");
            scene.order(id("a"), &Command::Cancel(Cancel::because("enough")));
        }),
        ("is paused before it is claimed", |scene| {
            scene.order(id("a"), &Command::Pause { reason: String::new() });
        }),
        ("is replaced", |scene| {
            let step_of = Some(id("restart"));
            let restart = Restart { outputs: Reallocate, step_of, ..Restart::default() };
            scene.decide_restart("a", restart);
        }),
    ];
    for (what, end) in ends {
        let mut scene = two_of_three();
        scene.act();
        end(&mut scene);
        assert_eq!(used(&scene), 1, "it {what}");
        assert_eq!(scene.act(), ["ready c 1.0"], "it {what}");
        assert_eq!(used(&scene), 2, "it {what}");
    }
}

#[test]
fn an_announcement_that_is_overtaken_gives_its_slots_back() {
    let mut scene = two_of_three();
    let due = scene.due();
    scene.order(id("a"), &Command::Cancel(Cancel::because("enough")));
    let done: Vec<_> = due.into_iter().map(|effect| scene.carry_out(effect)).collect();
    assert_eq!(done, ["refused: ready a 1.0", "ready b 1.0"]);
    assert_eq!(scene.act(), ["ready c 1.0"]);
    assert_eq!(used(&scene), 2);
}

#[test]
fn who_stands_by_takes_back_what_no_event_shows() {
    let mut scene = two_of_three();
    let due = scene.due();
    // Another leads by now. It has heard of one of two, and makes an end of that.
    let carried_out: Vec<_> = due.into_iter().take(1).map(|it| scene.carry_out(it)).collect();
    assert_eq!(carried_out, ["ready a 1.0"]);
    scene.stand_by();
    assert_eq!(used(&scene), 1, "what was announced is");
    scene.succeed("a");
    assert_eq!(used(&scene), 0);
    // It leads again.
    assert_eq!(scene.act(), ["ready b 1.0", "ready c 1.0"]);
    assert_eq!(used(&scene), 2);
}

#[test]
fn a_change_of_a_limit_counts_everything_anew() {
    let mut scene = two_of_three();
    scene.act();
    scene.apply_policy(limit(1));
    assert_eq!(used(&scene), 2, "what runs goes on");
    scene.succeed("a");
    assert_eq!(scene.act(), [""; 0], "one runs, and one may");
    scene.apply_policy(limit(3));
    assert_eq!(scene.act(), ["ready c 1.0"]);
    scene.apply_policy(limit(0));
    scene.spawn(task("d"));
    assert_eq!(scene.act(), [""; 0]);
    let deleted = policy::Deleted { by: "ann".into() };
    scene.record(Kind::Policy, id("policy"), Event::PolicyDeleted(deleted));
    assert_eq!(scene.act(), ["ready d 1.0"]);
    assert_eq!(used(&scene), 0, "nobody counts");
}

#[test]
fn a_rate_admits_the_next_by_the_clock() {
    let mut scene = Scene::new();
    let rate = Some(policy::Rate { count: 1, per: Millis(60_000) });
    let limit = policy::Limit { rate, ..limit(0) };
    scene.apply_policy(policy::Limit { concurrency: None, ..limit });
    scene.spawn(task("a"));
    scene.now = 1;
    scene.spawn(task("b"));
    assert_eq!(scene.act(), ["ready a 1.0"]);
    scene.succeed("a");
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.scheduler.next_due(), Some(at(61)));
    assert_eq!(scene.standing("b").next_at, Some(at(61)));
    assert_eq!(scene.wait_until(60), [""; 0]);
    assert_eq!(scene.wait_until(61), ["ready b 1.0"]);
}

#[test]
fn a_queue_has_but_a_few_that_nobody_has_claimed_and_the_best_are_next() {
    let mut scene = Scene::with_window(2);
    for step in ["a", "b", "c"] {
        scene.spawn(task(step));
    }
    scene.spawn(Spawned { queue: "gpu".into(), ..task("other") });
    let acted = scene.act();
    assert_eq!(acted.len(), 3, "another queue is another: {acted:?}");
    scene.spawn(Spawned { priority: 9, ..task("urgent") });
    assert_eq!(scene.act(), [""; 0]);
    let is_announced = |step: &&str| scene.standing(step).stage.name() == "announced";
    let first = ["a", "b", "c"].into_iter().find(is_announced).expect("two of them are");
    scene.receive(first);
    assert_eq!(scene.act(), ["ready urgent 1.0"]);
}

#[test]
fn who_could_run_first_goes_first_however_long_it_was_there() {
    let mut scene = Scene::with_window(1);
    scene.spawn(dependent("later", Dependency::At(at(30))));
    scene.spawn(task("again"));
    assert_eq!(scene.act(), ["ready again 1.0"]);
    // Its second attempt waits for five seconds at least.
    scene.fail("again", true);
    scene.spawn(task("first"));
    assert_eq!(scene.act(), ["ready first 1.0"]);
    scene.now = 1;
    scene.spawn(task("soon"));
    assert_eq!(scene.wait_until(30), [""; 0]);
    scene.receive("first");
    assert_eq!(scene.act(), ["ready soon 1.0"]);
    scene.receive("soon");
    assert_eq!(scene.act(), ["ready again 2.0"]);
    scene.receive("again");
    assert_eq!(scene.act(), ["ready later 1.0"]);
}

#[test]
fn no_more_is_said_than_there_is_room_for() {
    let mut scene = Scene::of((0..5).map(|n| task(&n.to_string())));
    assert_eq!(scene.scheduler.due(at(0), 2).len(), 2);
    assert_eq!(scene.scheduler.due(at(0), 0).len(), 0);
    assert_eq!(scene.scheduler.due(at(0), 2).len(), 2);
    assert_eq!(scene.scheduler.due(at(0), 2).len(), 1);
    assert_eq!(scene.scheduler.due(at(0), 2).len(), 0);
}
