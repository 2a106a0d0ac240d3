//! A task: what it may go through, and who may resolve its outputs.
//!
//! `initialized → ready → received → finished`, with attempts repeated between ready and
//! received. `TaskReady` lies on its queue's subject and is not folded here: the claim decides.

mod approve;
mod cancel;
mod claim;
mod command;
mod event;
mod fail;
mod failure;
mod finish;
mod label;
mod order;
mod restart;
mod successor;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Decision, Envelope, Event, Id, Kind, Reason, Rejection, Timestamp,
    aggregate::cqrs_es_adapter, pause::Paused, restart::OutputPolicy,
};

pub use cancel::Cancel;
pub use claim::{Fence, Refusal};
pub use command::Command;
pub use event::{
    AttemptFailed, Delegation, Expired, Finished, Outcome, Output, Planned, Ready, Received,
    Resolved, Spawned, SpecificationRef,
};
pub use fail::Expire;
pub use failure::Failure;
pub use label::{Label, Labelled};
pub use order::{Approved, Cancelled, ChildrenCancelled, Restarted, Revival, Revived, Skipped};
pub(crate) use restart::not_custodian;
pub use restart::{Restart, already_restarted};
pub(crate) use successor::check_successor;
pub use template::{Child, Success, Template};

/// Where a task is in its life, as far as its own subject tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It waits, or is ready.
    Initialized,
    /// An attempt runs.
    Received,
    /// It has ended.
    Finished,
    /// It was stopped.
    Cancelled,
    /// It will not run.
    Skipped,
}

impl Status {
    /// Whether nothing can follow (a skip is revocable only by a restart).
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Skipped)
    }

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Initialized => "initialized",
            Self::Received => "received",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// A task, folded from its subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// Where it is.
    pub status: Status,
    /// How it was spawned. `None` while absent.
    pub spawned: Option<Box<Spawned>>,
    /// The attempt that runs or ran last; 0 before the first.
    pub attempt: u32,
    /// Who claimed the attempt.
    pub holder: Option<Received>,
    /// How many attempts were lost with their executors.
    pub losses: u32,
    /// When the next attempt may be claimed.
    pub not_before: Timestamp,
    /// How often it was resumed or revived: announcements of earlier rounds are void.
    pub round: u32,
    /// Whether it is to wait.
    pub paused: Option<Paused>,
    /// Who has said yes to which approval.
    pub approvals: BTreeMap<String, BTreeSet<String>>,
    /// What became of its labels since it was spawned, all changes in one.
    pub labelled: Labelled,
    /// The outputs that it has custody of still.
    pub custody: BTreeMap<String, Id>,
    /// The outputs that it passed to children.
    pub delegated: BTreeMap<String, Delegation>,
    /// The tasks that it spawned.
    pub children: Vec<Id>,
    /// Whether these were ordered to stop.
    pub children_cancelled: bool,
    /// How it ended, once finished.
    pub outcome: Option<Outcome>,
    /// The time that was up, if that has ended it.
    pub expired: Option<Expired>,
    /// Why it was given up, while it is.
    pub skipped: Option<Skipped>,
    /// Why it came back from that last.
    pub revived: Option<Revived>,
    /// The task that took its place.
    pub restarted_as: Option<Id>,
    /// The attempt that ended last and how, so that the same command again is recognised.
    closed: Option<(u32, Outcome)>,
}

impl Task {
    fn spawned(&self) -> Result<&Spawned, Rejection> {
        self.spawned
            .as_deref()
            .ok_or_else(|| Rejection::new(Reason::NotFound, "there is no such task"))
    }

    fn terminal(&self, what: &str) -> Rejection {
        Rejection::new(
            Reason::Terminal,
            format!("the task cannot be {what}: it is {} already", self.status.name()),
        )
        .current(self.status.name())
    }

    fn end(&mut self, status: Status) {
        self.status = status;
        self.paused = None;
    }

