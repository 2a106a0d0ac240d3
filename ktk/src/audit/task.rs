//! Whether an event may follow, by the rules of tasks.

use kantoku_domain::{
    Event, Recorded, Task,
    restart::VersionPolicy,
    task::{
        Cancel, Command, Expire, Expired, Fence, Finished, Label, Outcome, Ready, Refusal, Restart,
        Restarted,
    },
};

use super::decided;

type Verdict = Result<(), String>;

pub(super) fn judge(state: &Task, recorded: &Recorded) -> Verdict {
    let command = match &recorded.event {
        Event::TaskSpawned(spawned) => Command::Spawn(Box::new(spawned.clone())),
        Event::TaskReceived(received) => Command::Receive(received.clone()),
        Event::TaskAttemptFailed(failed) => {
            Command::Fail { attempt: failed.attempt, error: failed.error.clone() }
        }
        Event::TaskFinished(finished) => return judge_end(state, finished, recorded),
        Event::TaskCancelled(cancelled) => Command::Cancel(Cancel {
            reason: cancelled.reason.clone(),
            by: cancelled.by.clone(),
            dependents: cancelled.dependents.clone(),
            round: None,
        }),
        Event::TaskChildrenCancelled(cancelled) => Command::Cancel(Cancel {
            reason: cancelled.reason.clone(),
            by: cancelled.by.clone(),
            dependents: cancelled.dependents.clone(),
            round: None,
        }),
        Event::TaskSkipped(skipped) => Command::Skip(skipped.clone()),
        Event::TaskRevived(revived) => Command::Revive(*revived),
        Event::TaskRestarted(restarted) => return judge_restart(state, restarted, recorded),
        Event::TaskApproved(approved) => Command::Approve(approved.clone()),
        Event::TaskLabelled(labelled) => Command::Label(Label {
            set: labelled.set.clone(),
            remove: labelled.remove.clone(),
            overwrite: true,
        }),
        Event::TaskPaused(paused) => Command::Pause { reason: paused.reason.clone() },
        Event::TaskResumed(_) => Command::Resume,
        other => return Err(format!("{} is no event of a task", other.name())),
    };
    decided(state, &command, recorded).map(drop)
}

/// Whether a task in this state may be announced so.
pub(super) fn may_be_announced(state: &Task, ready: &Ready) -> Verdict {
    match state.fence().claim(ready.attempt, ready.round) {
        // Whether it waits is for the scheduler to say; the claim is refused all the same.
        Ok(()) | Err(Refusal::Paused) => Ok(()),
        Err(_) => Err(format!(
            "attempt {} of round {} is announced, but {}",
            ready.attempt,
            ready.round,
            stand(state.fence())
        )),
    }
}

fn stand(fence: Fence) -> String {
    let Fence { status, attempt, round, .. } = fence;
    format!("the task is {}, its last attempt {attempt}, its round {round}", status.name())
}

fn judge_end(state: &Task, finished: &Finished, recorded: &Recorded) -> Verdict {
    let attempt = finished.attempt;
    if finished.outcome == Outcome::Ok {
        return judge_success(state, finished);
    }
    if !(finished.outputs.is_empty()
        && finished.delegated.is_empty()
        && finished.children.is_empty())
    {
        return Err("the task failed, and yet gave outputs or children".into());
    }
    let command = match (finished.expired, &finished.error) {
        (Some(Expired::Queue), _) => {
            let (attempt, round) = (state.attempt + 1, state.round);
            Command::Expire(Expire::Queue { attempt, round })
        }
        (Some(Expired::Total), _) => Command::Expire(Expire::Total { round: state.round }),
        (None, Some(error)) => Command::Fail { attempt, error: error.clone() },
        (None, None) => return Err("the task failed for no reason".into()),
    };
    decided(state, &command, recorded).map(drop)
}

/// Only the attempt that holds the task ends it; every output is resolved or delegated, none twice.
fn judge_success(state: &Task, finished: &Finished) -> Verdict {
    if state.fence().end(finished.attempt).is_err() {
        let stand = stand(state.fence());
        return Err(format!("attempt {} ends it, but {stand}", finished.attempt));
    }
    let Some(spawned) = &state.spawned else { return Err("the task was never spawned".into()) };
    for name in spawned.outputs.keys() {
        let (given, passed) =
            (finished.outputs.contains_key(name), finished.delegated.contains_key(name));
        if given == passed {
            return Err(format!("output {name:?} is not either resolved or delegated"));
        }
        if !state.custody.contains_key(name) {
            return Err(format!("output {name:?} is not the task's to resolve any more"));
        }
    }
    let named = finished.outputs.keys().chain(finished.delegated.keys());
    for name in named {
        if !spawned.outputs.contains_key(name) {
            return Err(format!("the task has no output {name:?}"));
        }
    }
    for (name, delegation) in &finished.delegated {
        let child = finished.children.iter().find(|child| child.id == delegation.child);
        let output = child.and_then(|child| child.task.outputs.get(&delegation.output));
        if output.map(|output| output.id) != state.custody.get(name).copied() {
            let (child, output) = (delegation.child, &delegation.output);
            return Err(format!(
                "output {name:?} is delegated to {child}.{output}, which is another"
            ));
        }
    }
    Ok(())
}

/// The version that the successor has was looked up when that was decided, and what it reads: only
/// whether it may be restarted, and as what, is asked.
fn judge_restart(state: &Task, restarted: &Restarted, recorded: &Recorded) -> Verdict {
    let command = Command::Restart(Box::new(Restart {
        outputs: restarted.outputs,
        version: VersionPolicy::Same,
        specification: None,
        rebind: [].into(),
        reason: restarted.reason.clone(),
        by: Some(restarted.by.clone()),
        step_of: restarted.step_of,
        revive: restarted.revive.clone(),
    }));
    match decided(state, &command, recorded)? {
        Event::TaskRestarted(decided) if decided.successor.id != restarted.successor.id => {
            let (expected, found) = (decided.successor.id, restarted.successor.id);
            Err(format!("its successor is {expected}, not {found}"))
        }
        _ => Ok(()),
    }
}
