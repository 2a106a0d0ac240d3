//! Restarts: one successor, custody that passes or not, and plans that are what happens.

mod plans;
mod properties;
mod world;

use kantoku_domain::{
    Dependency, Event, Reason, Task, Type,
    dependency::{Trigger, TriggerRule, Upstream},
    restart::{OutputPolicy, VersionPolicy, successor_id},
    specification::Applied,
    task::{Cancel, Command, Outcome, Restart, Status},
};
use serde_json::{Value, json};

use crate::scenario::{
    Scenario, fail, finish, given, receive, skipped, spawned, spawning, uuid_like::id,
};

fn restart(outputs: OutputPolicy) -> Command {
    Command::Restart(Box::new(Restart { outputs, reason: "again".into(), ..Restart::default() }))
}

fn failed() -> Scenario<Task> {
    let mut task = given(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    task.then_event(&fail(1));
    task
}

#[track_caller]
fn restarted(task: &mut Scenario<Task>, command: &Command) -> kantoku_domain::task::Restarted {
    match task.then_event(command) {
        Event::TaskRestarted(restarted) => restarted,
        other => panic!("restarted, not {other:?}"),
    }
}

#[test]
fn the_outputs_pass_to_the_successor_or_it_has_fresh_ones() {
    let own = id(0);
    let mut task = failed();
    let event = restarted(&mut task, &restart(OutputPolicy::Reuse));
    let successor = event.successor;
    assert_eq!(successor.task.outputs["out"].id, id(10), "the very resource");
    assert_eq!(
        (successor.task.restart_root, successor.task.restart_parent),
        (Some(own), Some(own))
    );
    assert_eq!(successor.id.partition(), own.partition());
    assert!(task.state.custody.is_empty(), "it has passed on");
    assert_eq!((event.by.as_str(), event.reason.as_str()), ("tester", "again"));

    let mut task = failed();
    let event = restarted(&mut task, &restart(OutputPolicy::Reallocate));
    let fresh = event.successor.id.derive("out", own.partition());
    assert_eq!(event.successor.task.outputs["out"].id, fresh);
    assert_eq!(task.state.outcome, Some(Outcome::Failed), "its own end stands");
}

#[test]
fn the_root_of_a_chain_stays() {
    let mut first = spawned(1);
    first.restart_root = Some(id(40));
    first.restart_parent = Some(id(41));
    let mut task = given(&[Event::TaskSpawned(first)]);
    task.then_event(&receive(1, "a"));
    task.then_event(&fail(1));
    let event = restarted(&mut task, &restart(OutputPolicy::Reuse));
    assert_eq!(event.successor.task.restart_root, Some(id(40)));
    assert_eq!(event.successor.task.restart_parent, Some(id(0)));
}

#[test]
fn of_many_restarts_one_wins_and_the_others_are_told_the_winner() {
    let mut task = failed();
    let winner = restarted(&mut task, &restart(OutputPolicy::Reuse)).successor.id;
    for policy in [OutputPolicy::Reuse, OutputPolicy::Reallocate].into_iter().cycle().take(49) {
        let rejection = task.when(&restart(policy)).expect_err("refused");
        assert_eq!(rejection.reason, Reason::AlreadyRestarted);
        assert_eq!(rejection.winner, Some(winner));
    }
}

#[test]
fn what_may_still_end_well_is_not_restarted_unless_its_inputs_are_replaced() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    let step = |outputs| {
        let step_of = Some(id(60));
        Command::Restart(Box::new(Restart { outputs, step_of, ..Restart::default() }))
    };
    for command in
        [restart(OutputPolicy::Reuse), restart(OutputPolicy::Reallocate), step(OutputPolicy::Reuse)]
    {
        let rejection = task.when(&command).expect_err("refused");
        assert_eq!(rejection.reason, Reason::WrongState);
        assert_eq!(rejection.current.as_deref(), Some("initialized"));
        assert!(rejection.message.contains("cancel it first"), "{rejection}");
    }
    task.then_event(&receive(1, "a"));
    let event = restarted(&mut task, &step(OutputPolicy::Reallocate));
    assert_eq!(event.successor.id, successor_id(id(60), id(0)));
    assert_eq!(task.state.status, Status::Cancelled);
    task.then_rejected(&finish(1, 7), Reason::Terminal);
}

#[test]
fn what_finished_ok_is_run_again_with_fresh_outputs_only() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    task.then_event(&spawning(1, &["c"]));
    task.then_rejected(&restart(OutputPolicy::Reuse), Reason::WrongState);
    let event = restarted(&mut task, &restart(OutputPolicy::Reallocate));
    assert_eq!(event.children, task.state.children, "the successor spawns them anew");
    assert_eq!(task.when(&Command::Cancel(Cancel::because("x"))), Ok(None), "they are stopped");
}

#[test]
fn cancelled_and_skipped_tasks_can_be_restarted_too() {
    for end in [Command::Cancel(Cancel::because("no need")), Command::Skip(skipped("input a"))] {
        for policy in [OutputPolicy::Reuse, OutputPolicy::Reallocate] {
            let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
            task.then_event(&end);
            restarted(&mut task, &restart(policy));
        }
    }
    given::<Task>(&[]).then_rejected(&restart(OutputPolicy::Reuse), Reason::NotFound);
}

