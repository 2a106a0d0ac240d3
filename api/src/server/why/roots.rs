//! The facts at the far ends of chains of waiting.

use std::collections::{BTreeSet, VecDeque};

use kantoku_domain::{Dependency, Id, task::Outcome};
use kantoku_projections::{
    document::{ResourceStatus, TaskStatus},
    reader::GraphTask,
};

use super::explain::{Moment, Present, name, since, told};
use crate::contract::WhyFact;

/// More facts than this are counted, not told.
const FACTS_MAX: usize = 100;

/// Collects the facts at the far ends of chains of waiting, each once. Chains may be long: a list
/// of tasks to look at, no recursion.
pub(super) struct Roots<'a> {
    moment: &'a Moment<'a>,
    seen: BTreeSet<Id>,
    open: VecDeque<Id>,
    facts: Vec<WhyFact>,
}

impl<'a> Roots<'a> {
    /// The facts behind where `task` is.
    pub(super) fn of(moment: &'a Moment<'a>, task: Id) -> Vec<WhyFact> {
        let mut roots =
            Self { moment, seen: [task].into(), open: [task].into(), facts: Vec::new() };
        while let Some(id) = roots.open.pop_front() {
            if let Some(task) = moment.find(id) {
                roots.look_at(task);
            } else {
                let message = format!("there is no task {id}: check the id");
                roots.add("dependency", message).task_id = Some(id);
            }
        }
        let untold = roots.facts.len().saturating_sub(FACTS_MAX);
        roots.facts.truncate(FACTS_MAX);
        if untold > 0 {
            roots.add("more", format!("{untold} more facts like these"));
        }
        roots.facts
    }

    fn add(&mut self, kind: &str, message: String) -> &mut WhyFact {
        let (kind, resource_id, task_id, at) = (kind.to_owned(), None, None, None);
        let held_by = Vec::new();
        self.facts.push(WhyFact { kind, message, resource_id, task_id, at, held_by });
        let last = self.facts.len() - 1;
        &mut self.facts[last]
    }

    fn look_later(&mut self, id: Id) {
        if self.seen.insert(id) {
            self.open.push_back(id);
        }
    }

    fn look_at(&mut self, task: &GraphTask) {
        let (at, fact) = match task.status {
            TaskStatus::Initialized => return self.initialized(task),
            TaskStatus::Skipped => return self.skipped(task),
            TaskStatus::Ready => (Some(task.updated_at), self.ready(task)),
            TaskStatus::Received => {
                let node = task.node.as_deref().unwrap_or("an unknown node");
                let message = format!("{} runs on {node}{}", name(task), since(task.started_at));
                (task.started_at, self.add("running", message))
            }
            TaskStatus::Finished if task.sub_status == Some(Outcome::Ok) => return,
            TaskStatus::Finished => {
                let error = task.error.as_ref().map_or_else(String::new, told);
                let message = format!("{} failed: {error}", name(task));
                (task.finished_at, self.add("failed", message))
            }
            TaskStatus::Cancelled => {
                let message = format!("{}: {}", name(task), self.moment.cancelled(task));
                (task.finished_at, self.add("cancelled", message))
            }
        };
        fact.task_id = Some(task.id);
        fact.at = at;
    }

    fn skipped(&mut self, task: &GraphTask) {
        match task.root_cause {
            Some(cause) if self.moment.find(cause).is_some() => self.look_later(cause),
            cause => {
                let missing = task.reason.as_deref().unwrap_or("what it waits for");
                let message = format!("{} will not run: {missing} cannot arrive", name(task));
                let fact = self.add("skipped", message);
                fact.task_id = cause.or(Some(task.id));
                fact.at = task.finished_at;
            }
        }
    }

