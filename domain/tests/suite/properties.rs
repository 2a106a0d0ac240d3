//! What holds for every sequence of commands and every sequence of events.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate, Event, Id, Task,
    task::{AttemptFailed, Cancel, Command, Outcome, Status},
};
use proptest::prelude::*;

use crate::scenario::{envelope, fail, finish, receive, skipped, spawn, spawned};

fn commands() -> impl Strategy<Value = Command> {
    let attempt = 1..4_u32;
    prop_oneof![
        Just(spawn(3)),
        (attempt.clone(), "[ab]").prop_map(|(attempt, node)| receive(attempt, &node)),
        (attempt.clone(), 0..9).prop_map(|(attempt, out)| finish(attempt, out)),
        attempt.clone().prop_map(|attempt| finish(attempt, "not a number")),
        attempt.prop_map(fail),
        Just(Command::Cancel(Cancel::because("test"))),
        Just(Command::Skip(skipped("input"))),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::TaskSpawned(spawned(3))),
        commands().prop_filter_map("only what is decided", |command| {
            let mut task = Task::default();
            task.evolve(&Event::TaskSpawned(spawned(3)));
            task.decide(&command, &envelope(9)).ok().flatten()
        }),
        (0..5_u32).prop_map(|attempt| {
            let Command::Fail { error, .. } = fail(attempt) else { unreachable!() };
            let not_before = envelope(1).at;
            Event::TaskAttemptFailed(AttemptFailed { attempt, error, not_before })
        }),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_commands_resolves_an_output_twice(commands in prop::collection::vec(commands(), 0..40)) {
        let mut task = Task::default();
        let mut resolved: BTreeMap<Id, u32> = BTreeMap::new();
        let mut terminal: Option<Status> = None;
        for (n, command) in commands.iter().enumerate() {
            let envelope = envelope(n as u64);
            let Ok(Some(event)) = task.decide(command, &envelope) else { continue };
            prop_assert_eq!(terminal, None, "terminal is final");
            if let Event::TaskFinished(finished) = &event {
                for name in finished.outputs.keys() {
                    *resolved.entry(task.custody[name]).or_default() += 1;
                }
                prop_assert_eq!(finished.attempt, task.attempt, "only the holder ends it");
                prop_assert!(finished.outcome == Outcome::Ok || finished.outputs.is_empty());
            }
            task.evolve(&event);
            prop_assert_eq!(task.decide(command, &envelope), Ok(None), "a repeat yields nothing");
            terminal = task.status.is_terminal().then_some(task.status);
        }
        prop_assert!(resolved.values().all(|times| *times == 1));
    }

    #[test]
    fn evolve_takes_any_events_in_any_order(events in prop::collection::vec(events(), 0..40)) {
        let mut task = Task::default();
        for event in &events {
            task.evolve(event);
        }
    }
}