    fn finished(&mut self, finished: &Finished) {
        self.end(Status::Finished);
        self.outcome = Some(finished.outcome);
        self.expired = finished.expired;
        self.closed = Some((finished.attempt, finished.outcome));
        self.delegated.clone_from(&finished.delegated);
        self.children = finished.children.iter().map(|child| child.id).collect();
        if finished.outcome == Outcome::Ok {
            self.custody.clear();
        }
    }

    fn restarted(&mut self, restarted: &Restarted) {
        self.restarted_as = Some(restarted.successor.id);
        self.children_cancelled |= !restarted.children.is_empty();
        if restarted.outputs == OutputPolicy::Reuse {
            self.custody.clear();
        }
        // One that was live has no more to do: its inputs are replaced.
        if !self.status.is_terminal() {
            self.end(Status::Cancelled);
        }
    }
}

fn invalid(message: String) -> Rejection {
    Rejection::new(Reason::Invalid, message)
}

impl Aggregate for Task {
    const KIND: Kind = Kind::Task;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TaskSpawned(spawned) => {
                self.status = Status::Initialized;
                self.custody =
                    spawned.outputs.iter().map(|(name, o)| (name.clone(), o.id)).collect();
                self.spawned = Some(Box::new(spawned.clone()));
            }
            Event::TaskReceived(received) => {
                self.status = Status::Received;
                self.attempt = received.attempt;
                self.holder = Some(received.clone());
            }
            Event::TaskAttemptFailed(failed) => {
                self.status = Status::Initialized;
                self.holder = None;
                self.closed = Some((failed.attempt, Outcome::Failed));
                self.losses = self.losses.saturating_add(failed.error.is_loss().into());
                self.not_before = failed.not_before;
            }
            Event::TaskFinished(finished) => self.finished(finished),
            Event::TaskCancelled(_) => self.end(Status::Cancelled),
            Event::TaskChildrenCancelled(_) => self.children_cancelled = true,
            Event::TaskSkipped(skipped) => {
                self.end(Status::Skipped);
                self.skipped = Some(skipped.clone());
            }
            Event::TaskRevived(revived) => {
                self.status = Status::Initialized;
                self.skipped = None;
                self.revived = Some(*revived);
                self.round = self.round.saturating_add(1);
            }
            Event::TaskRestarted(restarted) => self.restarted(restarted),
            Event::TaskApproved(Approved { name, by }) => {
                self.approvals.entry(name.clone()).or_default().insert(by.clone());
            }
            Event::TaskLabelled(labelled) => self.labelled(labelled),
            Event::TaskPaused(paused) => self.paused = Some(paused.clone()),
            Event::TaskResumed(_) => {
                self.paused = None;
                self.round = self.round.saturating_add(1);
            }
            _ => {}
        }
    }

    fn decide(&self, command: &Command, envelope: &Envelope) -> Decision {
        match command {
            Command::Spawn(spawned) => match self.spawned.as_deref() {
                None => Ok(Some(Event::TaskSpawned((**spawned).clone()))),
                Some(known) if *known == **spawned => Ok(None),
                Some(_) => Err(Rejection::new(
                    Reason::AlreadyExists,
                    "a task with this id exists and is another: use a fresh idempotency key",
                )),
            },
            Command::Receive(claim) => self.receive(claim, envelope),
            Command::Finish { attempt, success } => self.finish(*attempt, success, envelope),
            Command::Fail { attempt, error } => self.fail(*attempt, error, envelope),
            Command::Expire(expire) => self.expire(*expire),
            Command::Cancel(cancel) => self.cancel(cancel, envelope),
            Command::Skip(skipped) => self.skip(skipped),
            Command::Revive(revived) => self.revive(*revived),
            Command::Restart(restart) => self.restart(restart, envelope),
            Command::Approve(approved) => self.approve(approved),
            Command::Label(label) => self.label(label),
            Command::Pause { reason } => self.pause(reason, envelope),
            Command::Resume => self.resume(envelope),
        }
    }
}

cqrs_es_adapter!(Task);
