//! All that is known, of one moment.

use std::collections::BTreeMap;

use kantoku_domain::{
    Id, Kind, Name, Timestamp,
    dependency::{Cause, Ending, Explanation, Facts, How, Known, Needs, RootCauses},
    pause::Paused,
    standing::{Pausing, Standing},
    task::Outcome,
};
use kantoku_projections::{
    document::{ResourceStatus, TaskStatus},
    reader::{Graph, GraphTask},
};

/// All that is known, of one moment.
pub(super) struct Moment {
    pub(super) graph: Graph,
    /// What the scheduler says of tasks, where it was asked and has answered.
    pub(super) standings: BTreeMap<Id, Standing>,
    /// What is paused besides contexts and tasks, where the scheduler was not asked.
    pub(super) pauses: Pauses,
    /// The services; `None` when that is not known.
    pub(super) present: Option<Vec<Present>>,
    pub(super) now: Timestamp,
}

/// Whether a namespace and specifications of it are paused.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    pub(super) namespace: Option<Paused>,
    pub(super) specifications: BTreeMap<Name, Paused>,
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

impl Moment {
    pub(super) fn find(&self, id: Id) -> Option<&GraphTask> {
        self.graph.tasks.get(&id).or_else(|| self.graph.outside.get(&id))
    }

    /// The task that has the place of `id` now, if it is known.
    pub(super) fn head(&self, id: Id) -> Option<&GraphTask> {
        let mut head = self.find(id)?;
        // Restarts form a tree, so that this ends; the count is for graphs that are none.
        for _ in 0..self.graph.tasks.len() {
            match head.restarted_as.and_then(|next| self.find(next)) {
                Some(next) => head = next,
                None => break,
            }
        }
        Some(head)
    }

    /// How people call the task `id`.
    pub(super) fn name(&self, id: Id) -> String {
        self.find(id).map_or_else(|| format!("task {id}"), name)
    }

    /// What `task` waits for, by the rules of the scheduler.
    pub(super) fn needs(&self, task: &GraphTask) -> Explanation {
        needs_of(task).explain(&OnBehalf { moment: self, task }, self.now)
    }

    /// What is paused that `task` has to wait for: the widest there is.
    pub(super) fn pausing(&self, task: &GraphTask) -> Option<Pausing> {
        let specification = self.pauses.specifications.get(&task.specification);
        let is_here = task.context_id == self.graph.context.id;
        let context = self.graph.context.paused.as_ref().filter(|_| is_here);
        let all = [
            (Kind::Namespace, self.pauses.namespace.as_ref()),
            (Kind::Specification, specification),
            (Kind::Context, context),
            (Kind::Task, task.paused.as_ref()),
        ];
        let widest = all.into_iter().find_map(|(kind, paused)| Some((kind, paused?)));
        widest.map(|(kind, paused)| Pausing { kind, paused: paused.clone() })
    }
}

/// All that `task` waits for.
pub(in crate::server) fn needs_of(task: &GraphTask) -> Needs {
    Needs {
        inputs: task.reads.clone(),
        when: task.when.clone(),
        depends_on: task.depends_on.clone(),
    }
}

/// How people call it: by its step if it has one.
pub(super) fn name(task: &GraphTask) -> String {
    match &task.step {
        Some(step) => format!("step {step:?}"),
        None => format!("task {}", task.id),
    }
}

/// What is stored, on behalf of one task that waits. Events and answers to probes are not.
struct OnBehalf<'a> {
    moment: &'a Moment,
    task: &'a GraphTask,
}

fn how(task: &GraphTask) -> Option<How> {
    Some(match task.status {
        TaskStatus::Finished if task.sub_status == Some(Outcome::Ok) => How::Ok,
        TaskStatus::Finished => How::Failed,
        TaskStatus::Cancelled => How::Cancelled,
        TaskStatus::Skipped => How::Skipped {
            root_causes: RootCauses::all(task.root_cause.unwrap_or(task.id), &task.other_causes),
            cause: task.cause.unwrap_or_default(),
        },
        TaskStatus::Initialized | TaskStatus::Ready | TaskStatus::Received => return None,
    })
}

impl Facts for OnBehalf<'_> {
    fn resource(&self, id: Id) -> Known {
        let Some(resource) = self.moment.graph.resources.get(&id) else { return Known::Pending };
        if resource.has_value {
            return Known::Holds { at: self.task.waiting_since };
        }
        let custodian = resource.custodian.and_then(|id| self.moment.find(id));
        match custodian {
            Some(task) if resource.status == ResourceStatus::Failed => {
                let at = task.finished_at.unwrap_or(self.moment.now);
                let how = how(task).unwrap_or(How::Cancelled);
                let ending = Ending { task: task.id, how, at };
                let cause = if ending.is_failure() { Cause::Failure } else { Cause::Rule };
                Known::Impossible { root_causes: ending.root_causes(), cause, at }
            }
            _ => Known::Pending,
        }
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let task = self.moment.head(id)?;
        Some(Ending { task: task.id, how: how(task)?, at: task.finished_at? })
    }

    fn since(&self) -> Timestamp {
        self.task.waiting_since
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.task.approvals.get(name).into_iter().flatten();
        given.map(|approval| (approval.by.as_str(), approval.at)).collect()
    }
}
