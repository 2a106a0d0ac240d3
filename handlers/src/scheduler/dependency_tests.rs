//! What tasks wait for, and when they are given up.

use kantoku_domain::{
    Dependency, Event, Kind, Millis, TriggerRule,
    dependency::{Approval, EventPattern, HttpProbe, Timezone, Trigger, Upstream, Window},
    resource,
    task::{Approved, Cancel, Command, Resolved, Spawned},
};

use super::{testing::*, *};

fn approval(count: u32) -> Dependency {
    Dependency::Approval(Approval { name: "release".into(), count, by: vec![] })
}

fn approve(scene: &mut Scene, step: &str, by: &str) {
    let approved = Approved { name: "release".into(), by: by.into() };
    scene.order(id(step), &Command::Approve(approved));
}

fn window(cron: &str, seconds: u64) -> Dependency {
    let (cron, duration) = (cron.parse().expect("a cron"), Millis(seconds * 1_000));
    Dependency::Window(Window { cron, duration, timezone: Timezone::Utc })
}

#[test]
fn a_task_is_announced_once_all_that_it_reads_is_there() {
    let mut scene = Scene::of([reader("c", &["a", "b"]), task("a"), task("b")]);
    assert_eq!(scene.act(), ["ready a 1.0", "ready b 1.0"]);
    scene.succeed("a");
    let a = scene.log.len() as u64;
    assert_eq!(scene.act(), [""; 0]);
    scene.succeed("b");
    let b = scene.log.len() as u64;
    let due = scene.due();
    let [Effect::Announce { ready, cause, .. }] = &due[..] else { panic!("{due:?}") };
    let resolved = |seq| Resolved { seq, output: Some("out".into()) };
    let inputs = [("a".to_owned(), resolved(a)), ("b".to_owned(), resolved(b))];
    assert_eq!(ready.inputs, inputs.into());
    assert_eq!(*cause, scene.log.last().expect("b ended").metadata.event_id);
}

#[test]
fn what_was_resolved_before_is_found_by_those_who_come_later() {
    let mut scene = Scene::of([task("a")]);
    scene.act();
    scene.succeed("a");
    scene.spawn(reader("b", &["a"]));
    scene.spawn(dependent("c", Dependency::Task(id("a"))));
    assert_eq!(scene.act(), ["ready b 1.0", "ready c 1.0"]);
}

#[test]
fn a_resource_of_nobody_is_waited_for() {
    let mut scene = Scene::of([dependent("a", Dependency::Resource(id("r")))]);
    assert_eq!(scene.act(), [""; 0]);
    let initialized = resource::Initialized { value: kantoku_domain::Datum::Value(1.into()) };
    scene.record(Kind::Resource, id("r"), Event::ResourceInitialized(initialized));
    assert_eq!(scene.act(), ["ready a 1.0"]);
}

#[test]
fn a_failure_skips_those_who_need_it_and_those_who_need_them() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"]), reader("c", &["b"])]);
    scene.act();
    scene.fail("a", true);
    assert_eq!(scene.act(), [""; 0], "another attempt may do better");
    assert_eq!(scene.wait_until(60), ["ready a 2.0"]);
    scene.fail("a", true);
    assert_eq!(scene.act(), ["skip b because of a"]);
    assert_eq!(scene.act(), ["skip c because of a, b"]);
    assert_eq!(scene.scheduler.tasks(), 0);
}

#[test]
fn a_cancelled_task_skips_its_dependents() {
    let mut scene = Scene::of([task("a"), dependent("b", Dependency::Task(id("a")))]);
    scene.order(id("a"), &Command::Cancel(Cancel::because("enough")));
    assert_eq!(scene.act(), ["skip b because of a"]);
}

#[test]
fn dependents_that_are_stopped_with_it_are_not_given_up_unless_they_come_back_first() {
    let mut scene = Scene::of([
        task("a"),
        dependent("b", Dependency::Task(id("a"))),
        dependent("c", Dependency::Task(id("a"))),
    ]);
    let dependents = vec![id("b"), id("c"), id("d")];
    scene.order(id("a"), &Command::Cancel(Cancel { dependents, ..Cancel::default() }));
    scene.spawn(dependent("d", Dependency::Task(id("a"))));
    assert_eq!(scene.act(), Vec::<String>::new());
    scene.order(id("b"), &Command::Cancel(Cancel::because("with a")));
    // The order to stop does not reach a task that was resumed since.
    scene.order(id("c"), &Command::Pause { reason: String::new() });
    scene.order(id("c"), &Command::Resume);
    assert_eq!(scene.act(), ["skip c because of a"]);
    scene.order(id("d"), &Command::Cancel(Cancel::because("with a")));
    assert_eq!(scene.scheduler.tasks(), 0);
}

