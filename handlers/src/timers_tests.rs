//! When the timer of an attempt is set, and when it is taken back.

use kantoku_domain::{
    Envelope, Kind, Namespace, Partition,
    task::{self, Command, Expire, Failure},
};

use serde_json::json;

use super::*;

fn id(key: &str) -> Id {
    Id::default().derive(key, Partition::of(1))
}

fn at(second: u64) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(second))
}

/// The event that happened to task `t` at `second`.
fn apply(timers: &mut Timers, second: u64, event: Event) -> Id {
    let envelope = Envelope {
        aggregate_id: id("t"),
        command_id: id(&format!("command {second}")),
        at: at(second),
        actor: "test".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id("context"),
    };
    let recorded = Recorded {
        stream_seq: second,
        subject: String::new(),
        namespace: Namespace::default(),
        aggregate: Kind::Task,
        id: id("t"),
        version: 0,
        event,
        metadata: envelope.metadata(0),
    };
    timers.apply(&recorded);
    recorded.metadata.event_id
}

fn spawned(timeout: Option<u64>) -> Event {
    limited(&timeout.map_or_else(|| json!({}), |millis| json!({ "attempt": millis })))
}

fn limited(timeouts: &serde_json::Value) -> Event {
    let spawned = serde_json::from_value(json!({
        "specification": { "name": "a", "version": 1, "digest": "sha256:0" },
        "inputs": {}, "outputs": {}, "context_id": id("context"), "queue": "default",
        "labels": {}, "retry": {}, "timeouts": timeouts,
    }));
    Event::TaskSpawned(spawned.expect("a task"))
}

fn received(attempt: u32) -> Event {
    let (node, boot_id) = ("a".into(), id("boot"));
    Event::TaskReceived(Received { attempt, node, boot_id, ready_seq: 1, round: 0 })
}

fn failed(attempt: u32) -> Event {
    let error = Failure::new("exit", "", true);
    Event::TaskAttemptFailed(task::AttemptFailed { attempt, error, not_before: at(0) })
}

fn ready(attempt: u32, round: u32) -> Event {
    let inputs = [].into();
    Event::TaskReady(Ready { task_id: id("t"), attempt, guard: 1, round, inputs })
}

/// An event of the task, written as it is stored.
fn event(type_: &str, data: &serde_json::Value) -> Event {
    serde_json::from_value(json!({ "type": type_, "data": data })).expect("an event")
}

fn paused() -> Event {
    event("TaskPaused", &json!({ "by": "anna", "since": at(0) }))
}

fn resumed() -> Event {
    event("TaskResumed", &json!({ "by": "anna" }))
}

fn skipped() -> Event {
    event("TaskSkipped", &json!({ "root_cause": id("a"), "missing": "input x" }))
}

fn revived() -> Event {
    event("TaskRevived", &json!({ "root_cause": id("a"), "restarted_as": id("b") }))
}

/// The timers that are to be set: which, when, and for what.
fn set(timers: &mut Timers) -> Vec<(Id, Timestamp, Limited)> {
    let set = |effect| match effect {
        Effect::SetTimer(timeout) => (timeout.timer, timeout.at, timeout.of),
        other => panic!("{other:?}"),
    };
    due(timers).into_iter().map(set).collect()
}

/// What is due is that these timers are taken back.
fn taken_back(timers: &mut Timers, expected: &[Id]) {
    let task_id = id("t");
    let cancel = |timer: &Id| Effect::CancelTimer { task_id, timer: *timer };
    assert_eq!(due(timers), expected.iter().map(cancel).collect::<Vec<_>>());
}

fn due(timers: &mut Timers) -> Vec<Effect> {
    timers.due(Timestamp::default(), 100)
}

#[test]
fn a_timer_is_set_for_a_grace_after_the_timeout_and_taken_back_when_the_attempt_ends() {
    let mut timers = Timers::new(Duration::from_secs(10));
    apply(&mut timers, 1, spawned(Some(30_000)));
    let claim = apply(&mut timers, 2, received(1));
    let [Effect::SetTimer(timeout)] = &due(&mut timers)[..] else { panic!("a timer") };
    assert_eq!(
        (timeout.timer, timeout.at, timeout.of),
        (claim, at(52), Limited::Attempt { attempt: 1 })
    );
    assert_eq!(due(&mut timers), []);

    apply(&mut timers, 3, failed(1));
    let task_id = id("t");
    assert_eq!(due(&mut timers), [Effect::CancelTimer { task_id, timer: claim }]);

    apply(&mut timers, 4, received(2));
    assert!(
        matches!(&due(&mut timers)[..], [Effect::SetTimer(timeout)] if timeout.of == Limited::Attempt { attempt: 2 })
    );
    apply(
        &mut timers,
        5,
        Event::TaskCancelled(task::Cancelled {
            reason: String::new(),
            by: None,
            dependents: vec![],
        }),
    );
    assert_eq!(due(&mut timers).len(), 1);
    assert!(timers.tasks.is_empty() && timers.running.is_empty());
}

#[test]
fn what_is_over_by_now_or_has_no_timeout_needs_no_timer() {
    let mut timers = Timers::new(Duration::from_secs(10));
    apply(&mut timers, 1, spawned(Some(30_000)));
    apply(&mut timers, 2, received(1));
    apply(&mut timers, 3, failed(1));
    assert_eq!(due(&mut timers), []);

    let mut timers = Timers::new(Duration::from_secs(10));
    apply(&mut timers, 1, spawned(None));
    apply(&mut timers, 2, received(1));
    assert_eq!(due(&mut timers), []);
}