#[test]
fn what_was_delegated_is_another_tasks_to_restart() {
    let mut task = given::<Task>(&[Event::TaskSpawned(spawned(1))]);
    task.then_event(&receive(1, "a"));
    let event = task.then_event(&crate::tasks::delegating(Type::Unknown, [("out", "c", "sum")]));
    let Event::TaskFinished(finished) = event else { panic!("finished") };
    let child = finished.children[0].id;
    let rejection = task.when(&restart(OutputPolicy::Reuse)).expect_err("refused");
    assert_eq!(rejection.reason, Reason::NotCustodian);
    assert_eq!(rejection.field.as_deref(), Some("outputs.out"));
    assert!(rejection.message.contains(&format!("ktk restart task/{child}")), "{rejection}");
    restarted(&mut task, &restart(OutputPolicy::Reallocate));
}

#[test]
fn a_successor_reads_and_waits_for_what_takes_the_place_of_the_old() {
    let mut reader = spawned(1);
    reader.inputs.insert(
        "page".into(),
        serde_json::from_value(json!({"source": {"resource": id(11)}, "type": "string"}))
            .expect("a binding"),
    );
    reader.depends_on =
        Some(Dependency::Any(vec![Dependency::Failed(id(12)), Dependency::Resource(id(11))]));
    let upstream = vec![Upstream { task: id(12), inputs: vec!["page".into()] }];
    reader.when = Some(Trigger { rule: TriggerRule::AllDone, upstream });
    let mut task = given::<Task>(&[Event::TaskSpawned(reader)]);
    let rebind = [(id(11), id(21)), (id(12), id(22))].into();
    let command = Restart {
        outputs: OutputPolicy::Reallocate,
        step_of: Some(id(60)),
        rebind,
        ..Restart::default()
    };
    let event = restarted(&mut task, &Command::Restart(Box::new(command)));
    let successor = event.successor.task;
    assert_eq!(successor.inputs["page"].resource(), Some(id(21)));
    assert_eq!(
        successor.depends_on,
        Some(Dependency::Any(vec![Dependency::Failed(id(22)), Dependency::Resource(id(21))]))
    );
    assert_eq!(successor.when.expect("a rule").upstream[0].task, id(22));
}

fn applied(version: u64, inputs: &Value, outputs: &Value) -> Box<Applied> {
    let definition = json!({"inputs": inputs, "outputs": outputs, "queue": "gpu",
        "executable": {"type": "noop"}});
    let applied = json!({"name": "a", "version": version, "digest": format!("sha256:{version}"),
        "definition": definition});
    Box::new(serde_json::from_value(applied).expect("a version"))
}

#[test]
fn another_version_is_recorded_and_has_to_fit() {
    let number = json!({"out": "number"});
    let asked = |outputs, version, specification: Option<Box<Applied>>| {
        let restart = Restart { outputs, version, specification, ..Restart::default() };
        Command::Restart(Box::new(restart))
    };
    let latest = |specification| asked(OutputPolicy::Reuse, VersionPolicy::Latest, specification);
    let mut task = failed();
    let wider = applied(
        3,
        &json!({"note": {"optional": "string"}}),
        &json!({"out": "number", "more": "string"}),
    );
    let event = restarted(&mut task, &latest(Some(wider)));
    let successor = event.successor;
    assert_eq!((event.version, successor.task.specification.version), (VersionPolicy::Latest, 3));
    assert_eq!((successor.task.queue.as_str(), successor.task.outputs.len()), ("gpu", 2));
    assert_eq!(successor.task.outputs["out"].id, id(10));

    for (specification, why) in [
        (None, "version latest of a was not looked up"),
        (Some(applied(3, &json!({"page": "string"}), &number)), "needs an input \"page\""),
        (Some(applied(3, &json!({}), &json!({}))), "it has no output \"out\""),
        (
            Some(applied(3, &json!({}), &json!({"out": "string"}))),
            "\"out\" is string there, not number",
        ),
    ] {
        let rejection = failed().when(&latest(specification)).expect_err(why);
        assert_eq!(
            (rejection.reason, rejection.field.as_deref()),
            (Reason::Invalid, Some("version"))
        );
        assert!(rejection.message.contains(why), "{rejection}");
    }
    let other =
        asked(OutputPolicy::Reuse, VersionPolicy::Number(2), Some(applied(3, &json!({}), &number)));
    failed().then_rejected(&other, Reason::Invalid);
}

#[test]
fn policies_are_written_as_people_do() {
    for (text, policy) in [
        (json!("same"), VersionPolicy::Same),
        (json!("latest"), VersionPolicy::Latest),
        (json!(3), VersionPolicy::Number(3)),
    ] {
        assert_eq!(serde_json::to_value(policy).expect("JSON"), text);
        assert_eq!(serde_json::from_value::<VersionPolicy>(text).expect("readable"), policy);
    }
    assert_eq!("3".parse(), Ok(VersionPolicy::Number(3)));
    assert!("newest".parse::<VersionPolicy>().is_err());
    assert_eq!("reallocate".parse(), Ok(OutputPolicy::Reallocate));
    assert!("keep".parse::<OutputPolicy>().is_err());
    assert_eq!(OutputPolicy::default().to_string(), "reuse");
}
