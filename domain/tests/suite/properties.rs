//! What holds for every sequence of commands and every sequence of events.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate, Event, Id, Millis, Reason, Task,
    restart::OutputPolicy,
    task::{
        Approved, AttemptFailed, Cancel, Command, Expire, Outcome, Received, Refusal, Restart,
        Revived, Spawned,
    },
};
use proptest::prelude::*;
use serde_json::json;

use crate::scenario::{
    envelope, fail, finish, lose, receive, skipped, spawned, spawning, uuid_like::id,
};

fn policies() -> impl Strategy<Value = OutputPolicy> {
    prop_oneof![Just(OutputPolicy::Reuse), Just(OutputPolicy::Reallocate)]
}

/// A task that waits for an approval, with timeouts.
fn patient() -> Spawned {
    let mut patient = spawned(3);
    let approval = json!({"approval": {"name": "go", "count": 2, "by": ["anna", "bob", "eve"]}});
    patient.depends_on = serde_json::from_value(approval).expect("an expression");
    patient.timeouts.queue = Some(Millis(1_000));
    patient.timeouts.total = Some(Millis(9_000));
    patient
}

fn claim(attempt: u32, node: &str, round: u32) -> Command {
    match receive(attempt, node) {
        Command::Receive(claim) => Command::Receive(Received { round, ..claim }),
        other => other,
    }
}

fn commands() -> impl Strategy<Value = Command> {
    let attempt = || 1..4_u32;
    let round = || 0..3_u32;
    let restart = (policies(), prop::option::of(60..62_u64)).prop_map(|(outputs, step_of)| {
        let step_of = step_of.map(id);
        Command::Restart(Box::new(Restart { outputs, step_of, ..Restart::default() }))
    });
    prop_oneof![
        4 => Just(Command::Spawn(Box::new(patient()))),
        4 => (attempt(), "[ab]", round()).prop_map(|(attempt, node, round)| claim(attempt, &node, round)),
        2 => (attempt(), 0..9).prop_map(|(attempt, out)| finish(attempt, out)),
        1 => attempt().prop_map(|attempt| spawning(attempt, &["c"])),
        1 => attempt().prop_map(|attempt| finish(attempt, "not a number")),
        2 => attempt().prop_map(fail),
        1 => attempt().prop_map(lose),
        1 => Just(Command::Cancel(Cancel::because("test"))),
        2 => Just(Command::Skip(skipped("input"))),
        2 => (2..4_u64).prop_map(|cause| {
            Command::Revive(Revived { root_cause: id(cause), restarted_as: id(30) })
        }),
        2 => restart,
        1 => ("anna|bob|eve|mallory", "go|no").prop_map(|(by, name)| {
            Command::Approve(Approved { name, by })
        }),
        1 => Just(Command::Pause { reason: "test".into() }),
        1 => Just(Command::Resume),
        1 => (attempt(), round()).prop_map(|(attempt, round)| {
            Command::Expire(Expire::Queue { attempt, round })
        }),
        1 => round().prop_map(|round| Command::Expire(Expire::Total { round })),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::TaskSpawned(patient())),
        commands().prop_filter_map("only what is decided", |command| {
            let mut task = Task::default();
            task.evolve(&Event::TaskSpawned(patient()));
            task.decide(&command, &envelope(9)).ok().flatten()
        }),
        (0..5_u32).prop_map(|attempt| {
            let Command::Fail { error, .. } = fail(attempt) else { unreachable!() };
            let not_before = envelope(1).at;
            Event::TaskAttemptFailed(AttemptFailed { attempt, error, not_before })
        }),
    ]
}

/// What may come after the end of a task, each once.
fn may_follow_an_end(event: &Event) -> bool {
    matches!(
        event,
        Event::TaskRevived(_) | Event::TaskRestarted(_) | Event::TaskChildrenCancelled(_)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_sequence_of_commands_resolves_an_output_twice(commands in prop::collection::vec(commands(), 0..40)) {
        let mut task = Task::default();
        // How often each resource was resolved or passed on.
        let mut gone: BTreeMap<Id, u32> = BTreeMap::new();
        let mut restarts = 0;
        for (n, command) in commands.iter().enumerate() {
            let envelope = envelope(n as u64);
            let before = task.clone();
            let event = match task.decide(command, &envelope) {
                Ok(Some(event)) => event,
                Err(rejection) if rejection.reason == Reason::AlreadyRestarted => {
                    prop_assert_eq!(rejection.winner, task.restarted_as, "the loser is told the winner");
                    continue;
                }
                _ => continue,
            };
            if before.status.is_terminal() {
                prop_assert!(may_follow_an_end(&event), "{:?} after {:?}", event, before.status);
            }
            match &event {
                Event::TaskReceived(claim) => {
                    prop_assert!(before.paused.is_none(), "a paused task is not begun");
                    prop_assert_eq!(claim.round, before.round);
                    prop_assert_eq!(claim.attempt, before.attempt + 1);
                }
                Event::TaskFinished(finished) => {
                    for name in finished.outputs.keys() {
                        *gone.entry(before.custody[name]).or_default() += 1;
                    }
                    prop_assert_eq!(finished.attempt, before.attempt, "only the holder ends it");
                    prop_assert!(finished.outcome == Outcome::Ok || finished.outputs.is_empty());
                }
                Event::TaskRestarted(restarted) => {
                    restarts += 1;
                    for (name, output) in &restarted.successor.task.outputs {
                        let is_same = before.custody.get(name) == Some(&output.id);
                        prop_assert_eq!(is_same, restarted.outputs == OutputPolicy::Reuse);
                        *gone.entry(output.id).or_default() += 1;
                    }
                }
                _ => {}
            }
            task.evolve(&event);
            prop_assert_eq!(task.decide(command, &envelope), Ok(None), "a repeat yields nothing: {:?}", command);
            let revoked = matches!(event, Event::TaskRevived(_));
            prop_assert!(!before.status.is_terminal() || revoked || task.status == before.status);
        }
        prop_assert!(gone.values().all(|times| *times == 1), "{:?}", gone);
        prop_assert!(restarts <= 1);
        prop_assert!(task.approvals("go").count() <= 2, "two were enough");
    }

    /// The rule about claims and ends in four numbers is the rule of the task.
    #[test]
    fn the_fence_is_the_rule(commands in prop::collection::vec(commands(), 0..40)) {
        let mut task = Task::default();
        for (n, command) in commands.iter().enumerate() {
            let decision = task.decide(command, &envelope(n as u64));
            match command {
                Command::Receive(claim) if task.holder.as_ref() != Some(claim) => {
                    let may = task.fence().claim(claim.attempt, claim.round);
                    let too_early = matches!(&decision, Err(it) if it.reason == Reason::TooEarly);
                    prop_assert_eq!(may.is_ok(), decision.is_ok() || too_early);
                    prop_assert_eq!(may == Err(Refusal::Paused), matches!(&decision, Err(it) if it.reason == Reason::Paused));
                }
                Command::Fail { attempt, .. } => {
                    let may = task.fence().end(*attempt);
                    prop_assert_eq!(may.is_ok(), matches!(decision, Ok(Some(_))));
                }
                _ => {}
            }
            if let Ok(Some(event)) = decision {
                task.evolve(&event);
            }
        }
    }

    #[test]
    fn evolve_takes_any_events_in_any_order(events in prop::collection::vec(events(), 0..40)) {
        let mut task = Task::default();
        for event in &events {
            task.evolve(event);
        }
        let stored = serde_json::to_string(&task).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Task>(&stored).expect("readable"), task);
    }
}
