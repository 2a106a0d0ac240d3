//! When the timer of an attempt is set, and when it is taken back.

use kantoku_domain::{
    Envelope, Kind, Namespace, Partition,
    task::{self, Command, Failure},
};

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
    let timeouts = timeout
        .map_or_else(|| serde_json::json!({}), |millis| serde_json::json!({ "attempt": millis }));
    let spawned = serde_json::from_value(serde_json::json!({
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
        (claim, at(42), Limited::Attempt { attempt: 1 })
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