#[test]
fn what_fires_ends_that_attempt_and_no_other() {
    let mut timers = Timers::new(Duration::from_secs(10));
    apply(&mut timers, 1, spawned(Some(30_000)));
    let claim = apply(&mut timers, 2, received(3));
    let Some(Effect::SetTimer(timeout)) = due(&mut timers).pop() else { panic!("a timer") };
    let Effect::Command { cause, command: Command::Fail { attempt, error }, .. } = timeout.effect()
    else {
        panic!("a command")
    };
    assert_eq!((cause, attempt), (claim, 3));
    assert!(error.retryable && error.message.contains("30s"), "{}", error.message);
    assert!(!error.is_loss(), "it counts");
}

#[test]
fn who_waits_in_a_queue_is_timed_from_the_first_announcement_to_the_claim() {
    let mut timers = Timers::new(Duration::from_secs(10));
    apply(&mut timers, 1, limited(&json!({ "queue": 30_000 })));
    assert_eq!(due(&mut timers), []);
    let first = apply(&mut timers, 2, ready(1, 0));
    let of = Limited::Queue { attempt: 1, round: 0 };
    assert_eq!(set(&mut timers), [(first, at(32), of)], "without a grace");
    apply(&mut timers, 3, ready(1, 0));
    assert_eq!(due(&mut timers), [], "once more, by another scheduler");
    apply(&mut timers, 4, received(1));
    taken_back(&mut timers, &[first]);

    apply(&mut timers, 5, failed(1));
    let second = apply(&mut timers, 6, ready(2, 0));
    assert_eq!(set(&mut timers), [(second, at(36), Limited::Queue { attempt: 2, round: 0 })]);
    // Nobody can claim what is paused; it will be announced anew.
    apply(&mut timers, 7, paused());
    taken_back(&mut timers, &[second]);
    apply(&mut timers, 8, resumed());
    let third = apply(&mut timers, 9, ready(2, 1));
    assert_eq!(set(&mut timers), [(third, at(39), Limited::Queue { attempt: 2, round: 1 })]);
}

#[test]
fn all_of_a_task_is_timed_from_its_spawn_or_revival_to_its_end() {
    let mut timers = Timers::new(Duration::from_secs(10));
    let spawn = apply(&mut timers, 1, limited(&json!({ "total": 60_000 })));
    assert_eq!(set(&mut timers), [(spawn, at(61), Limited::Total { round: 0 })]);
    apply(&mut timers, 2, received(1));
    apply(&mut timers, 3, failed(1));
    apply(&mut timers, 4, paused());
    assert_eq!(due(&mut timers), [], "it goes on");
    let resumption = apply(&mut timers, 5, resumed());
    let mut due = due(&mut timers);
    let again = due.split_off(1);
    assert_eq!(due, [Effect::CancelTimer { task_id: id("t"), timer: spawn }]);
    assert!(
        matches!(&again[..], [Effect::SetTimer(timeout)] if timeout.timer == resumption
            && timeout.at == at(61) && timeout.of == Limited::Total { round: 1 }),
        "another timer at the same time, in another round: {again:?}"
    );

    apply(&mut timers, 6, skipped());
    taken_back(&mut timers, &[resumption]);
    let revival = apply(&mut timers, 7, revived());
    assert_eq!(set(&mut timers), [(revival, at(67), Limited::Total { round: 2 })]);
    apply(&mut timers, 8, event("TaskFinished", &json!({ "attempt": 1, "outcome": "failed" })));
    taken_back(&mut timers, &[revival]);
    assert!(timers.tasks.is_empty() && timers.running.is_empty());
}

#[test]
fn a_time_that_is_up_ends_the_task_in_the_round_that_it_was_set_for() {
    let mut timers = Timers::new(Duration::from_secs(10));
    let spawn = apply(&mut timers, 1, limited(&json!({ "total": 60_000, "queue": 5_000 })));
    let announced = apply(&mut timers, 2, ready(1, 0));
    let fired = |effect| match effect {
        Effect::SetTimer(timeout) => match timeout.effect() {
            Effect::Command { cause, command: Command::Expire(expire), .. } => (cause, expire),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let fired: Vec<_> = due(&mut timers).into_iter().map(fired).collect();
    let queue = Expire::Queue { attempt: 1, round: 0 };
    assert_eq!(fired, [(spawn, Expire::Total { round: 0 }), (announced, queue)]);
}

#[test]
fn whoever_folds_the_history_anew_sets_what_still_runs_and_takes_nothing_back() {
    let mut timers = Timers::new(Duration::from_secs(10));
    let all = json!({ "attempt": 1_000, "queue": 1_000, "total": 60_000 });
    let spawn = apply(&mut timers, 1, limited(&all));
    apply(&mut timers, 2, ready(1, 0));
    let claim = apply(&mut timers, 3, received(1));
    let of = Limited::Attempt { attempt: 1 };
    let expected = [(spawn, at(61), Limited::Total { round: 0 }), (claim, at(24), of)];
    assert_eq!(set(&mut timers), expected);
}

#[test]
fn a_timer_is_read_as_it_was_written() {
    let mut timers = Timers::new(Duration::from_secs(10));
    apply(&mut timers, 1, limited(&json!({ "total": 60_000 })));
    let Some(Effect::SetTimer(timeout)) = due(&mut timers).pop() else { panic!("a timer") };
    let written = serde_json::to_value(&timeout).expect("written");
    assert_eq!(written["of"], json!({ "total": { "round": 0 } }));
    assert_eq!(serde_json::from_value::<Timeout>(written).expect("read"), timeout);
}
