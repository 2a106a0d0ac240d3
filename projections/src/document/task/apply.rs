//! What events make of a task.

use kantoku_domain::{
    Event, Recorded, Timestamp,
    dependency::Cause,
    task::{Outcome, Restarted, Revived, Skipped},
};

use super::{Approval, ChildrenCancelled, Revival, Successor, TaskDocument, TaskStatus};
use crate::document::Stop;

/// What contexts count a task by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskState {
    pub(crate) status: TaskStatus,
    pub(crate) outcome: Option<Outcome>,
    /// Of one that was skipped: whether a rule chose so, and nobody failed.
    pub(crate) is_by_rule: bool,
}

impl TaskDocument {
    /// Takes in an event of this task.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.metadata.at;
        match &recorded.event {
            Event::TaskReady(ready) => {
                // A second one may cross the claim: the claim decides.
                if !matches!(self.status, TaskStatus::Initialized | TaskStatus::Ready) {
                    return;
                }
                self.status = TaskStatus::Ready;
                self.attempt = ready.attempt;
                self.ready_at = Some(at);
                return self.touch(recorded);
            }
            Event::TaskSpawned(_) => {
                self.unfolded = true;
                self.waiting_since = at;
            }
            Event::TaskReceived(received) => {
                self.status = TaskStatus::Received;
                self.attempt = received.attempt;
                self.node = Some(received.node.clone());
                self.started_at = Some(at);
                self.not_before = None;
            }
            Event::TaskAttemptFailed(failed) => {
                self.status = TaskStatus::Initialized;
                self.attempt = failed.attempt;
                self.error = Some(failed.error.clone());
                self.not_before = Some(failed.not_before);
            }
            Event::TaskFinished(finished) => {
                self.end(TaskStatus::Finished, at);
                self.sub_status = Some(finished.outcome);
                self.attempt = finished.attempt;
                self.expired = finished.expired;
                self.error.clone_from(&finished.error);
                self.result.clone_from(&finished.result);
                self.delegated.clone_from(&finished.delegated);
            }
            Event::TaskCancelled(cancelled) => {
                self.end(TaskStatus::Cancelled, at);
                self.reason = Some(cancelled.reason.clone());
                self.cancelled_by.clone_from(&cancelled.by);
            }
            Event::TaskChildrenCancelled(cancelled) => {
                let (reason, by) = (cancelled.reason.clone(), cancelled.by.clone());
                self.children_cancelled = Some(ChildrenCancelled { reason, by, at });
            }
            Event::TaskSkipped(skipped) => self.skip(skipped, at),
            Event::TaskRevived(revived) => self.revive(revived, at),
            Event::TaskRestarted(restarted) => self.restart(restarted, at),
            Event::TaskApproved(approved) => {
                let given = self.approvals.entry(approved.name.clone()).or_default();
                given.push(Approval { by: approved.by.clone(), at });
            }
            Event::TaskLabelled(labelled) => labelled.apply(&mut self.labels),
            Event::TaskPaused(paused) => {
                self.withdraw();
                self.paused = Some(paused.clone());
            }
            Event::TaskResumed(_) => {
                self.withdraw();
                self.paused = None;
            }
            _ => return,
        }
        self.position = recorded.stream_seq;
        self.touch(recorded);
    }

    /// Takes in that its context was ordered to stop before it was unfolded: what is unfolded of it
    /// will be stopped.
    pub(crate) fn drop_from_plan(&mut self, stop: &Stop, recorded: &Recorded) {
        self.end(TaskStatus::Cancelled, recorded.metadata.at);
        self.reason = Some(stop.reason.clone());
        self.cancelled_by.clone_from(&stop.by);
        self.touch(recorded);
    }

    /// Takes in that another took the place of a task that it descends from.
    pub(crate) fn supersede(&mut self, recorded: &Recorded) {
        self.current = false;
        self.touch(recorded);
    }

    fn skip(&mut self, skipped: &Skipped, at: Timestamp) {
        self.end(TaskStatus::Skipped, at);
        self.root_cause = Some(skipped.root_cause);
        self.other_causes.clone_from(&skipped.others);
        self.cause = Some(skipped.cause);
        self.reason = Some(skipped.missing.clone());
    }

    /// One that was live has no more to do: its inputs are replaced.
    fn restart(&mut self, restarted: &Restarted, at: Timestamp) {
        let id = restarted.successor.id;
        if !self.status.is_terminal() {
            self.end(TaskStatus::Cancelled, at);
            self.reason = Some(format!("it was restarted as {id}"));
            self.cancelled_by = Some(restarted.by.clone());
        }
        self.restarted_as = Some(id);
        self.current = false;
        self.restarted = Some(Successor {
            id,
            outputs: restarted.outputs,
            version: restarted.version,
            reason: restarted.reason.clone(),
            by: restarted.by.clone(),
            step_of: restarted.step_of,
            at,
        });
    }

    /// What was announced and not claimed before it ended, was paused or was resumed, is void.
    fn withdraw(&mut self) {
        if self.status == TaskStatus::Ready {
            self.status = TaskStatus::Initialized;
            self.attempt = self.attempt.saturating_sub(1);
        }
    }

    fn revive(&mut self, revived: &Revived, at: Timestamp) {
        let (root_cause, restarted_as) = (revived.root_cause, revived.restarted_as);
        self.revived = Some(Revival { root_cause, restarted_as, at });
        self.status = TaskStatus::Initialized;
        self.waiting_since = at;
        self.finished_at = None;
        self.reason = None;
        self.root_cause = None;
        self.other_causes.clear();
        self.cause = None;
    }

    fn end(&mut self, status: TaskStatus, at: Timestamp) {
        self.withdraw();
        self.status = status;
        self.finished_at = Some(at);
        self.not_before = None;
        self.paused = None;
    }

    fn touch(&mut self, recorded: &Recorded) {
        self.updated_at = recorded.metadata.at;
        self.stream_seq = recorded.stream_seq;
    }

    /// What its context counts it by: nothing, once it has ended and another has its place.
    pub(crate) fn state(&self) -> Option<TaskState> {
        let state = TaskState {
            status: self.status,
            outcome: self.sub_status,
            is_by_rule: self.cause == Some(Cause::Rule),
        };
        (self.current || !self.status.is_terminal()).then_some(state)
    }
}
