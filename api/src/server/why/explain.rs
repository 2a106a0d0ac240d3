//! From facts to a sentence. Pure.

use kantoku_domain::{
    Dependency, Timestamp,
    dependency::{Ground, Status},
    standing::Stage,
    task::{Failure, Outcome},
};
use kantoku_projections::{document::TaskStatus, reader::GraphTask};

use super::{held_up::is_paused, moment::Moment, roots::Roots};
use crate::contract::WhyFact;

/// How many things are named in a sentence.
const NAMED_MAX: usize = 10;

/// Why.
pub(super) struct Explanation {
    /// In a sentence.
    pub(super) summary: String,
    /// The smallest set of facts behind it.
    pub(super) facts: Vec<WhyFact>,
}

impl Moment {
    /// Why `task` is where it is.
    pub(super) fn explain(&self, task: &GraphTask) -> Explanation {
        let restarted = task.restarted_as;
        let restarted =
            restarted.map_or_else(String::new, |id| format!("; it was restarted as {id}"));
        let summary = format!("{}{restarted}", self.summary(task));
        Explanation { summary, facts: Roots::of(self, task.id).facts() }
    }

    fn summary(&self, task: &GraphTask) -> String {
        let node = task.node.as_deref().unwrap_or("an unknown node");
        let error = || task.error.as_ref().map_or_else(|| "no reason given".into(), told);
        match task.status {
            TaskStatus::Initialized => self.waiting(task),
            TaskStatus::Ready => {
                format!("attempt {} waits to be claimed in queue {:?}", task.attempt, task.queue)
            }
            TaskStatus::Received => {
                format!("attempt {} runs on {node}{}", task.attempt, since(task.started_at))
            }
            TaskStatus::Finished if task.sub_status == Some(Outcome::Ok) => {
                format!("it finished ok on {node}{}", at(task.finished_at))
            }
            TaskStatus::Finished => {
                format!(
                    "it failed in attempt {}{}: {}",
                    task.attempt,
                    at(task.finished_at),
                    error()
                )
            }
            TaskStatus::Cancelled => cancelled(task),
            TaskStatus::Skipped => format!(
                "it will not run: {} cannot arrive{}",
                task.reason.as_deref().unwrap_or("what it waits for"),
                task.root_cause
                    .filter(|cause| *cause != task.id)
                    .map_or_else(String::new, |id| format!(", because of {}", self.name(id))),
            ),
        }
    }

    fn waiting(&self, task: &GraphTask) -> String {
        if let Some(standing) = self.standings.get(&task.id) {
            return match &standing.stage {
                Stage::Waiting => self.waits_for(task, &standing.grounds),
                Stage::Backoff => self.is_tried_again(task, standing.next_at),
                Stage::Paused => match &standing.paused {
                    Some(pausing) => format!("it could run, but {}", is_paused(task, pausing)),
                    None => "it could run, but for a pause".into(),
                },
                Stage::Queued { .. } if standing.blocked.is_empty() => {
                    "all that it waits for is there, and it is about to be announced".into()
                }
                Stage::Queued { since } => {
                    format!("it could run since {since}, and has to wait for others")
                }
                Stage::Announced { queue, .. } => {
                    format!("attempt {} waits to be claimed in queue {queue:?}", standing.attempt)
                }
                Stage::Held { node, since } => {
                    format!("attempt {} runs on {node} since {since}", standing.attempt)
                }
                Stage::Skipped(skipped) => {
                    format!("it will not run: {} cannot arrive", skipped.missing)
                }
            };
        }
        let needs = self.needs(task);
        match needs.status {
            Status::Pending { .. } => self.waits_for(task, &needs.grounds),
            Status::Failed { .. } => "it cannot run any more, and is about to be skipped".into(),
            Status::Ready => match task.not_before.filter(|at| *at > self.now) {
                Some(at) => self.is_tried_again(task, Some(at)),
                None if !task.unfolded => "it is planned, and about to be spawned".into(),
                None => match self.pausing(task) {
                    Some(pausing) => format!("it could run, but {}", is_paused(task, &pausing)),
                    None => {
                        "all that it waits for is there, and it is about to be announced".into()
                    }
                },
            },
        }
    }

    fn is_tried_again(&self, task: &GraphTask, until: Option<Timestamp>) -> String {
        let until = until.unwrap_or(self.now);
        format!("attempt {} failed; the next may start at {until}", task.attempt)
    }

    fn waits_for(&self, task: &GraphTask, grounds: &[Ground]) -> String {
        let leaves = task.depends_on.iter().flat_map(Dependency::leaves).count();
        let upstream = task.when.iter().flat_map(|when| &when.upstream);
        let governed = || upstream.clone().flat_map(|upstream| &upstream.inputs).count();
        let all = task.reads.len() - governed().min(task.reads.len()) + upstream.clone().count();
        let (open, all) = match grounds.first().and_then(|ground| ground.one_of) {
            Some(one_of) if grounds.iter().all(|it| it.one_of == Some(one_of)) => one_of,
            _ => (grounds.len(), (all + leaves).max(grounds.len())),
        };
        let named = grounds.iter().take(NAMED_MAX);
        let named: Vec<String> = named.map(|ground| self.called(ground)).collect();
        let more = if grounds.len() > NAMED_MAX { ", …" } else { "" };
        format!("it waits for {open} of {all}: {}{more}", named.join(", "))
    }

    /// What people call a thing that is waited for.
    fn called(&self, ground: &Ground) -> String {
        if ground.name.starts_with("input ") {
            return ground.name.clone();
        }
        match &ground.leaf {
            Dependency::Resource(id) => format!("resource {id}"),
            Dependency::Failed(id) if ground.negated => {
                format!("the end of {} without a failure", self.name(*id))
            }
            Dependency::Failed(id) => format!("a failure of {}", self.name(*id)),
            Dependency::Task(id) | Dependency::Done(id) => format!("the end of {}", self.name(*id)),
            Dependency::At(at) => format!("{at}"),
            Dependency::Window(_) => "a window of time".into(),
            Dependency::Approval(approval) => format!("approval {:?}", approval.name),
            Dependency::Event(pattern) => format!("an event {}", pattern.type_),
            Dependency::Http(probe) => format!("an answer from {}", probe.url),
            _ => ground.name.clone(),
        }
    }
}

/// By whom and why it was stopped.
pub(super) fn cancelled(task: &GraphTask) -> String {
    let by = task.cancelled_by.as_ref();
    let by = by.map_or_else(String::new, |actor| format!(" by {actor}"));
    let reason = task.reason.as_deref().filter(|reason| !reason.is_empty());
    format!("it was cancelled{by}{}: {}", at(task.finished_at), reason.unwrap_or("no reason given"))
}

/// A failure, with the end of what the process wrote.
pub(super) fn told(failure: &Failure) -> String {
    match failure.stderr_tail.as_deref().map(str::trim).filter(|tail| !tail.is_empty()) {
        Some(tail) => format!("{}; it wrote: {tail}", failure.message),
        None => failure.message.clone(),
    }
}

pub(super) fn since(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" since {at}"))
}

fn at(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" at {at}"))
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
