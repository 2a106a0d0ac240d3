//! The facts at the far ends of chains of waiting.

use std::collections::{BTreeSet, VecDeque};

use kantoku_domain::{
    Dependency, Id,
    dependency::{Ground, Status},
    standing::{Stage, Standing},
    task::Outcome,
};
use kantoku_projections::{
    document::{ResourceStatus, TaskStatus},
    reader::GraphTask,
};

use super::{
    explain::{cancelled, since, told},
    held_up,
    moment::{Moment, name},
};
use crate::contract::WhyFact;

/// More facts than this are counted, not told.
pub(super) const FACTS_MAX: usize = 100;

/// Collects the facts at the far ends of chains of waiting, each once. Chains may be long: a list
/// of tasks to look at, no recursion.
pub(super) struct Roots<'a> {
    moment: &'a Moment,
    seen: BTreeSet<Id>,
    open: VecDeque<Id>,
    facts: Vec<WhyFact>,
    untold: usize,
    /// The tasks that wait, and for more than other tasks: those of whom the scheduler may know more.
    pub(super) ends: Vec<Id>,
}

/// A fact of this kind about a task.
pub(super) fn fact(kind: &str, message: String, task: &GraphTask) -> WhyFact {
    WhyFact {
        kind: kind.to_owned(),
        message,
        resource_id: None,
        task_id: Some(task.id),
        at: None,
        held_by: Vec::new(),
    }
}

impl<'a> Roots<'a> {
    /// Follows all chains that begin with `task`.
    pub(super) fn of(moment: &'a Moment, task: Id) -> Self {
        let mut roots = Self {
            moment,
            seen: [task].into(),
            open: [task].into(),
            facts: Vec::new(),
            untold: 0,
            ends: Vec::new(),
        };
        while let Some(id) = roots.open.pop_front() {
            if let Some(task) = moment.find(id) {
                roots.look_at(task);
            } else {
                let message = format!("there is no task {id}: check the id");
                roots.add(WhyFact { task_id: Some(id), ..bare("dependency", message) });
            }
        }
        roots
    }

    /// The facts, as many as are told.
    pub(super) fn facts(self) -> Vec<WhyFact> {
        let mut facts = self.facts;
        if self.untold > 0 {
            facts.push(bare("more", format!("{} more facts like these", self.untold)));
        }
        facts
    }

