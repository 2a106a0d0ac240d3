//! Events that are taken in ahead of their delivery: acted upon at once, and once.

use kantoku_domain::{
    Datum, Dependency, Event, Kind, Recorded, dependency::EventPattern, resource, task::Command,
};

use super::{testing::*, *};

/// How much is due when the last event is foreseen, and how much more once it is delivered.
fn ahead(log: &[Recorded]) -> (usize, usize) {
    let (last, before) = log.split_last().expect("events");
    let mut scheduler = Scheduler::default();
    for recorded in before {
        scheduler.apply(recorded);
    }
    scheduler.due(at(60), usize::MAX);
    scheduler.foresee(last);
    let foreseen = scheduler.due(at(60), usize::MAX).len();
    scheduler.apply(last);
    (foreseen, scheduler.due(at(60), usize::MAX).len())
}

#[test]
fn what_follows_follows_at_once_and_once() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    let on_resource = Dependency::Resource(id("r"));
    scene.spawn(dependent("c", on_resource));
    scene.spawn(task("d"));
    assert_eq!(ahead(&scene.log), (1, 0), "a task that is spawned");
    scene.act();
    scene.fail("a", true);
    assert_eq!(ahead(&scene.log), (1, 0), "an attempt that follows");
    scene.wait_until(60);
    scene.succeed("a");
    assert_eq!(ahead(&scene.log), (1, 0), "a task that was waited for");
    let value = Datum::Value(1.into());
    let event = Event::ResourceInitialized(resource::Initialized { value });
    scene.record(Kind::Resource, id("r"), event);
    assert_eq!(ahead(&scene.log), (1, 0), "a resource that was waited for");
    scene.order(id("d"), &Command::Pause { reason: String::new() });
    assert_eq!(ahead(&scene.log), (0, 0), "what somebody orders may wait for its delivery");
}

#[test]
fn what_is_not_next_is_not_foreseen() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.succeed("a");
    let (last, before) = scene.log.split_last().expect("events");
    let mut scheduler = Scheduler::default();
    // That somebody has a is not known yet.
    before[..2].iter().for_each(|recorded| scheduler.apply(recorded));
    scheduler.due(at(0), usize::MAX);
    scheduler.foresee(last);
    assert_eq!(scheduler.due(at(0), usize::MAX), []);
    before[2..].iter().for_each(|recorded| scheduler.apply(recorded));
    scheduler.foresee(last);
    assert_eq!(scheduler.due(at(0), usize::MAX).len(), 1);
}

#[test]
fn an_event_before_a_task_that_was_foreseen_is_not_what_it_waits_for() {
    let initialized =
        EventPattern { type_: "ResourceInitialized".into(), id: Some(id("r")), labels: [].into() };
    let mut scene = Scene::new();
    let value =
        || Event::ResourceInitialized(resource::Initialized { value: Datum::Value(1.into()) });
    scene.record(Kind::Resource, id("r"), value());
    scene.spawn(dependent("a", Dependency::Event(initialized)));
    let mut scheduler = Scheduler::default();
    scheduler.foresee(&scene.log[1]);
    scheduler.apply(&scene.log[0]);
    scheduler.apply(&scene.log[1]);
    assert_eq!(scheduler.due(at(0), usize::MAX), []);
    scene.record(Kind::Resource, id("r"), value());
    scheduler.apply(&scene.log[2]);
    assert_eq!(scheduler.due(at(0), usize::MAX).len(), 1);
}
