//! Whether an expression holds, does not yet, or never will.

use std::{cmp::Reverse, collections::BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Dependency, Facts, Known, explain::Blame};
use crate::{Id, Timestamp};

/// Whether something that is waited for has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "UPPERCASE")]
pub enum Status {
    /// It may happen yet.
    Pending {
        /// When the clock alone may change that, at the earliest. `None`: only a fact can.
        next: Option<Timestamp>,
    },
    /// It has.
    Ready,
    /// It cannot any more.
    Failed {
        /// The tasks to blame, those that failed first, at most [`Status::ROOT_CAUSES_MAX`]; none
        /// if the clock is.
        root_causes: Vec<Id>,
    },
}

impl Status {
    /// How many root causes are told.
    pub const ROOT_CAUSES_MAX: usize = 100;

    /// The name in documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "PENDING",
            Self::Ready => "READY",
            Self::Failed { .. } => "FAILED",
        }
    }
}

/// Whom to blame, each once: those that failed first.
pub(super) fn root_causes(mut blames: Vec<Blame>) -> Vec<Id> {
    blames.sort_by_key(|blame| (Reverse(blame.cause), blame.root_causes.first()));
    let mut seen = BTreeSet::new();
    let ids = blames.iter().flat_map(|blame| blame.root_causes.iter());
    ids.filter(|id| seen.insert(*id)).take(Status::ROOT_CAUSES_MAX).collect()
}

/// A status, and since when; of one that is pending, when the clock may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pending(Option<Timestamp>),
    Ready(Timestamp),
    Failed(Timestamp),
}

/// Something that was never otherwise.
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MIN);

impl Verdict {
    fn negate(self) -> Self {
        match self {
            Self::Pending(next) => Self::Pending(next),
            Self::Ready(at) => Self::Failed(at),
            Self::Failed(at) => Self::Ready(at),
        }
    }

    fn negate_if(self, negated: bool) -> Self {
        if negated { self.negate() } else { self }
    }
}

/// The earlier of two times, if there is one.
pub(super) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What an evaluation goes by.
pub(super) struct Evaluation<'a, F> {
    pub(super) facts: &'a F,
    pub(super) now: Timestamp,
}

impl Dependency {
    /// Whether the expression holds at `now`, as far as `facts` tell. A function of its arguments,
    /// so whoever asks later what was decided gets the same answer from the same facts.
    pub fn evaluate(&self, facts: &impl Facts, now: Timestamp) -> Status {
        let evaluation = Evaluation { facts, now };
        match evaluation.verdict(self, false) {
            Verdict::Pending(next) => {
                Status::Pending { next: earlier(next, evaluation.next_end(self, false)) }
            }
            Verdict::Ready(_) => Status::Ready,
            Verdict::Failed(_) => {
                let mut blames = Vec::new();
                evaluation.blame(self, false, &mut |blame| blames.push(blame));
                Status::Failed { root_causes: root_causes(blames) }
            }
        }
    }

    /// How many of its parts a node needs to hold; `None` of a leaf and of `not`.
    pub(super) fn needed(&self, negated: bool) -> Option<usize> {
        let (count, parts) = match self {
            Self::All(parts) => (parts.len(), parts.len()),
            Self::Any(parts) => (1, parts.len()),
            Self::AtLeast { count, of } => (*count as usize, of.len()),
            Self::Within { .. } => (1, 1),
            _ => return None,
        };
        // De Morgan: not at least k of n = at least n - k + 1 of the negations.
        Some(if negated { (parts + 1).saturating_sub(count) } else { count })
    }
}

