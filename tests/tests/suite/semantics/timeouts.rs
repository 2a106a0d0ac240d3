//! How long things may take, and after which failures they are tried again.

use std::time::Duration;

use kantoku_api::contract::{Spawned, TaskPause};
use kantoku_domain::{
    Event,
    task::{Expired, Failure, Finished, Outcome},
};
use serde_json::{Value, json};

use super::{
    SELDOM, SOON,
    ground::Ground,
    survivors::{gone, none_left},
};

/// The failures of a task's attempts, the last one included, and its end.
async fn failures(ground: &Ground, task: &Spawned) -> (Vec<Failure>, Finished) {
    let finished = ground.events.finished(task.task_id).await;
    let events = ground.events.of(task.task_id);
    let mut failures: Vec<_> = events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::TaskAttemptFailed(failed) => Some(failed.error.clone()),
            _ => None,
        })
        .collect();
    failures.extend(finished.error.clone());
    (failures, finished)
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_failures_decide_over_further_attempts() {
    let mut ground = Box::pin(Ground::start("2s")).await;
    ground.execute("executor");
    let exit = "exit 3";
    let no_json = "echo hello";
    let forever = "exec sleep 1000";
    let cases = [
        // A script, its policy, and of which kinds its attempts fail.
        (exit, json!({}), vec!["exit"; 3]),
        (exit, json!({"on": ["exit"]}), vec!["exit"; 3]),
        (exit, json!({"on": ["http", "timeout"]}), vec!["exit"]),
        (exit, json!({"not_on": ["exit"]}), vec!["exit"]),
        (exit, json!({"not_on": ["timeout"]}), vec!["exit"; 3]),
        // Another attempt can do no better, says the executor.
        (no_json, json!({}), vec!["result"]),
        (no_json, json!({"on": ["result"]}), vec!["result"; 3]),
        (forever, json!({}), vec!["timeout"; 3]),
        (forever, json!({"not_on": ["timeout"]}), vec!["timeout"]),
    ];
    let mut tasks = Vec::new();
    for (number, (script, retry, _)) in cases.iter().enumerate() {
        let mut policy = json!({"attempts": 3, "backoff": "1ms"});
        let (Value::Object(all), Value::Object(more)) = (&mut policy, retry) else {
            panic!("two maps")
        };
        all.extend(more.clone());
        let name = format!("case-{number}");
        let more = json!({"retry": policy, "timeouts": {"attempt": "500ms"}});
        ground.apply_sh(&name, script, more).await;
        tasks.push(ground.spawn(&name).await);
    }
    for (task, (script, retry, expected)) in tasks.iter().zip(&cases) {
        let (failures, finished) = failures(&ground, task).await;
        let kinds: Vec<_> = failures.iter().map(|failure| failure.kind.as_str()).collect();
        assert_eq!(kinds, *expected, "{script} with {retry}");
        assert_eq!(finished.outcome, Outcome::Failed);
        assert_eq!(finished.attempt as usize, expected.len());
    }
    Box::pin(ground.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_too_long_is_followed_by_another_and_leaves_nothing_behind() {
    let mut ground = Box::pin(Ground::start("2s")).await;
    ground.execute("executor");
    let script = "echo $$ >&2; sleep 1000 & echo $! >&2; setsid sleep 1000 & wait; wait";
    let more = json!({
        "retry": {"attempts": 2, "backoff": "1ms"}, "timeouts": {"attempt": "800ms"},
    });
    ground.apply_sh("stay", script, more).await;
    let task = ground.spawn("stay").await;
    let (failures, finished) = failures(&ground, &task).await;
    assert_eq!((failures.len(), finished.attempt, finished.expired), (2, 2, None));
    for failure in &failures {
        assert_eq!(failure.kind, "timeout");
        assert!(failure.message.contains("800ms (timeouts.attempt)"), "{failure:?}");
    }
    for attempt in [1, 2] {
        let pids = ground.pids(&task, attempt, 2).await;
        gone(&pids).await;
        let (_, claimed) = ground.events.received(task.task_id, attempt).await;
        let events = ground.events.of(task.task_id);
        let end = events.iter().find(|it| it.version > 2 * u64::from(attempt)).expect("it ended");
        let took = end.metadata.at.since(claimed);
        assert!(took >= Duration::from_millis(800), "{took:?}: it was given its time");
    }
    none_left(task.task_id).await;
    Box::pin(ground.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_claims_in_time_fails_and_what_nobody_announces_does_not() {
    let mut ground = Box::pin(Ground::start("2s")).await;
    ground.execute("executor");
    let more = json!({"queue": "nobody", "timeouts": {"queue": "600ms"}});
    ground.apply_sh("unwanted", "true", more).await;
    ground.apply_sh("wanted", "sleep 1", json!({"timeouts": {"queue": "600ms"}})).await;
    let (unwanted, wanted) = (ground.spawn("unwanted").await, ground.spawn("wanted").await);
    let (failures, finished) = failures(&ground, &unwanted).await;
    assert_eq!((finished.attempt, finished.expired), (0, Some(Expired::Queue)));
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].kind, "timeout");
    assert!(failures[0].message.contains("600ms (timeouts.queue)"), "{failures:?}");
    let announced = ground.events.until("it is announced", |recorded| match &recorded.event {
        Event::TaskReady(ready) if ready.task_id == unwanted.task_id => Some(recorded.metadata.at),
        _ => None,
    });
    let announced = announced.await;
    let ended = ground.events.of(unwanted.task_id).last().expect("its end").metadata.at;
    let took = ended.since(announced);
    eprintln!("with a time of 600 ms in the queue it failed {took:?} after it was announced");
    assert!(took >= Duration::from_millis(600), "{took:?}");
    // The time in the queue is over once it is claimed.
    assert_eq!(ground.events.finished(wanted.task_id).await.outcome, Outcome::Ok);
    Box::pin(ground.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_its_time_is_up_a_task_fails_whether_it_runs_or_waits() {
    let mut ground = Box::pin(Ground::start(SELDOM)).await;
    ground.execute("executor");
    let more = json!({
        "retry": {"attempts": 5, "backoff": "1ms"}, "timeouts": {"total": "2s"},
    });
    ground.apply_sh("runs", "echo $$ >&2; exec sleep 1000", more.clone()).await;
    let mut elsewhere = more.clone();
    elsewhere["queue"] = json!("nobody");
    ground.apply_sh("waits", "true", elsewhere).await;
    let (runs, waits) = (ground.spawn("runs").await, ground.spawn("waits").await);
    // A pause does not hold up the time.
    ground.call::<TaskPause>(json!({"id": waits.task_id, "reason": "later"})).await;
    let pids = ground.pids(&runs, 1, 1).await;
    ground.events.finished(runs.task_id).await;
    let took = gone(&pids).await;
    eprintln!("its process was gone {took:?} after it was known that all its time is up");
    assert!(took < SOON, "{took:?}: it was told at once");
    none_left(runs.task_id).await;
    for (task, attempt) in [(&runs, 1), (&waits, 0)] {
        let (failures, finished) = failures(&ground, task).await;
        assert_eq!((finished.attempt, finished.expired), (attempt, Some(Expired::Total)));
        assert_eq!((failures.len(), failures[0].kind.as_str()), (1, "timeout"), "{failures:?}");
        assert!(failures[0].message.contains("2s (timeouts.total)"), "{failures:?}");
        let events = ground.events.of(task.task_id);
        let (spawned, ended) = (events[0].metadata.at, events.last().expect("its end").metadata.at);
        let took = ended.since(spawned);
        eprintln!("with two seconds for all of it, it ended {took:?} after it was spawned");
        assert!(took >= Duration::from_secs(2), "{took:?}");
    }
    Box::pin(ground.stop()).await;
}
