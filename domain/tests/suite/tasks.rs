//! The life of a task, and of what it spawns.

use kantoku_domain::{
    Event, Reason, Task, Type,
    task::{Cancel, Child, Command, Outcome, Status, Success, Template},
};
use serde_json::json;

use crate::scenario::{fail, finish, given, lose, receive, skipped, spawn, spawned, uuid_like::id};

#[test]
fn a_task_is_spawned_claimed_and_finished() {
    let mut task = given::<Task>(&[]);
    task.then_event(&spawn(1));
    task.then_event(&receive(1, "a"));
    let event = task.then_event(&finish(1, 7));
    assert!(matches!(event, Event::TaskFinished(f) if f.outcome == Outcome::Ok));
    assert_eq!(task.state.status, Status::Finished);
    assert!(task.state.custody.is_empty(), "the output is resolved");
}

#[test]
fn what_is_wrong_with_a_task_is_told_at_once() {
    let mut wrong = spawned(0);
    wrong.depends_on = Some(kantoku_domain::Dependency::Any(vec![]));
    wrong.timeouts.total = Some(kantoku_domain::Millis(0));
    let problems: Vec<_> =
        wrong.problems(&["tasks", "3"]).iter().map(|it| it.path.join(".")).collect();
    assert_eq!(
        problems,
        ["tasks.3.depends_on.any", "tasks.3.retry.attempts", "tasks.3.timeouts.total"]
    );
    assert_eq!(spawned(1).problems(&[]), []);
}

#[test]
fn one_claim_wins_and_the_loser_cannot_finish() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(2))]);
    task.then_event(&receive(1, "a"));
    task.then_rejected(&receive(1, "b"), Reason::StaleAttempt);
    task.then_event(&fail(1));
    task.then_event(&receive(2, "b"));
    task.then_rejected(&finish(1, 7), Reason::StaleAttempt);
    task.then_event(&finish(2, 8));
    task.then_rejected(&finish(1, 7), Reason::Terminal);
}

#[test]
fn the_last_failed_attempt_finishes_the_task() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(2))]);
    task.then_event(&receive(1, "a"));
    assert!(matches!(task.then_event(&fail(1)), Event::TaskAttemptFailed(_)));
    task.then_event(&receive(2, "a"));
    let event = task.then_event(&fail(2));
    assert!(matches!(event, Event::TaskFinished(f) if f.outcome == Outcome::Failed));
    assert_eq!(task.state.custody.len(), 1, "a failed task still holds its output");
}

#[test]
fn an_attempt_that_was_lost_does_not_count_but_losses_have_a_limit() {
    let mut of_one = spawned(1);
    of_one.retry.losses_max = 2;
    for end in [lose(3), fail(3)] {
        let mut task = given::<Task>(&[Event::TaskSpawned(of_one.clone())]);
        for attempt in 1..=2 {
            task.then_event(&receive(attempt, "a"));
            assert!(matches!(task.then_event(&lose(attempt)), Event::TaskAttemptFailed(_)));
        }
        task.then_event(&receive(3, "a"));
        // A loss too many, or the one failure.
        let event = task.then_event(&end);
        assert!(matches!(event, Event::TaskFinished(f) if f.outcome == Outcome::Failed));
    }
}

#[test]
fn failures_and_losses_are_counted_apart() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(2))]);
    for (attempt, end) in [(1, fail(1)), (2, lose(2)), (3, lose(3))] {
        task.then_event(&receive(attempt, "a"));
        assert!(matches!(task.then_event(&end), Event::TaskAttemptFailed(_)), "{attempt}");
    }
    task.then_event(&receive(4, "a"));
    let event = task.then_event(&fail(4));
    assert!(matches!(event, Event::TaskFinished(f) if f.outcome == Outcome::Failed));
}

