//! The algebra of dependencies: what holds, what does not yet, what never will, and why.

mod properties;
mod world;

use kantoku_domain::{
    Dependency, Kind, Namespace, Recorded, Timestamp,
    dependency::{Cause, Status},
};
use serde_json::{Value, json};
pub(crate) use world::World;

use crate::scenario::{envelope, uuid_like::id};

fn read(expression: Value) -> Dependency {
    serde_json::from_value(expression).expect("an expression")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const PENDING: Status = Status::Pending { next: None };

fn failed(root_causes: &[u64]) -> Status {
    let mut root_causes: Vec<_> = root_causes.iter().map(|n| id(*n)).collect();
    root_causes.sort_unstable();
    Status::Failed { root_causes }
}

#[test]
fn stored_forms_are_read_and_written_back() {
    for form in [
        json!({"all": [{"task": id(1)}, {"resource": id(2)}]}),
        json!({"any": [{"done": id(1)}, {"failed": id(2)}]}),
        json!({"at_least": {"count": 1, "of": [{"task": id(1)}]}}),
        json!({"not": {"at": "2026-01-01T00:00:00Z"}}),
        json!({"within": {"time": "1h", "of": {"task": id(1)}}}),
        json!({"window": {"cron": "0 2 * * *", "duration": "2h", "timezone": "UTC"}}),
        json!({"approval": {"name": "legal", "count": 2, "by": ["anna", "bob"]}}),
        json!({"event": {"type": "TypeApplied", "id": id(1), "labels": {"team": "a"}}}),
        json!({"http": {"url": "http://a/b", "expect": 204, "every": "5s"}}),
    ] {
        assert_eq!(serde_json::to_value(read(form.clone())).expect("JSON"), form);
    }
    assert_eq!(
        read(json!({"approval": "legal"})),
        read(json!({"approval": {"name": "legal", "count": 1, "by": []}}))
    );
    assert_eq!(
        read(json!({"http": "http://a"})),
        read(json!({"http": {"url": "http://a", "expect": 200, "every": "30s"}}))
    );
    let wrong = serde_json::from_value::<Dependency>(json!({"approval": {"nam": "legal"}}));
    assert!(wrong.expect_err("a typing error").to_string().contains("unknown field `nam`"));
}

#[test]
fn tasks_and_resources_settle() {
    let world = World::default()
        .resolved(1)
        .lost(2, 20, Cause::Failure)
        .ok(3)
        .failed(4)
        .cancelled(5)
        .skipped(6, 4, Cause::Failure)
        .skipped(7, 3, Cause::Rule);
    for (leaf, expected, negated) in [
        (json!({"resource": id(1)}), Status::Ready, failed(&[])),
        (json!({"resource": id(2)}), failed(&[20]), Status::Ready),
        (json!({"resource": id(9)}), PENDING, PENDING),
        (json!({"task": id(3)}), Status::Ready, failed(&[3])),
        (json!({"task": id(4)}), failed(&[4]), Status::Ready),
        (json!({"task": id(5)}), failed(&[5]), Status::Ready),
        (json!({"task": id(6)}), failed(&[4, 6]), Status::Ready),
        (json!({"task": id(9)}), PENDING, PENDING),
        (json!({"done": id(6)}), Status::Ready, failed(&[4, 6])),
        (json!({"done": id(9)}), PENDING, PENDING),
        (json!({"failed": id(4)}), Status::Ready, failed(&[4])),
        (json!({"failed": id(5)}), Status::Ready, failed(&[5])),
        (json!({"failed": id(6)}), Status::Ready, failed(&[4, 6])),
        (json!({"failed": id(3)}), failed(&[3]), Status::Ready),
        (json!({"failed": id(7)}), failed(&[3, 7]), Status::Ready),
    ] {
        assert_eq!(world.evaluate(&read(leaf.clone())), expected, "{leaf}");
        assert_eq!(world.evaluate(&read(json!({"not": leaf}))), negated, "not {leaf}");
        let twice = read(json!({"not": {"not": leaf}}));
        assert_eq!(world.evaluate(&twice), expected, "twice negated: {leaf}");
    }
}

#[test]
fn nodes_count_their_parts() {
    let world = World::default().ok(1).ok(2).failed(3).failed(4);
    let of = |tasks: &[u64]| tasks.iter().map(|n| json!({"task": id(*n)})).collect::<Vec<_>>();
    let at_least = |count, tasks| json!({"at_least": {"count": count, "of": of(tasks)}});
    for (expression, expected) in [
        (json!({"all": []}), Status::Ready),
        (json!({"any": []}), failed(&[])),
        (json!({"all": of(&[1, 2])}), Status::Ready),
        (json!({"all": of(&[1, 9])}), PENDING),
        (json!({"all": of(&[3, 9, 4])}), failed(&[3, 4])),
        (json!({"any": of(&[3, 1])}), Status::Ready),
        (json!({"any": of(&[3, 9])}), PENDING),
        (json!({"any": of(&[3, 4])}), failed(&[3, 4])),
        (at_least(2, &[1, 2, 3]), Status::Ready),
        (at_least(2, &[1, 9, 3]), PENDING),
        (at_least(2, &[1, 3, 4]), failed(&[3, 4])),
        (at_least(3, &[1, 2]), failed(&[])),
        (json!({"not": {"all": of(&[1, 3])}}), Status::Ready),
        (json!({"not": {"any": of(&[3, 9])}}), PENDING),
        (json!({"not": at_least(2, &[1, 3, 9])}), PENDING),
        (json!({"not": at_least(2, &[1, 3, 4])}), Status::Ready),
    ] {
        assert_eq!(world.evaluate(&read(expression.clone())), expected, "{expression}");
    }
}

#[test]
fn the_clock_decides_what_comes_and_goes() {
    let time = json!({"at": "2026-01-01T12:00:00Z"});
    let window = json!({"window": {"cron": "0 2 * * *", "duration": "2h"}});
    let task = json!({"task": id(1)});
    let next = |text: &str| Status::Pending { next: Some(at(text)) };
    let not = |it: &Value| json!({"not": it});
    // Since 1970, for it was spawned then.
    let in_time = |it: &Value| json!({"within": {"time": "20454.1d", "of": it}});
    for (now, expression, expected) in [
        ("2026-01-01T11:59:59Z", &time, next("2026-01-01T12:00:00Z")),
        ("2026-01-01T12:00:00Z", &time, Status::Ready),
        ("2026-01-01T11:59:59Z", &not(&time), Status::Ready),
        ("2026-01-01T12:00:00Z", &not(&time), failed(&[])),
        ("2026-01-01T01:59:00Z", &window, next("2026-01-01T02:00:00Z")),
        ("2026-01-01T02:00:00Z", &window, Status::Ready),
        ("2026-01-01T03:59:59Z", &window, Status::Ready),
        ("2026-01-01T04:00:00Z", &window, next("2026-01-02T02:00:00Z")),
        ("2026-01-01T04:00:00Z", &not(&window), Status::Ready),
        ("2026-01-01T03:00:00Z", &not(&window), next("2026-01-01T04:00:00Z")),
        ("2026-01-01T01:00:00Z", &json!({"all": [&time, &window]}), next("2026-01-01T02:00:00Z")),
        (
            "2026-01-01T01:00:00Z",
            &json!({"all": [not(&time), &task]}),
            next("2026-01-01T12:00:00Z"),
        ),
        ("2026-01-01T12:00:00Z", &json!({"all": [not(&time), &task]}), failed(&[])),
        (
            "2026-01-01T03:00:00Z",
            &json!({"all": [in_time(&window), &task]}),
            next("2026-01-01T04:00:00Z"),
        ),
        ("2026-01-01T04:00:00Z", &json!({"all": [in_time(&window), &task]}), failed(&[])),
    ] {
        let world = World::at(at(now));
        assert_eq!(world.evaluate(&read(expression.clone())), expected, "{expression} at {now}");
    }
}

#[test]
fn within_counts_when_it_happened_and_not_when_it_is_asked() {
    let hour = json!({"within": {"time": "1h", "of": {"task": id(1)}}});
    let minutes = |n: i64| Timestamp::from_micros(n * 60_000_000);
    let ask = |ended: Option<i64>, now: i64, expression: &Value| {
        let mut world = World::at(minutes(now));
        if let Some(at) = ended {
            world = world.ok_at(1, minutes(at));
        }
        world.evaluate(&read(expression.clone()))
    };
    let not = json!({"not": &hour});
    for (ended, now, expected, negated) in [
        (
            None,
            59,
            Status::Pending { next: Some(minutes(60)) },
            Status::Pending { next: Some(minutes(60)) },
        ),
        (None, 60, failed(&[]), Status::Ready),
        (Some(59), 600, Status::Ready, failed(&[1])),
        (Some(60), 600, failed(&[]), Status::Ready),
    ] {
        assert_eq!(ask(ended, now, &hour), expected, "ended at {ended:?}, asked at {now}");
        assert_eq!(ask(ended, now, &not), negated, "not: ended at {ended:?}, asked at {now}");
    }
}

#[test]
fn approvals_need_enough_different_people_who_may() {
    let two = read(json!({"approval": {"name": "legal", "count": 2, "by": ["anna", "bob"]}}));
    let veto = read(json!({"not": {"approval": "veto"}}));
    let world = World::default().approved("legal", "anna").approved("legal", "mallory");
    assert_eq!(world.evaluate(&two), PENDING);
    assert_eq!(world.evaluate(&veto), Status::Ready);
    let world = world.approved("legal", "bob").approved("veto", "mallory");
    assert_eq!(world.evaluate(&two), Status::Ready);
    assert_eq!(world.evaluate(&veto), failed(&[]));
}

#[test]
fn an_event_is_waited_for_by_type_id_and_labels() {
    let form = json!({"event": {"type": "TypeApplied", "id": id(1), "labels": {"team": "a"}}});
    let Dependency::Event(pattern) = read(form.clone()) else { panic!("an event") };
    assert_eq!(World::default().evaluate(&read(form.clone())), PENDING);
    let world = World::default().recorded(pattern.clone(), at("2026-01-01T00:00:00Z"));
    assert_eq!(world.evaluate(&read(form)), Status::Ready);

    let sample = include_str!("../golden/events.json");
    let samples: Vec<Value> = serde_json::from_str(sample).expect("JSON");
    let applied = samples.into_iter().find(|it| it["type"] == "TypeApplied").expect("a sample");
    let recorded = |id| Recorded {
        stream_seq: 1,
        subject: String::new(),
        namespace: Namespace::default(),
        aggregate: Kind::Type,
        id,
        version: 1,
        event: serde_json::from_value(applied.clone()).expect("an event"),
        metadata: envelope(1).metadata(0),
    };
    let labels = |team: &str| [("team".to_owned(), team.to_owned())].into();
    assert!(pattern.matches(&recorded(id(1)), &labels("a")));
    assert!(!pattern.matches(&recorded(id(1)), &labels("b")));
    assert!(!pattern.matches(&recorded(id(2)), &labels("a")));
}

#[test]
fn probes_are_asked_again_until_they_answer_as_expected() {
    let probe = json!({"http": {"url": "http://a", "expect": 200, "every": "10s"}});
    let seconds = |n: i64| Timestamp::from_micros(n * 1_000_000);
    let pending = |at| Status::Pending { next: Some(seconds(at)) };
    let world = World::at(seconds(5));
    assert_eq!(world.evaluate(&read(probe.clone())), pending(5), "at once");
    let world = world.probed("http://a", Some(503), seconds(5));
    assert_eq!(world.evaluate(&read(probe.clone())), pending(15));
    assert_eq!(world.evaluate(&read(json!({"not": &probe}))), Status::Ready);
    let world = world.probed("http://a", Some(200), seconds(15));
    assert_eq!(world.evaluate(&read(probe)), Status::Ready);
}

#[test]
fn an_explanation_is_the_smallest_set_of_facts() {
    let world = World::default().ok(1).ok(2).failed(3).failed(4).approved("legal", "anna");
    let explain = |expression: Value| {
        let explanation = read(expression).explain("depends_on", &world, world.now);
        explanation.grounds.iter().map(|it| it.message.clone()).collect::<Vec<_>>()
    };
    let task = |n: u64| json!({"task": id(n)});
    let [one, three, nine] = [1, 3, 9].map(id);
    assert_eq!(
        explain(json!({"all": [task(1), {"any": [task(3), task(9)]}]})),
        [format!("task {nine} has not ended yet")]
    );
    assert_eq!(
        explain(json!({"all": [{"all": [task(9), task(4), task(3)]}, task(3)]})).len(),
        1,
        "one failure is enough"
    );
    assert_eq!(
        explain(json!({"any": [{"all": [task(1), task(2)]}, task(1), task(9)]})),
        [format!("task {one} finished ok")]
    );
    assert_eq!(explain(json!({"not": task(3)})), [format!("task {three} failed")]);
    assert_eq!(
        explain(json!({"approval": {"name": "legal", "count": 2, "by": ["anna", "bob"]}})),
        ["approval \"legal\" has 1 of 2 (anna); it may be given by anna, bob"]
    );
    let choice = read(json!({"any": [task(8), task(9)]}));
    let grounds = choice.explain("depends_on", &world, world.now).grounds;
    assert_eq!(grounds.iter().map(|it| it.one_of).collect::<Vec<_>>(), [Some((1, 2)); 2]);
    let late = read(json!({"within": {"time": "1s", "of": {"approval": "x"}}}));
    let world = World::at(at("2026-01-01T00:00:00Z"));
    let grounds = late.explain("depends_on", &world, world.now).grounds;
    assert_eq!(grounds[0].message, "it did not come within 1s, since 1970-01-01T00:00:00Z");
}

#[test]
fn every_problem_is_named_with_its_place_and_a_way_out() {
    let problems = |expression: Value| -> Vec<String> {
        let problems = read(expression).problems(&["depends_on"]);
        problems.iter().map(ToString::to_string).collect()
    };
    for (expression, expected) in [
        (json!({"any": []}), "depends_on.any: any of nothing never holds"),
        (
            json!({"all": [{"at_least": {"count": 2, "of": [{"task": id(1)}]}}]}),
            "depends_on.all.0.at_least: at least 2 of 1 cannot be asked for",
        ),
        (
            json!({"within": {"time": 0, "of": {"task": id(1)}}}),
            "depends_on.within: nothing happens within no time; write time: 1h",
        ),
        (
            json!({"within": {"time": 1, "of": {"approval": ""}}}),
            "depends_on.within.of.approval: the name of an approval has 1 to 100 bytes",
        ),
        (
            json!({"approval": {"name": "a", "count": 3, "by": ["x", "y"]}}),
            "depends_on.approval: 3 have to approve, but by names 2",
        ),
        (
            json!({"all": [{"approval": "a"}, {"approval": {"name": "a", "count": 2}}]}),
            "depends_on.all.1.approval: there is another approval \"a\", which asks for others",
        ),
        (
            json!({"event": {"type": "TaskFinnished"}}),
            "depends_on.event: there is no event \"TaskFinnished\"; did you mean \"TaskFinished\"?",
        ),
        (
            json!({"http": "https://me:secret@host/x"}),
            "depends_on.http: a URL with a password would be stored in events; \
             take out what stands before @",
        ),
        (
            json!({"http": "host/x"}),
            "depends_on.http: this is no URL; write http://host/path or https://host/path",
        ),
        (
            json!({"window": {"cron": "@daily", "duration": 0}}),
            "depends_on.window: a window without a duration never opens; write duration: 1h",
        ),
        (
            json!({"window": {"cron": "0 0 31 feb *", "duration": "1h"}}),
            "depends_on.window: \"0 0 31 feb *\": no such day ever comes",
        ),
        (
            json!({"window": {"cron": "9-3 * * * *", "duration": "1h"}}),
            "depends_on.window: minute \"9-3\" runs backwards; write two ranges",
        ),
    ] {
        assert_eq!(problems(expression.clone()), [expected], "{expression}");
    }
    let deep = (0..20).fold(json!({"task": id(1)}), |inner, _| json!({"not": inner}));
    assert!(problems(deep)[0].ends_with("the expression nests more than 16 deep"));
    let wide = json!({"all": vec![json!({"task": id(1)}); 10_001]});
    assert_eq!(problems(wide), ["depends_on: 10001 facts are more than 10000"]);
    let sound = json!({"any": [{"task": id(1)}, {"all": []}, {"http": "http://a?x=@"}]});
    assert_eq!(problems(sound), [""; 0]);
}
