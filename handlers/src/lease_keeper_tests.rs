//! When a lease is lost, and when it is not.

use kantoku_domain::{Envelope, Kind, Millis, Partition, Timestamp};

use serde_json::json;

use super::*;

const LEASE: Duration = Duration::from_secs(10);
const NONE: [u32; 0] = [];

fn id(key: &str) -> Id {
    Id::default().derive(key, Partition::of(1))
}

fn at(second: u64) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(second))
}

/// A keeper, and the stream that it reads.
struct Scenario {
    keeper: LeaseKeeper,
    position: u64,
}

fn scenario() -> Scenario {
    Scenario { keeper: LeaseKeeper::new(LEASE), position: 0 }
}

impl Scenario {
    /// The next event of task `t`.
    fn apply(&mut self, event: Event) -> Recorded {
        self.position += 1;
        let envelope = Envelope {
            aggregate_id: id("t"),
            command_id: id(&format!("command {}", self.position)),
            at: at(0),
            actor: "test".into(),
            service_id: "test".into(),
            causation_id: None,
            correlation_id: id("context"),
        };
        let recorded = Recorded {
            stream_seq: self.position,
            subject: String::new(),
            namespace: Namespace::default(),
            aggregate: Kind::Task,
            id: id("t"),
            version: 0,
            event,
            metadata: envelope.metadata(0),
        };
        self.keeper.apply(&recorded);
        recorded
    }

    /// Run `boot` of executor `a` claims `attempt`; the attempt as the executor has it.
    fn claim(&mut self, attempt: u32, boot: &str) -> HeldAttempt {
        let (node, boot_id) = ("a".to_owned(), id(boot));
        let received = task::Received { attempt, node, boot_id, ready_seq: 1, round: 0 };
        let fence = self.apply(Event::TaskReceived(received)).stream_seq;
        HeldAttempt { task_id: id("t"), attempt, fence }
    }

    fn cancel(&mut self) {
        self.apply(Event::TaskCancelled(task::Cancelled {
            reason: "enough".into(),
            by: None,
            dependents: vec![],
        }));
    }

    fn beat(
        &mut self,
        second: u64,
        boot: &str,
        born: u64,
        attempts: &[HeldAttempt],
    ) -> HeartbeatReply {
        let (service_id, boot_id) = ("a".to_owned(), id(boot));
        let lease = Millis(LEASE.as_millis() as u64);
        let beat = Heartbeat { service_id, boot_id, born, attempts: attempts.to_vec(), lease };
        self.keeper.heard(&beat, at(second))
    }

    fn echoes(&mut self, seconds: std::ops::RangeInclusive<u64>) {
        seconds.for_each(|second| self.keeper.echoed(at(second)));
    }

    /// The attempts that are taken away now.
    fn lost(&mut self) -> Vec<u32> {
        let effects = self.keeper.due(Timestamp::default(), 100);
        let attempt = |effect| match effect {
            Effect::Command { command: Command::Fail { attempt, error }, .. } => {
                assert!(error.is_loss() && error.retryable, "{error:?}");
                attempt
            }
            other => panic!("{other:?}"),
        };
        effects.into_iter().map(attempt).collect()
    }
}

#[test]
fn who_is_silent_for_a_lease_time_loses_what_it_has_once() {
    let mut given = scenario();
    given.claim(1, "boot");
    given.echoes(0..=9);
    assert_eq!(given.lost(), NONE);
    given.echoes(10..=10);
    assert_eq!(given.lost(), [1]);
    given.echoes(11..=40);
    assert_eq!(given.lost(), NONE, "it is said once");
}

#[test]
fn who_is_heard_keeps_what_it_lists_and_loses_what_it_does_not() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    for second in 0..60 {
        given.echoes(second..=second);
        assert_eq!(given.beat(second, "boot", 0, &[held]), HeartbeatReply::default());
    }
    assert_eq!(given.lost(), NONE);
    for second in 60..75 {
        given.echoes(second..=second);
        given.beat(second, "boot", 0, &[]);
    }
    assert_eq!(given.lost(), [1], "nobody works on it");
}

#[test]
fn a_claim_begins_a_lease_without_a_heartbeat() {
    let mut given = scenario();
    given.echoes(0..=50);
    given.claim(1, "boot");
    given.echoes(51..=60);
    assert_eq!(given.lost(), NONE);
    given.echoes(61..=61);
    assert_eq!(given.lost(), [1]);
}

#[test]
fn a_keeper_that_did_not_listen_judges_nobody() {
    // It has just begun, was cut off, or stood still.
    for gap in ["beginning", "interruption", "standstill"] {
        let mut given = scenario();
        let held = given.claim(1, "boot");
        if gap != "beginning" {
            given.echoes(0..=5);
            given.beat(5, "boot", 0, &[held]);
        }
        if gap == "interruption" {
            given.echoes(6..=14);
            given.keeper.interrupted();
        }
        given.echoes(17..=26);
        assert_eq!(given.lost(), NONE, "{gap}");
        given.echoes(27..=27);
        assert_eq!(given.lost().len(), 1, "{gap}: {:?}", given.keeper);
    }
}

#[test]
fn without_echoes_nobody_is_judged_however_long_it_takes() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    given.echoes(0..=3);
    // The keeper stood still for an hour: heartbeats wait, and the echo behind them.
    given.beat(3_600, "boot", 0, &[held]);
    given.echoes(4..=4);
    given.echoes(3_600..=3_605);
    assert_eq!(given.lost(), NONE);
}