#[test]
fn without_losses_a_task_that_may_have_begun_is_never_begun_again() {
    let mut at_most_once = spawned(5);
    at_most_once.retry.losses_max = 0;
    let mut task = given::<Task>(&[Event::TaskSpawned(at_most_once)]);
    task.then_event(&receive(1, "a"));
    assert!(matches!(task.then_event(&lose(1)), Event::TaskFinished(_)));
}

#[test]
fn a_claim_before_its_time_is_refused() {
    let mut patient = spawned(2);
    patient.retry.backoff = kantoku_domain::Millis(3_600_000);
    patient.retry.backoff_max = kantoku_domain::Millis(3_600_000);
    let mut task = given::<Task>(&[Event::TaskSpawned(patient)]);
    task.then_event(&receive(1, "a"));
    task.then_event(&fail(1));
    task.then_rejected(&receive(2, "a"), Reason::TooEarly);
}

#[test]
fn outputs_must_be_what_was_promised() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    task.then_rejected(&finish(1, "seven"), Reason::Invalid);
    let nothing = Command::Finish { attempt: 1, success: Box::default() };
    task.then_rejected(&nothing, Reason::Invalid);
}

#[test]
fn a_cancelled_task_cannot_be_finished_and_a_finished_one_not_cancelled() {
    let cancel = Command::Cancel(Cancel::because("no need"));
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    task.then_event(&cancel);
    task.then_rejected(&finish(1, 7), Reason::Terminal);

    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    task.then_event(&finish(1, 7));
    task.then_rejected(&cancel, Reason::Terminal);
}

#[test]
fn a_running_task_is_not_skipped() {
    let skip = Command::Skip(skipped("input a"));
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    task.then_rejected(&skip, Reason::WrongState);
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&skip);
    task.then_rejected(&receive(1, "a"), Reason::Terminal);
}

pub(crate) fn delegating(child_type: Type, delegate: [(&str, &str, &str); 1]) -> Command {
    let of = spawned(1);
    let template = Template {
        specification: of.specification,
        inputs: [].into(),
        outputs: [("sum".into(), child_type)].into(),
        queue: of.queue,
        labels: [].into(),
        retry: of.retry,
        timeouts: of.timeouts,
    };
    let [(output, key, child_output)] = delegate;
    let success = Success {
        children: vec![Child { key: "c".into(), template }],
        delegate: [(output.into(), (key.into(), child_output.into()))].into(),
        ..Success::default()
    };
    Command::Finish { attempt: 1, success: Box::new(success) }
}

#[test]
fn a_delegated_output_is_the_childs_to_resolve() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    let event = task.then_event(&delegating(Type::Unknown, [("out", "c", "sum")]));
    let Event::TaskFinished(finished) = event else { panic!("finished") };
    let child = &finished.children[0];
    assert_eq!(finished.delegated["out"].child, child.id);
    assert_eq!(child.task.outputs["sum"].id, id(10), "custody passes to the child");
    assert_eq!(child.task.outputs["sum"].type_, Type::Number, "and so does the promise");
    assert_eq!(child.id.partition(), id(1).partition());

    let mut child_task = given::<Task>(&[Event::TaskSpawned(child.task.clone())]);
    child_task.then_event(&receive(1, "b"));
    let outputs = [("sum".into(), kantoku_domain::Datum::Value(json!(5)))].into();
    let success = Box::new(Success { outputs, ..Success::default() });
    child_task.then_event(&Command::Finish { attempt: 1, success });
}

#[test]
fn a_delegation_to_nobody_or_of_the_wrong_type_is_refused() {
    for (type_, delegate) in [
        (Type::Unknown, ("out", "nobody", "sum")),
        (Type::Unknown, ("out", "c", "product")),
        (Type::Unknown, ("other", "c", "sum")),
        (Type::String, ("out", "c", "sum")),
    ] {
        let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
        task.then_event(&receive(1, "a"));
        task.then_rejected(&delegating(type_, [delegate]), Reason::Invalid);
    }
}
