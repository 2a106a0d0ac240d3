//! From facts to the smallest set of them that explains a task. Pure.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Id, Timestamp,
    task::{Failure, Outcome},
};
use kantoku_projections::{
    document::TaskStatus,
    reader::{Graph, GraphTask},
};

use super::roots::Roots;
use crate::contract::WhyFact;

/// All that is known, of one moment.
pub(super) struct Moment<'a> {
    pub(super) graph: &'a Graph,
    /// The services; `None` when that is not known.
    pub(super) present: Option<Vec<Present>>,
    /// Who cancelled which task.
    pub(super) cancelled_by: BTreeMap<Id, String>,
    pub(super) now: Timestamp,
}

/// A service that is present.
#[derive(Clone, Debug)]
pub(super) struct Present {
    pub(super) service_id: String,
    pub(super) kind: String,
    /// The queue that it serves, of an executor.
    pub(super) queue: Option<String>,
    /// What it runs, of a node, separated by spaces.
    pub(super) handlers: String,
    pub(super) running: u32,
    pub(super) slots: u32,
}

impl Present {
    pub(super) fn serves(&self, queue: &str) -> bool {
        self.kind == "executor" && self.queue.as_deref().unwrap_or("default") == queue
    }

    pub(super) fn runs(&self, handler: &str) -> bool {
        self.kind == "node" && self.handlers.split(' ').any(|name| name == handler)
    }
}

/// Why.
pub(super) struct Explanation {
    /// In a sentence.
    pub(super) summary: String,
    /// The smallest set of facts behind it.
    pub(super) facts: Vec<WhyFact>,
}

impl Moment<'_> {
    /// Why `task` is where it is.
    pub(super) fn explain(&self, task: &GraphTask) -> Explanation {
        Explanation { summary: self.summary(task), facts: Roots::of(self, task.id) }
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
            TaskStatus::Cancelled => self.cancelled(task),
            TaskStatus::Skipped => format!(
                "it will not run: {} cannot arrive{}",
                task.reason.as_deref().unwrap_or("what it waits for"),
                task.root_cause.map_or_else(String::new, |id| format!(
                    ", because of {}",
                    self.find(id).map_or_else(|| format!("task {id}"), name)
                )),
            ),
        }
    }

    fn waiting(&self, task: &GraphTask) -> String {
        let open = self.open(task);
        if !open.is_empty() {
            let what: Vec<String> = open.iter().take(10).map(|(what, _)| what.clone()).collect();
            let more = if open.len() > 10 { ", …" } else { "" };
            let all =
                task.reads.len() + task.depends_on.iter().flat_map(Dependency::leaves).count();
            return format!("it waits for {} of {all}: {}{more}", open.len(), what.join(", "));
        }
        match task.not_before.filter(|at| *at > self.now) {
            Some(at) => format!("attempt {} failed; the next may start at {at}", task.attempt),
            None if !task.unfolded => "it is planned, and about to be spawned".into(),
            None => "all that it waits for is there, and it is about to be announced".into(),
        }
    }

    pub(super) fn cancelled(&self, task: &GraphTask) -> String {
        let by = self.cancelled_by.get(&task.id);
        let by = by.map_or_else(String::new, |actor| format!(" by {actor}"));
        let reason = task.reason.as_deref().filter(|reason| !reason.is_empty());
        format!(
            "it was cancelled{by}{}: {}",
            at(task.finished_at),
            reason.unwrap_or("no reason given")
        )
    }

    pub(super) fn find(&self, id: Id) -> Option<&GraphTask> {
        self.graph.tasks.get(&id).or_else(|| self.graph.outside.get(&id))
    }

    /// What `task` waits for and is not there, each with its name.
    pub(super) fn open(&self, task: &GraphTask) -> Vec<(String, Dependency)> {
        let inputs = task.reads.iter();
        let inputs = inputs.map(|(name, id)| (format!("input {name}"), Dependency::Resource(*id)));
        let leaves = task.depends_on.iter().flat_map(Dependency::leaves).map(|leaf| {
            let what = match leaf {
                Dependency::Task(id) => {
                    format!(
                        "the end of {}",
                        self.find(*id).map_or_else(|| format!("task {id}"), name)
                    )
                }
                Dependency::Resource(id) => format!("resource {id}"),
                _ => "all of several".into(),
            };
            (what, leaf.clone())
        });
        inputs.chain(leaves).filter(|(_, leaf)| !self.holds(leaf)).collect()
    }

    fn holds(&self, leaf: &Dependency) -> bool {
        match leaf {
            Dependency::Resource(id) => {
                self.graph.resources.get(id).is_some_and(|resource| resource.has_value)
            }
            Dependency::Task(id) => {
                self.find(*id).is_some_and(|task| task.sub_status == Some(Outcome::Ok))
            }
            Dependency::All(parts) => parts.iter().all(|part| self.holds(part)),
            _ => false,
        }
    }
}

/// How people call it: by its step if it has one.
pub(super) fn name(task: &GraphTask) -> String {
    match &task.step {
        Some(step) => format!("step {step:?}"),
        None => format!("task {}", task.id),
    }
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