    fn initialized(&mut self, task: &GraphTask) {
        if task.context_id != self.moment.graph.context.id {
            let message = format!(
                "task {} of another context waits itself; ask why of it: ktk why task/{}",
                task.id, task.id
            );
            self.add("dependency", message).task_id = Some(task.id);
            return;
        }
        let open = self.moment.open(task);
        for (what, leaf) in &open {
            match leaf {
                Dependency::Task(id) => self.look_later(*id),
                Dependency::Resource(id) => self.resource(task, what, *id),
                _ => {}
            }
        }
        if open.is_empty() {
            self.due(task);
        }
    }

    fn resource(&mut self, task: &GraphTask, what: &str, id: Id) {
        let resource = self.moment.graph.resources.get(&id);
        if let Some(custodian) = resource.and_then(|resource| resource.custodian) {
            return self.look_later(custodian);
        }
        let waits = format!("{what} of {}", name(task));
        let message = match resource {
            None => format!("{waits} is resource {id}, which does not exist: check the id"),
            Some(resource) if resource.status == ResourceStatus::Released => {
                format!("{waits} is resource {id}, which was released without a value")
            }
            Some(resource) => format!(
                "{waits} is resource {id} ({}), which belongs to no task and was given no value \
                 yet. Give it one: {}",
                resource.type_,
                initialize(id)
            ),
        };
        let kind = if what.starts_with("input ") { "input" } else { "dependency" };
        let fact = self.add(kind, message);
        fact.resource_id = Some(id);
        fact.task_id = Some(task.id);
    }

    /// All that the task waits for is there.
    fn due(&mut self, task: &GraphTask) {
        if let Some(at) = task.not_before.filter(|at| *at > self.moment.now) {
            let error = task.error.as_ref().map_or_else(String::new, told);
            let message = format!(
                "{} failed in attempt {} and is tried again at {at}: {error}",
                name(task),
                task.attempt
            );
            let fact = self.add("backoff", message);
            (fact.task_id, fact.at) = (Some(task.id), Some(at));
            return;
        }
        let (handler, next) =
            if task.unfolded { ("scheduler", "announced") } else { ("unfolder", "spawned") };
        let name = name(task);
        let present = self.moment.present.as_ref();
        let (kind, message) = if present.is_some_and(|all| !all.iter().any(|s| s.runs(handler))) {
            let message = format!(
                "{name} is to be {next}, and no {handler} is present: start one with \
                 ktk serve --only {handler}"
            );
            (format!("no_{handler}"), message)
        } else {
            ("due".into(), format!("{name} is about to be {next}"))
        };
        let fact = self.add(&kind, message);
        (fact.task_id, fact.at) = (Some(task.id), Some(task.updated_at));
    }

    /// It was announced, and nobody has claimed it.
    fn ready(&mut self, task: &GraphTask) -> &mut WhyFact {
        let (task_name, queue) = (name(task), &task.queue);
        let Some(present) = &self.moment.present else {
            let message = format!("{task_name} waits to be claimed in queue {queue:?}");
            return self.add("ready", message);
        };
        let executors: Vec<&Present> =
            present.iter().filter(|service| service.serves(queue)).collect();
        if executors.is_empty() {
            let message = format!(
                "{task_name} is ready, and no executor of queue {queue:?} is present: start one \
                 with ktk serve --only executor --queue {queue}"
            );
            return self.add("no_executor", message);
        }
        let load: Vec<String> = executors
            .iter()
            .map(|e| format!("{} runs {} of {}", e.service_id, e.running, e.slots))
            .collect();
        let is_full = executors.iter().all(|executor| executor.running >= executor.slots);
        let (kind, state) = if is_full {
            ("busy", "all executors are busy")
        } else {
            ("ready", "about to be claimed")
        };
        let message =
            format!("{task_name} is ready in queue {queue:?}, {state}: {}", load.join(", "));
        self.add(kind, message)
    }
}

/// The command that gives a resource its value.
fn initialize(id: Id) -> String {
    format!(
        "curl ${{KTK_API_URL:-http://127.0.0.1:7300}}/rpc -H 'Content-Type: application/json' -d \
         '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resource.initialize\",\
         \"params\":{{\"items\":[{{\"id\":\"{id}\",\"value\":VALUE}}]}}}}'"
    )
}