impl<F: Facts> Evaluation<'_, F> {
    /// The verdict on `expression`, or on its negation. Negations are pushed down to the leaves.
    pub(super) fn verdict(&self, expression: &Dependency, negated: bool) -> Verdict {
        match expression {
            Dependency::Not(part) => self.verdict(part, !negated),
            Dependency::Within { time, of } => {
                let deadline = self.facts.since().plus(time.duration());
                self.in_time(self.verdict(of, false), deadline).negate_if(negated)
            }
            node => match (node.parts(), node.needed(negated)) {
                (Some(parts), Some(needed)) => {
                    combine(parts.iter().map(|part| self.verdict(part, negated)), needed)
                }
                _ => self.leaf(node, negated),
            },
        }
    }

    /// When a part that holds now may be ruled out by the clock alone: what waits for others besides
    /// is then ruled out, too. In a `within`, an open window is a part that may close too late.
    pub(super) fn next_end(&self, expression: &Dependency, is_limited: bool) -> Option<Timestamp> {
        let end = match expression {
            Dependency::At(at) => Some(*at),
            Dependency::Window(window) if is_limited => {
                let opened = window.cron.last_until(self.now);
                opened.map(|at| at.plus(window.duration.duration()))
            }
            Dependency::Within { time, .. } => Some(self.facts.since().plus(time.duration())),
            _ => None,
        };
        let is_limited = is_limited || matches!(expression, Dependency::Within { .. });
        let parts = expression.parts().unwrap_or_default().iter();
        let of_parts = parts.filter_map(|part| self.next_end(part, is_limited));
        of_parts.chain(end).filter(|at| self.now < *at).min()
    }

    fn in_time(&self, verdict: Verdict, deadline: Timestamp) -> Verdict {
        match verdict {
            Verdict::Ready(at) if at < deadline => Verdict::Ready(at),
            Verdict::Failed(at) if at < deadline => Verdict::Failed(at),
            Verdict::Pending(next) if self.now < deadline => {
                Verdict::Pending(earlier(next, Some(deadline)))
            }
            _ => Verdict::Failed(deadline),
        }
    }

    fn leaf(&self, leaf: &Dependency, negated: bool) -> Verdict {
        match leaf {
            Dependency::Resource(id) => match self.facts.resource(*id) {
                Known::Pending => Verdict::Pending(None),
                Known::Holds { at } => Verdict::Ready(at).negate_if(negated),
                Known::Impossible { at, .. } => Verdict::Failed(at).negate_if(negated),
            },
            Dependency::Task(id) | Dependency::Done(id) | Dependency::Failed(id) => {
                let Some(ending) = self.facts.task(*id) else { return Verdict::Pending(None) };
                let holds = match leaf {
                    Dependency::Task(_) => ending.how == super::How::Ok,
                    Dependency::Failed(_) => ending.is_failure(),
                    _ => true,
                };
                Verdict::Ready(ending.at).negate_if(holds == negated)
            }
            passing => self.passing(passing, negated),
        }
    }

    /// A leaf that comes and goes, or of which it cannot be said that it will never come.
    fn passing(&self, leaf: &Dependency, negated: bool) -> Verdict {
        let (since, next) = match leaf {
            Dependency::At(at) => ((self.now >= *at).then_some(*at), Some(*at)),
            Dependency::Window(window) => {
                let opened = window.cron.last_until(self.now);
                let closes = opened.map(|at| at.plus(window.duration.duration()));
                let next = window.cron.next_after(self.now);
                match (opened, closes) {
                    (Some(opened), Some(closes)) if self.now < closes => {
                        return if negated {
                            Verdict::Pending(Some(closes))
                        } else {
                            Verdict::Ready(opened)
                        };
                    }
                    (_, closed) if negated => return Verdict::Ready(closed.unwrap_or(ALWAYS)),
                    _ => return Verdict::Pending(next),
                }
            }
            Dependency::Approval(approval) => {
                let given = self.facts.approvals(&approval.name);
                let mut given: Vec<_> = given
                    .into_iter()
                    .filter(|(who, _)| approval.may(who))
                    .map(|(_, at)| at)
                    .collect();
                (nth_earliest(&mut given, approval.count as usize), None)
            }
            Dependency::Event(pattern) => (self.facts.event(pattern), None),
            Dependency::Http(probe) => return self.probed(probe, negated),
            _ => return Verdict::Pending(None),
        };
        match (since, negated) {
            (Some(at), false) => Verdict::Ready(at),
            (Some(at), true) => Verdict::Failed(at),
            (None, false) => Verdict::Pending(next),
            (None, true) => Verdict::Ready(ALWAYS),
        }
    }

    fn probed(&self, probe: &super::HttpProbe, negated: bool) -> Verdict {
        let Some(last) = self.facts.probe(probe) else { return Verdict::Pending(Some(self.now)) };
        if (last.status == Some(probe.expect)) == negated {
            Verdict::Pending(Some(last.at.plus(probe.every.duration())))
        } else {
            Verdict::Ready(last.at)
        }
    }
}

/// At least `needed` of `parts`.
fn combine(parts: impl ExactSizeIterator<Item = Verdict>, needed: usize) -> Verdict {
    let spare = parts.len().checked_sub(needed);
    let (mut ready, mut failed, mut next) = (Vec::new(), Vec::new(), None);
    for verdict in parts {
        match verdict {
            Verdict::Ready(at) => ready.push(at),
            Verdict::Failed(at) => failed.push(at),
            Verdict::Pending(at) => next = earlier(next, at),
        }
    }
    // It fails with the first failure that it has no part to spare for.
    let Some(spare) = spare else { return Verdict::Failed(ALWAYS) };
    if let Some(at) = nth_earliest(&mut ready, needed) {
        return Verdict::Ready(at);
    }
    match nth_earliest(&mut failed, spare + 1) {
        Some(at) => Verdict::Failed(at),
        None => Verdict::Pending(next),
    }
}

/// The `n`th earliest of `times`, from 1; for 0, the beginning of time. `None`: there are fewer.
fn nth_earliest(times: &mut [Timestamp], n: usize) -> Option<Timestamp> {
    match n.checked_sub(1) {
        None => Some(ALWAYS),
        Some(index) if index < times.len() => Some(*times.select_nth_unstable(index).1),
        Some(_) => None,
    }
}
