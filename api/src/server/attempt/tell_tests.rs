//! Attempts as the history tells them.

use kantoku_domain::{
    Millis, Timeouts,
    task::{Cancel, Command, Expire, Failure},
};

use super::*;
use crate::server::past::{Past, output_of, second, step_id};

fn outcomes(id: Id, past: &Past) -> Vec<(u32, AttemptOutcome)> {
    let told = attempts(id, &past.histories[&id]);
    told.iter().map(|it| (it.attempt.attempt, it.attempt.outcome)).collect()
}

#[test]
fn each_attempt_has_its_end_and_its_fence() {
    let mut past = Past::default();
    let id = past.spawn("a", &["before"]);
    past.receive(id, 1);
    past.fail(id, 1, Failure::LEASE, true);
    past.receive(id, 2);
    past.fail(id, 2, "exit", true);
    past.receive(id, 3);
    assert_eq!(
        outcomes(id, &past),
        [(1, AttemptOutcome::Lost), (2, AttemptOutcome::Failed), (3, AttemptOutcome::Running)]
    );
    past.finish(id, 3);
    let history = &past.histories[&id];
    let told = attempts(id, history);
    let last = &told[2].attempt;
    assert_eq!(last.outcome, AttemptOutcome::Ok);
    let received = &history[history.len() - 2];
    assert_eq!(last.fence, Some(received.stream_seq));
    assert_eq!(last.started_at, Some(second(received.stream_seq)));
    assert_eq!(last.ended_at, Some(second(received.stream_seq + 1)));
    assert_eq!((last.node.as_deref(), last.boot_id), (Some("gpu-1"), Some(step_id("boot"))));
    assert_eq!(last.inputs["before"], Input::Resource(output_of(step_id("before"))));
    assert_eq!(told[0].attempt.error.as_ref().map(|error| error.kind.as_str()), Some("lease"));
    assert!(told[0].ready_seq < told[0].attempt.fence);
}

#[test]
fn a_task_that_is_stopped_ends_its_attempt_and_one_that_does_not_run_has_none() {
    let mut past = Past::default();
    let [running, waiting] = ["a", "b"].map(|step| past.spawn(step, &[]));
    past.receive(running, 1);
    for id in [running, waiting] {
        past.order(id, &Command::Cancel(Cancel::because("no")));
    }
    assert_eq!(outcomes(running, &past), [(1, AttemptOutcome::Cancelled)]);
    assert_eq!(outcomes(waiting, &past), []);
}

#[test]
fn an_attempt_that_nobody_claimed_in_time_is_told_without_a_holder() {
    let mut past = Past::default();
    let id = past.spawn("a", &[]);
    let Some(Event::TaskSpawned(spawned)) = past.histories[&id].first().map(|it| it.event.clone())
    else {
        panic!("spawned")
    };
    past.histories.clear();
    let timeouts = Timeouts { queue: Some(Millis(1)), ..Timeouts::default() };
    past.order(id, &Command::Spawn(Box::new(Spawned { timeouts, ..spawned })));
    past.order(id, &Command::Expire(Expire::Queue { attempt: 1, round: 0 }));
    let told = attempts(id, &past.histories[&id]);
    let [only] = &told[..] else { panic!("one attempt: {told:?}") };
    assert_eq!((only.attempt.attempt, only.attempt.outcome), (1, AttemptOutcome::Expired));
    assert_eq!((only.attempt.node.as_deref(), only.attempt.fence), (None, None));
    assert!(only.attempt.error.as_ref().is_some_and(|it| it.kind == Failure::TIMEOUT));
}

#[test]
fn restarts_are_found_both_ways() {
    let mut past = Past::default();
    let id = past.spawn("a", &[]);
    past.receive(id, 1);
    past.fail(id, 1, "exit", false);
    let event = past.order(id, &Command::Restart(Box::default()));
    let Event::TaskRestarted(restarted) = event else { panic!("{event:?}") };
    let successor = restarted.successor;
    past.order(successor.id, &Command::Spawn(Box::new(successor.task)));
    assert_eq!(restarted_as(&past.histories[&id]), Some(successor.id));
    assert_eq!(restart_of(&past.histories[&successor.id]), Some(id));
    assert_eq!(restart_of(&past.histories[&id]), None);
    assert_eq!(outcomes(id, &past), [(1, AttemptOutcome::Failed)]);
}