#[test]
fn an_output_passed_to_a_child_is_waited_for() {
    let mut scene = Scene::of([task("a"), reader("b", &["a"])]);
    scene.act();
    scene.delegate("a");
    assert_eq!(scene.act(), ["ready child 1.0"], "the custodian is live: b is not given up");
    scene.fail("child", false);
    assert_eq!(scene.act(), ["skip b because of child"]);
}

#[test]
fn some_of_several_are_enough() {
    let one = |step: &str| Dependency::Task(id(step));
    let two_of_three = Dependency::AtLeast { count: 2, of: vec![one("a"), one("b"), one("c")] };
    let any = Dependency::Any(vec![one("a"), one("b")]);
    let none = Dependency::Not(Box::new(one("a")));
    let mut scene = Scene::of(["a", "b", "c"].map(task));
    scene.spawn(dependent("two", two_of_three));
    scene.spawn(dependent("any", any));
    scene.spawn(dependent("none", none));
    scene.act();
    scene.fail("a", false);
    assert_eq!(scene.act(), ["ready none 1.0"]);
    scene.succeed("b");
    assert_eq!(scene.act(), ["ready any 1.0"]);
    scene.fail("c", false);
    assert_eq!(scene.act(), ["skip two because of a, c"]);
}

#[test]
fn people_have_to_say_yes_and_each_once() {
    let mut scene = Scene::of([dependent("a", approval(2))]);
    assert_eq!(scene.act(), [""; 0]);
    approve(&mut scene, "a", "ann");
    assert_eq!(scene.act(), [""; 0]);
    approve(&mut scene, "a", "bob");
    assert_eq!(scene.act(), ["ready a 1.0"]);
}

#[test]
fn an_approval_that_overtakes_an_announcement_makes_another_due() {
    let either = Dependency::Any(vec![Dependency::At(at(0)), approval(1)]);
    let mut scene = Scene::of([dependent("a", either)]);
    let mut due = scene.due();
    approve(&mut scene, "a", "ann");
    assert_eq!(scene.carry_out(due.remove(0)), "refused: ready a 1.0");
    assert_eq!(scene.act(), ["ready a 1.0"]);
    // One that comes later leaves the announcement as it is: the claim goes by attempt and round.
    let both = Dependency::Any(vec![Dependency::At(at(0)), approval(1)]);
    scene.spawn(dependent("b", both));
    assert_eq!(scene.act(), ["ready b 1.0"]);
    approve(&mut scene, "b", "ann");
    assert_eq!(scene.act(), [""; 0]);
}

#[test]
fn the_clock_makes_things_due_and_is_told_when() {
    let mut scene = Scene::of([dependent("a", Dependency::At(at(30)))]);
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.scheduler.next_due(), Some(at(30)));
    assert_eq!(scene.wait_until(29), [""; 0]);
    assert_eq!(scene.wait_until(30), ["ready a 1.0"]);
    assert_eq!(scene.scheduler.next_due(), None);
}

#[test]
fn a_deadline_that_passes_is_nobodys_fault() {
    let of = Box::new(Dependency::Task(id("a")));
    let within = Dependency::Within { time: Millis(20_000), of };
    let mut scene = Scene::of([task("a"), dependent("b", within)]);
    assert_eq!(scene.act(), ["ready a 1.0"]);
    assert_eq!(scene.scheduler.next_due(), Some(at(20)));
    assert_eq!(scene.wait_until(20), ["skip b because of b"]);
    scene.succeed("a");
    assert_eq!(scene.act(), [""; 0], "what comes too late changes nothing");
}

#[test]
fn who_waits_for_admission_in_a_window_has_to_be_admitted_in_it() {
    let mut scene = Scene::with_window(1);
    scene.spawn(task("first"));
    assert_eq!(scene.act(), ["ready first 1.0"]);
    // From each full hour on for ten minutes; it is the first second of one.
    scene.spawn(dependent("a", window("0 * * * *", 600)));
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.standing("a").stage.name(), "queued");
    assert_eq!(scene.wait_until(600), [""; 0]);
    assert_eq!(scene.standing("a").stage.name(), "waiting");
    scene.receive("first");
    assert_eq!(scene.act(), [""; 0], "there is room, and the window is closed");
    assert_eq!(scene.scheduler.next_due(), Some(at(3_600)));
    assert_eq!(scene.wait_until(3_600), ["ready a 1.0"]);
}

