//! A task in the judge's books.

use std::{collections::BTreeMap, sync::Arc};

use kantoku_domain::{
    Dependency, Event, Id, Kind, Recorded, Timestamp,
    task::{Delegation, Outcome, Skipped, Spawned},
};

use super::{Decided, Verdict, ensure};

/// How a task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    Failed,
    Cancelled,
    Skipped,
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Waiting,
    Held,
    Over(End),
}

/// An announcement that may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) attempt: u32,
    pub(crate) round: u32,
    pub(crate) decided: Decided,
}

/// The run of a service that has a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) node: String,
    pub(crate) boot_id: Id,
    /// The position of its claim.
    pub(crate) fence: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) spawned: Arc<Spawned>,
    pub(crate) specification_id: Id,
    pub(crate) namespace_id: Id,
    /// The order that it descends from.
    pub(crate) origin: u64,
    pub(crate) last_seq: u64,
    pub(crate) life: Life,
    pub(crate) attempt: u32,
    pub(crate) round: u32,
    pub(crate) paused: bool,
    pub(crate) not_before: Timestamp,
    pub(crate) holder: Option<Holder>,
    pub(crate) announcement: Option<Announcement>,
    /// Since when, and from which position on, it waits.
    pub(crate) since: (Timestamp, u64),
    pub(crate) ended_at: Timestamp,
    pub(crate) skipped: Option<Skipped>,
    pub(crate) restarted_as: Option<Id>,
    /// The task because of whose restart it came back last.
    pub(super) revived_for: Option<Id>,
    pub(crate) children: Vec<Id>,
    pub(crate) delegated: BTreeMap<String, Delegation>,
    pub(crate) approvals: Vec<(String, String, Timestamp)>,
}

impl Entry {
    pub(super) fn new(recorded: &Recorded, spawned: Arc<Spawned>, origin: u64) -> Self {
        let (namespace, name) = (&recorded.namespace, spawned.specification.name.as_str());
        Self {
            specification_id: Id::named(namespace, Kind::Specification, name),
            namespace_id: Id::named(namespace, Kind::Namespace, namespace.as_str()),
            spawned,
            origin,
            last_seq: recorded.stream_seq,
            life: Life::Waiting,
            attempt: 0,
            round: 0,
            paused: false,
            not_before: Timestamp::default(),
            holder: None,
            announcement: None,
            since: (recorded.metadata.at, recorded.stream_seq),
            ended_at: Timestamp::default(),
            skipped: None,
            restarted_as: None,
            revived_for: None,
            children: Vec::new(),
            delegated: BTreeMap::new(),
            approvals: Vec::new(),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.life, Life::Over(_))
    }

    pub(crate) fn end(&self) -> Option<End> {
        match self.life {
            Life::Over(end) => Some(end),
            Life::Waiting | Life::Held => None,
        }
    }

    /// Whether there is such a leaf in what it depends on.
    pub(crate) fn has(&self, is_it: impl Fn(&Dependency) -> bool) -> bool {
        self.spawned.depends_on.iter().flat_map(Dependency::leaves).any(is_it)
    }

    /// Whether it has slots: it runs, or may be claimed.
    pub(crate) fn is_admitted(&self) -> Option<Decided> {
        let announcement = self.announcement?;
        let is_claimable = || announcement.attempt == self.attempt + 1 && !self.paused;
        match self.life {
            Life::Held => Some(announcement.decided),
            Life::Waiting if announcement.round == self.round && is_claimable() => {
                Some(announcement.decided)
            }
            Life::Waiting | Life::Over(_) => None,
        }
    }

    /// Whether `recorded` may happen now.
    pub(super) fn check(
        &self,
        recorded: &Recorded,
        at: impl Fn(u64) -> Option<Arc<Recorded>>,
    ) -> Verdict {
        let id = recorded.id;
        let name = recorded.event.name();
        let is_kept = match self.life {
            // Labels change nothing of it.
            _ if matches!(recorded.event, Event::TaskLabelled(_)) => true,
            Life::Over(End::Skipped) => {
                matches!(recorded.event, Event::TaskRevived(_) | Event::TaskRestarted(_))
            }
            Life::Over(_) => {
                matches!(recorded.event, Event::TaskChildrenCancelled(_) | Event::TaskRestarted(_))
            }
            Life::Waiting | Life::Held => true,
        };
        let life = self.life;
        ensure(is_kept, "an end is final", || format!("{name} of task {id}, which is {life:?}"))?;
        match &recorded.event {
            Event::TaskReceived(received) => self.check_claim(recorded, received, at),
            Event::TaskAttemptFailed(_) | Event::TaskFinished(_) => self.check_end(recorded),
            Event::TaskRestarted(restarted) => {
                ensure(self.restarted_as.is_none(), "a task has one successor", || {
                    let (winner, other) = (self.restarted_as, restarted.successor.id);
                    format!("task {id} was restarted as {winner:?}, and now as {other}")
                })
            }
            Event::TaskSkipped(_) => {
                ensure(self.life == Life::Waiting, "what runs is not skipped", || {
                    format!("task {id}")
                })
            }
            Event::TaskRevived(_) => {
                let is_skipped = self.life == Life::Over(End::Skipped);
                let is_current = self.restarted_as.is_none();
                ensure(is_skipped && is_current, "only what is skipped is revived", || {
                    format!("task {id} is {life:?}")
                })
            }
            _ => Ok(()),
        }
    }

    /// Takes in an event that may happen.
    pub(super) fn take(&mut self, recorded: &Recorded) {
        self.last_seq = recorded.stream_seq;
        let at = recorded.metadata.at;
        match &recorded.event {
            Event::TaskReceived(received) => {
                self.life = Life::Held;
                self.attempt = received.attempt;
                let (node, boot_id) = (received.node.clone(), received.boot_id);
                self.holder = Some(Holder { node, boot_id, fence: recorded.stream_seq });
            }
            Event::TaskAttemptFailed(failed) => {
                self.life = Life::Waiting;
                self.holder = None;
                self.announcement = None;
                self.not_before = failed.not_before;
            }
            Event::TaskFinished(finished) => {
                self.over(if finished.outcome == Outcome::Ok { End::Ok } else { End::Failed }, at);
                self.children = finished.children.iter().map(|child| child.id).collect();
                self.delegated.clone_from(&finished.delegated);
            }
            Event::TaskCancelled(_) => self.over(End::Cancelled, at),
            Event::TaskSkipped(skipped) => {
                self.over(End::Skipped, at);
                self.skipped = Some(skipped.clone());
            }
            Event::TaskRevived(revived) => {
                self.revived_for = Some(revived.root_cause);
                self.life = Life::Waiting;
                self.skipped = None;
                self.announcement = None;
                self.round += 1;
                self.since = (at, recorded.stream_seq);
            }
            Event::TaskRestarted(restarted) => {
                self.restarted_as = Some(restarted.successor.id);
                if self.is_live() {
                    self.over(End::Cancelled, at);
                }
            }
            Event::TaskApproved(approved) => {
                self.approvals.push((approved.name.clone(), approved.by.clone(), at));
            }
            Event::TaskPaused(_) => self.paused = true,
            Event::TaskResumed(_) => {
                self.paused = false;
                self.round += 1;
                if self.life == Life::Waiting {
                    self.announcement = None;
                }
            }
            _ => {}
        }
    }

    fn over(&mut self, end: End, at: Timestamp) {
        self.life = Life::Over(end);
        self.ended_at = at;
        self.paused = false;
        self.holder = None;
        self.announcement = None;
    }
}