    fn add(&mut self, fact: WhyFact) {
        if self.facts.len() < FACTS_MAX {
            self.facts.push(fact);
        } else {
            self.untold += 1;
        }
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
            TaskStatus::Ready => (Some(task.updated_at), held_up::announced(self.moment, task)),
            TaskStatus::Received => {
                let node = task.node.as_deref().unwrap_or("an unknown node");
                let message = format!("{} runs on {node}{}", name(task), since(task.started_at));
                (task.started_at, fact("running", message, task))
            }
            TaskStatus::Finished if task.sub_status == Some(Outcome::Ok) => return,
            TaskStatus::Finished => {
                let error = task.error.as_ref().map_or_else(String::new, told);
                let message = format!("{} failed: {error}", name(task));
                (task.finished_at, fact("failed", message, task))
            }
            TaskStatus::Cancelled => {
                let message = format!("{}: {}", name(task), cancelled(task));
                (task.finished_at, fact("cancelled", message, task))
            }
        };
        self.add(WhyFact { at: fact.at.or(at), ..fact });
    }

    fn skipped(&mut self, task: &GraphTask) {
        match task.root_cause.filter(|cause| *cause != task.id) {
            Some(cause) if self.moment.find(cause).is_some() => self.look_later(cause),
            cause => {
                let missing = task.reason.as_deref().unwrap_or("what it waits for");
                let message = format!("{} will not run: {missing} cannot arrive", name(task));
                let task_id = cause.or(Some(task.id));
                let at = task.finished_at;
                self.add(WhyFact { task_id, at, ..fact("skipped", message, task) });
            }
        }
    }

    fn initialized(&mut self, task: &GraphTask) {
        if task.context_id != self.moment.graph.context.id {
            let message = format!(
                "task {} of another context waits itself; ask why of it: ktk why task/{}",
                task.id, task.id
            );
            return self.add(fact("dependency", message, task));
        }
        if let Some(standing) = self.moment.standings.get(&task.id) {
            return self.standing(task, standing);
        }
        let needs = self.moment.needs(task);
        let is_ready = needs.status == Status::Ready;
        let is_end = is_ready || !needs.grounds.iter().all(is_of_others);
        self.ends.extend(is_end.then_some(task.id));
        if !is_ready {
            needs.grounds.iter().for_each(|ground| self.ground(task, ground));
        }
        if let Some(pausing) = self.moment.pausing(task) {
            self.add(held_up::paused(self.moment, task, &pausing));
        } else if is_ready {
            self.add(held_up::due(self.moment, task));
        }
    }

    /// What the scheduler says of a task that waits.
    fn standing(&mut self, task: &GraphTask, standing: &Standing) {
        self.ends.push(task.id);
        if standing.stage == Stage::Waiting {
            standing.grounds.iter().for_each(|ground| self.ground(task, ground));
            self.untold += standing.left_out;
        }
        if let Some(pausing) = &standing.paused {
            self.add(held_up::paused(self.moment, task, pausing));
        }
        for blocked in &standing.blocked {
            self.add(held_up::blocked(self.moment, task, blocked));
        }
        match &standing.stage {
            Stage::Backoff => self.add(held_up::backoff(task, standing.next_at)),
            Stage::Queued { .. } if standing.blocked.is_empty() && standing.paused.is_none() => {
                self.add(held_up::due(self.moment, task));
            }
            Stage::Announced { since, .. } => {
                let at = Some(*since);
                self.add(WhyFact { at, ..held_up::announced(self.moment, task) });
            }
            Stage::Held { node, since } => {
                let message = format!("{} runs on {node} since {since}", name(task));
                self.add(WhyFact { at: Some(*since), ..fact("running", message, task) });
            }
            _ => {}
        }
    }

    /// One fact that a task waits for, or that has ruled it out.
    fn ground(&mut self, task: &GraphTask, ground: &Ground) {
        match &ground.leaf {
            Dependency::Resource(id) => self.resource(task, &ground.name, *id),
            Dependency::Task(id) | Dependency::Done(id) | Dependency::Failed(id) => {
                match self.moment.head(*id) {
                    Some(other) if other.sub_status == Some(Outcome::Ok) => {
                        let message = format!("{}: {}", name(task), ground.message);
                        self.add(fact("dependency", message, task));
                    }
                    Some(other) => self.look_later(other.id),
                    None => self.look_later(*id),
                }
            }
            _ => self.add(held_up::waits(task, ground)),
        }
    }

    fn resource(&mut self, task: &GraphTask, what: &str, id: Id) {
        let resource = self.moment.graph.resources.get(&id);
        if let Some(custodian) = resource.and_then(|resource| resource.custodian) {
            return self.look_later(custodian);
        }
        let what = if is_input(what) { what.to_owned() } else { format!("resource {id}") };
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
        self.add(WhyFact { resource_id: Some(id), ..fact(kind, message, task) });
    }
}

fn bare(kind: &str, message: String) -> WhyFact {
    let (kind, resource_id, task_id, at) = (kind.to_owned(), None, None, None);
    WhyFact { kind, message, resource_id, task_id, at, held_by: Vec::new() }
}

fn is_input(name: &str) -> bool {
    name.starts_with("input ")
}

/// Whether it is about another task, which is looked at itself.
fn is_of_others(ground: &Ground) -> bool {
    ground.leaf.named().is_some()
}

/// The command that gives a resource its value.
fn initialize(id: Id) -> String {
    format!(
        "curl ${{KTK_API_URL:-http://127.0.0.1:7300}}/rpc -H 'Content-Type: application/json' -d \
         '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resource.initialize\",\
         \"params\":{{\"items\":[{{\"id\":\"{id}\",\"value\":VALUE}}]}}}}'"
    )
}
