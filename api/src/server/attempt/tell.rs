//! From the history of a task to its attempts. Pure.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Datum, Event, Id, Recorded, Source, Timestamp,
    task::{AttemptFailed, Finished, Outcome, Received, Spawned},
};
use serde_json::json;

use crate::contract::{Attempt, AttemptOutcome, Input};

/// An attempt, and where the rest about it lies.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) attempt: Attempt,
    pub(super) context_id: Id,
    /// The position of its announcement.
    pub(super) ready_seq: Option<u64>,
}

/// The task that this is a restart of.
pub(super) fn restart_of(history: &[Recorded]) -> Option<Id> {
    history.iter().find_map(|recorded| match &recorded.event {
        Event::TaskSpawned(spawned) => spawned.restart_parent,
        _ => None,
    })
}

/// The task that is a restart of this one.
pub(super) fn restarted_as(history: &[Recorded]) -> Option<Id> {
    history.iter().find_map(|recorded| match &recorded.event {
        Event::TaskRestarted(restarted) => Some(restarted.successor.id),
        _ => None,
    })
}

/// The attempts of the task `id`.
pub(super) fn attempts(id: Id, history: &[Recorded]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut spawned: Option<&Spawned> = None;
    for recorded in history {
        let at = recorded.metadata.at;
        match (&recorded.event, spawned) {
            (Event::TaskSpawned(of), _) => spawned = Some(of),
            (Event::TaskReceived(received), Some(spawned)) => {
                told.push(begun(id, spawned, received, recorded));
            }
            (Event::TaskAttemptFailed(failed), _) => {
                end(&mut told, at, |attempt| fail(attempt, failed));
            }
            (Event::TaskFinished(finished), Some(spawned)) => {
                let is_claimed = told.last().is_some_and(Told::is_running);
                if !is_claimed && finished.expired.is_some() {
                    told.push(unclaimed(id, spawned, finished));
                }
                end(&mut told, at, |attempt| finish(attempt, finished));
            }
            // One that is restarted while it runs is stopped.
            (Event::TaskCancelled(_) | Event::TaskRestarted(_), _) => {
                end(&mut told, at, |attempt| attempt.outcome = AttemptOutcome::Cancelled);
            }
            _ => {}
        }
    }
    told
}

impl Told {
    fn is_running(&self) -> bool {
        self.attempt.outcome == AttemptOutcome::Running
    }
}

/// Ends the attempt that runs, if one does.
fn end(told: &mut [Told], at: Timestamp, how: impl FnOnce(&mut Attempt)) {
    if let Some(last) = told.last_mut().filter(|last| last.is_running()) {
        last.attempt.ended_at = Some(at);
        how(&mut last.attempt);
    }
}

fn fail(attempt: &mut Attempt, failed: &AttemptFailed) {
    attempt.outcome =
        if failed.error.is_loss() { AttemptOutcome::Lost } else { AttemptOutcome::Failed };
    attempt.error = Some(failed.error.clone());
}

fn finish(attempt: &mut Attempt, finished: &Finished) {
    attempt.outcome = match (finished.outcome, &finished.expired, &finished.error) {
        (Outcome::Ok, ..) => AttemptOutcome::Ok,
        (Outcome::Failed, Some(_), _) => AttemptOutcome::Expired,
        (Outcome::Failed, None, Some(error)) if error.is_loss() => AttemptOutcome::Lost,
        (Outcome::Failed, ..) => AttemptOutcome::Failed,
    };
    attempt.error.clone_from(&finished.error);
    let made =
        finished.inputs.iter().map(|(name, datum)| (name.clone(), Input::Value(shown(datum))));
    attempt.inputs.extend(made);
}

fn begun(id: Id, spawned: &Spawned, received: &Received, recorded: &Recorded) -> Told {
    let mut attempt = blank(id, spawned, received.attempt);
    attempt.node = Some(received.node.clone());
    attempt.boot_id = Some(received.boot_id);
    attempt.fence = Some(recorded.stream_seq);
    attempt.started_at = Some(recorded.metadata.at);
    Told { attempt, context_id: spawned.context_id, ready_seq: Some(received.ready_seq) }
}

/// One whose time was up before anybody claimed it.
fn unclaimed(id: Id, spawned: &Spawned, finished: &Finished) -> Told {
    let attempt = blank(id, spawned, finished.attempt + 1);
    Told { attempt, context_id: spawned.context_id, ready_seq: None }
}

fn blank(task_id: Id, spawned: &Spawned, attempt: u32) -> Attempt {
    let inputs = spawned.inputs.iter().map(|(name, binding)| (name.clone(), input(binding)));
    Attempt {
        task_id,
        attempt,
        specification: spawned.specification.clone(),
        inputs: inputs.collect::<BTreeMap<_, _>>(),
        outcome: AttemptOutcome::Running,
        error: None,
        node: None,
        boot_id: None,
        fence: None,
        ready_at: None,
        started_at: None,
        ended_at: None,
        refused: None,
    }
}

fn input(binding: &Binding) -> Input {
    match &binding.source {
        Source::Value(value) => Input::Value(value.clone()),
        Source::Blob(blob) => Input::Value(json!({"digest": blob.digest, "size": blob.size})),
        Source::Resource(id) => Input::Resource(*id),
        Source::Secret(name) => Input::Secret(name.clone()),
    }
}

/// The value, or where a large one lies.
fn shown(datum: &Datum) -> serde_json::Value {
    match datum {
        Datum::Value(value) => value.clone(),
        Datum::Blob(blob) => json!({"digest": blob.digest, "size": blob.size}),
    }
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;