#[test]
fn an_event_counts_that_comes_after_the_task() {
    let cancelled = |step: &str| EventPattern {
        type_: "TaskCancelled".into(),
        id: Some(id(step)),
        labels: [("team".to_owned(), "x".to_owned())].into(),
    };
    let labelled = |step: &str, team: &str| Spawned {
        labels: [("team".to_owned(), team.to_owned())].into(),
        ..dependent(step, Dependency::At(at(1_000)))
    };
    let mut scene = Scene::of([labelled("a", "x"), labelled("b", "x"), labelled("c", "y")]);
    let stop = Command::Cancel(Cancel::because("enough"));
    scene.order(id("a"), &stop);
    for (step, of) in [("1", "a"), ("2", "b"), ("3", "c")] {
        scene.spawn(dependent(step, Dependency::Event(cancelled(of))));
    }
    assert_eq!(scene.act(), [""; 0]);
    scene.order(id("b"), &stop);
    scene.order(id("c"), &stop);
    assert_eq!(scene.act(), ["ready 2 1.0"], "a was before, c has other labels");
}

#[test]
fn a_probe_is_asked_until_it_is_answered_as_expected() {
    let probe = HttpProbe { url: "http://x".into(), expect: 200, every: Millis(30_000) };
    let http = || Dependency::Http(probe.clone());
    let mut scene = Scene::of([dependent("a", http()), dependent("b", http())]);
    assert_eq!(scene.act(), ["probe http://x"], "both share it");
    assert_eq!(scene.wait_until(5), [""; 0], "one question at a time");
    scene.answer(&probe, Some(503));
    assert_eq!(scene.act(), [""; 0]);
    assert_eq!(scene.scheduler.next_due(), Some(at(35)));
    assert_eq!(scene.wait_until(35), ["probe http://x"]);
    assert_eq!(scene.wait_until(94), [""; 0]);
    assert_eq!(scene.wait_until(95), ["probe http://x"], "the answer was lost");
    scene.answer(&probe, Some(200));
    assert_eq!(scene.act(), ["ready a 1.0", "ready b 1.0"]);
}

#[test]
fn an_answer_of_long_ago_does_not_count() {
    let probe = HttpProbe { url: "http://x".into(), expect: 200, every: Millis(30_000) };
    let both = Dependency::All(vec![Dependency::Http(probe.clone()), Dependency::Task(id("a"))]);
    let mut scene = Scene::of([task("a"), dependent("b", both)]);
    assert_eq!(scene.act(), ["probe http://x", "ready a 1.0"]);
    scene.answer(&probe, Some(200));
    assert_eq!(scene.act(), [""; 0]);
    scene.now = 3_600;
    scene.succeed("a");
    assert_eq!(scene.act(), ["probe http://x"]);
    scene.answer(&probe, Some(200));
    assert_eq!(scene.act(), ["ready b 1.0"]);
}

fn when(step: &str, rule: TriggerRule, of: &[&str]) -> Spawned {
    let upstream = |step: &&str| Upstream { task: id(step), inputs: vec![(*step).to_owned()] };
    let trigger = Trigger { rule, upstream: of.iter().map(upstream).collect() };
    Spawned { when: Some(trigger), ..reader(step, of) }
}

#[test]
fn a_rule_decides_over_the_ends_of_those_before() {
    use TriggerRule::{AllDone, AllFailed, AllOk, AnyFailed, AnyOk, NoneFailed};
    let mut scene = Scene::of([task("a"), task("b")]);
    for rule in [AllOk, AllDone, AnyOk, AnyFailed, AllFailed, NoneFailed] {
        scene.spawn(when(rule.name(), rule, &["a", "b"]));
    }
    scene.act();
    scene.fail("a", false);
    let given_up = ["skip all_ok because of a", "skip none_failed because of a"];
    assert_eq!(scene.act(), [&["ready any_failed 1.0"][..], &given_up[..]].concat());
    scene.succeed("b");
    assert_eq!(
        scene.act(),
        ["ready all_done 1.0", "ready any_ok 1.0", "skip all_failed because of b"]
    );
    let announced = |recorded: &&Recorded| match &recorded.event {
        Event::TaskReady(ready) => ready.task_id == id("all_done"),
        _ => false,
    };
    let ready = scene.log.iter().rfind(announced).expect("all_done was announced");
    let Event::TaskReady(ready) = &ready.event else { panic!("{ready:?}") };
    assert_eq!(ready.inputs.keys().collect::<Vec<_>>(), ["b"], "what did not arrive is left out");
}