#[test]
fn a_new_run_ends_what_the_old_one_had_at_once_and_nothing_else() {
    let mut given = scenario();
    let old = given.claim(1, "old");
    let born = given.position;
    given.beat(0, "new", born, &[]);
    assert_eq!(given.lost(), [1], "without any listening");
    assert_eq!(given.beat(1, "old", 0, &[old]).lost, [old], "should it be there still, it is told");

    // Two processes with one id: each keeps what it claims from now on.
    given.apply(Event::TaskAttemptFailed(task::AttemptFailed {
        attempt: 1,
        error: Failure::new(Failure::LEASE, "", true),
        not_before: at(0),
    }));
    let late = given.claim(2, "old");
    assert_eq!(given.beat(2, "new", born, &[]), HeartbeatReply::default());
    assert_eq!(given.beat(3, "old", 0, &[late]), HeartbeatReply::default());
    assert_eq!(given.lost(), NONE);
}

#[test]
fn what_is_cancelled_is_ordered_at_once_and_said_again_with_its_reason() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    given.echoes(0..=0);
    given.cancel();
    let order = CancelOrder { task_id: id("t"), attempt: 1, reason: "enough".into() };
    let effects = given.keeper.due(at(0), 100);
    assert_eq!(effects, [Effect::Order { service_id: "a".into(), order: order.clone() }]);
    let reply = given.beat(1, "boot", 0, &[held]);
    assert_eq!((reply.cancelled, reply.lost), (vec![order], vec![]));
}

/// An event of task `t`, written as it is stored.
fn event(type_: &str, data: &serde_json::Value) -> Event {
    let event = serde_json::json!({ "type": type_, "data": data });
    serde_json::from_value(event).expect("an event")
}

#[test]
fn an_attempt_that_ends_by_another_hand_is_ordered_to_stop() {
    let specification = json!({ "name": "a", "version": 1, "digest": "sha256:0" });
    let task = json!({
        "specification": specification, "inputs": {}, "outputs": {}, "context_id": id("context"),
        "queue": "default", "retry": {}, "timeouts": {},
    });
    let restarted = json!({
        "successor": { "id": id("t2"), "task": task }, "outputs": "reallocate", "version": "same",
        "reason": "new data", "by": "anna", "step_of": id("restart"),
    });
    let error = json!({ "kind": "timeout", "message": "too long", "retryable": false });
    let expired = json!({ "attempt": 1, "outcome": "failed", "expired": "total", "error": error });
    for (type_, data, reason) in [
        ("TaskRestarted", restarted, format!("the task was restarted as {}: new data", id("t2"))),
        ("TaskFinished", expired, "too long".into()),
    ] {
        let mut given = scenario();
        let held = given.claim(1, "boot");
        given.echoes(0..=0);
        given.apply(event(type_, &data));
        let order = CancelOrder { task_id: id("t"), attempt: 1, reason };
        let effects = given.keeper.due(at(0), 100);
        assert_eq!(effects, [Effect::Order { service_id: "a".into(), order: order.clone() }]);
        assert_eq!(given.beat(1, "boot", 0, &[held]).cancelled, [order]);
        given.echoes(1..=30);
        assert_eq!(given.lost(), NONE, "its lease is over");
    }
}

#[test]
fn a_task_that_is_paused_or_ends_itself_is_not_ordered_to_stop() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    given.echoes(0..=0);
    given.apply(event("TaskPaused", &json!({ "by": "anna", "since": at(0) })));
    assert_eq!(given.keeper.due(at(0), 100), []);
    assert_eq!(given.beat(1, "boot", 0, &[held]), HeartbeatReply::default());
    given.apply(event("TaskFinished", &json!({ "attempt": 1, "outcome": "failed" })));
    assert_eq!(given.keeper.due(at(0), 100), []);
    assert_eq!(given.keeper.held(), 0);
}

#[test]
fn what_was_cancelled_in_the_past_is_not_ordered_but_said() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    given.cancel();
    assert_eq!(given.keeper.due(at(0), 100), []);
    assert_eq!(given.beat(1, "boot", 0, &[held]).cancelled.len(), 1);
}

#[test]
fn what_is_over_is_said_to_be_lost_and_what_is_not_read_yet_is_not() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    let future = HeldAttempt { task_id: id("other"), attempt: 1, fence: given.position + 2 };
    given.apply(Event::TaskAttemptFailed(task::AttemptFailed {
        attempt: 1,
        error: Failure::new("timeout", "", true),
        not_before: at(0),
    }));
    assert_eq!(given.beat(1, "boot", 0, &[held, future]).lost, [held]);
    given.claim(2, "other boot");
    assert_eq!(given.beat(2, "boot", 0, &[held]).lost, [held], "another has it");
}

#[test]
fn who_asks_for_a_longer_lease_gets_it() {
    let mut given = scenario();
    let held = given.claim(1, "boot");
    given.echoes(0..=0);
    let (service_id, boot_id) = ("a".to_owned(), id("boot"));
    let lease = Millis(30_000);
    let beat = Heartbeat { service_id, boot_id, born: 0, attempts: vec![held], lease };
    given.keeper.heard(&beat, at(0));
    given.echoes(1..=29);
    assert_eq!(given.lost(), NONE);
    given.echoes(30..=30);
    assert_eq!(given.lost(), [1]);
}

#[test]
fn the_memory_of_cancelled_attempts_is_bounded() {
    let mut cancelled = Cancelled::default();
    for attempt in 0..=CANCELLED_MAX as u32 {
        let order = CancelOrder { task_id: id("t"), attempt, reason: "enough".into() };
        cancelled.remember(&order);
        cancelled.remember(&order);
    }
    assert_eq!((cancelled.reasons.len(), cancelled.order.len()), (CANCELLED_MAX, CANCELLED_MAX));
    let held = |attempt| HeldAttempt { task_id: id("t"), attempt, fence: 1 };
    assert!(cancelled.get(&held(0)).is_none() && cancelled.get(&held(1)).is_some());
}
