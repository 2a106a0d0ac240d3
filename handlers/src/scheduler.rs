//! The scheduler: announces a task as soon as everything that it waits for is there, and gives it
//! up as soon as something can never arrive.
//!
//! Event driven: nothing is polled. Only the backoff of a failed attempt waits for the clock.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use kantoku_domain::{
    Binding, Dependency, Event, Id, Namespace, Recorded, Timestamp,
    dependency::Cause,
    task::{self, Command, Outcome, Skipped},
};

use crate::{Effect, Handler};

/// See the module.
#[derive(Debug, Default)]
pub struct Scheduler {
    facts: HashMap<Id, Fact>,
    /// The names of outputs, each kept once: there are few, and many facts.
    names: HashSet<Arc<str>>,
    tasks: HashMap<Id, Waiting>,
    /// Who waits for which fact, until it is known.
    waiting_for: HashMap<Id, Vec<Id>>,
    /// Tasks to look at, each at most once.
    due: VecDeque<Id>,
    queued: HashSet<Id>,
    /// Tasks whose next attempt has to wait, the earliest on top.
    later: BinaryHeap<Reverse<(Timestamp, Id)>>,
}

/// What is known of a resource, or of a task as something that others come after.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fact {
    /// It is there since the event at this `stream_seq`, of a task under this name.
    Holds(u64, Option<Arc<str>>),
    /// It never will be, because of this task.
    Impossible(Id),
}

/// A task that is not over.
#[derive(Debug)]
struct Waiting {
    namespace: Namespace,
    context_id: Id,
    queue: String,
    /// Inputs that are resources.
    inputs: BTreeMap<String, Id>,
    outputs: BTreeMap<String, Id>,
    /// Facts not known yet.
    outstanding: usize,
    /// What can never arrive, and the task to blame.
    impossible: Option<(String, Id)>,
    /// The attempt to announce next, and the task's last event.
    attempt: u32,
    guard: u64,
    version: u64,
    not_before: Timestamp,
    /// The event that the next effect follows from.
    cause: Id,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for facts or for the clock, or is due.
    Open,
    /// The attempt was announced, or the task given up: by us now or, as the stream says, before.
    Settled,
    /// A node has it.
    Held,
}

impl Scheduler {
    /// How many tasks are not over.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn spawned(&mut self, recorded: &Recorded, spawned: &task::Spawned) {
        let id = recorded.id;
        if self.tasks.contains_key(&id) || self.facts.contains_key(&id) {
            return;
        }
        let resource =
            |(name, binding): (&String, &Binding)| Some((name.clone(), binding.resource()?));
        let mut waiting = Waiting {
            namespace: recorded.namespace.clone(),
            context_id: spawned.context_id,
            queue: spawned.queue.clone(),
            inputs: spawned.inputs.iter().filter_map(resource).collect(),
            outputs: spawned.outputs.iter().map(|(name, o)| (name.clone(), o.id)).collect(),
            outstanding: 0,
            impossible: None,
            attempt: 1,
            guard: recorded.stream_seq,
            version: recorded.version,
            not_before: Timestamp::default(),
            cause: recorded.metadata.event_id,
            stage: Stage::Open,
        };
        let leaves = spawned.depends_on.iter().flat_map(Dependency::leaves);
        let named = leaves.filter_map(|leaf| match leaf {
            Dependency::Resource(id) | Dependency::Task(id) => Some((what(leaf), *id)),
            _ => None,
        });
        let inputs = waiting.inputs.iter().map(|(name, id)| (format!("input {name}"), *id));
        for (what, fact) in inputs.chain(named).collect::<Vec<_>>() {
            match self.facts.get(&fact) {
                Some(Fact::Holds(..)) => {}
                Some(Fact::Impossible(root_cause)) => {
                    waiting.impossible.get_or_insert((what, *root_cause));
                }
                None => {
                    waiting.outstanding += 1;
                    self.waiting_for.entry(fact).or_default().push(id);
                }
            }
        }
        self.tasks.insert(id, waiting);
        self.look_at(id);
    }

    /// Queues a task if something follows for it.
    fn look_at(&mut self, id: Id) {
        let Some(task) = self.tasks.get(&id) else { return };
        let is_due = task.outstanding == 0 || task.impossible.is_some();
        if task.stage == Stage::Open && is_due && self.queued.insert(id) {
            self.due.push_back(id);
        }
    }

    /// A fact is known: whoever waits for it is told. The first word counts.
    fn learn(&mut self, fact: Id, is: Fact, cause: Id) {
        if self.facts.contains_key(&fact) {
            return;
        }
        let blamed = match is {
            Fact::Impossible(root_cause) => Some(root_cause),
            Fact::Holds(..) => None,
        };
        self.facts.insert(fact, is);
        for id in self.waiting_for.remove(&fact).unwrap_or_default() {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            task.outstanding -= 1;
            task.cause = cause;
            if let Some(root_cause) = blamed {
                let name = task.inputs.iter().find(|(_, input)| **input == fact);
                let what = name.map_or_else(
                    || format!("what it comes after, {fact}"),
                    |(name, _)| format!("input {name}"),
                );
                task.impossible.get_or_insert((what, root_cause));
            }
            self.look_at(id);
        }
    }

    /// The task is over. Outputs that it resolved or passed on are not lost, the others are.
    fn ended(&mut self, recorded: &Recorded, root_cause: Option<Id>, keep: &dyn Fn(&str) -> bool) {
        let Some(task) = self.tasks.remove(&recorded.id) else { return };
        let cause = recorded.metadata.event_id;
        let fact = root_cause.map_or(Fact::Holds(recorded.stream_seq, None), Fact::Impossible);
        self.learn(recorded.id, fact, cause);
        for (name, output) in task.outputs {
            if !keep(&name) {
                self.learn(output, Fact::Impossible(root_cause.unwrap_or(recorded.id)), cause);
            }
        }
    }

    fn finished(&mut self, recorded: &Recorded, finished: &task::Finished) {
        let Some(task) = self.tasks.get(&recorded.id) else { return };
        let resolved = |name: &String| Some((name.clone(), *task.outputs.get(name)?));
        for (name, output) in finished.outputs.keys().filter_map(resolved).collect::<Vec<_>>() {
            let name = self.interned(&name);
            let fact = Fact::Holds(recorded.stream_seq, Some(name));
            self.learn(output, fact, recorded.metadata.event_id);
        }
        let root_cause = (finished.outcome == Outcome::Failed).then_some(recorded.id);
        self.ended(recorded, root_cause, &|name| {
            finished.outputs.contains_key(name) || finished.delegated.contains_key(name)
        });
    }

    fn interned(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    /// What follows for a task, if anything does now.
    fn decide(&mut self, id: Id, now: Timestamp) -> Option<Effect> {
        let task = self.tasks.get_mut(&id)?;
        if task.stage != Stage::Open {
            return None;
        }
        if let Some((missing, root_cause)) = task.impossible.clone() {
            task.stage = Stage::Settled;
            return Some(Effect::Command {
                namespace: task.namespace.clone(),
                task_id: id,
                context_id: task.context_id,
                cause: task.cause,
                command: Command::Skip(Skipped {
                    root_cause,
                    others: Vec::new(),
                    cause: Cause::default(),
                    missing,
                }),
            });
        }
        if task.outstanding > 0 {
            return None;
        }
        if now < task.not_before {
            self.later.push(Reverse((task.not_before, id)));
            return None;
        }
        let resolved = |(name, id): (&String, &Id)| match self.facts.get(id) {
            Some(Fact::Holds(seq, output)) => {
                let output = output.as_deref().map(str::to_owned);
                Some((name.clone(), task::Resolved { seq: *seq, output }))
            }
            Some(Fact::Impossible(_)) | None => None,
        };
        let inputs = task.inputs.iter().filter_map(resolved).collect();
        task.stage = Stage::Settled;
        Some(Effect::Announce {
            namespace: task.namespace.clone(),
            queue: task.queue.clone(),
            context_id: task.context_id,
            cause: task.cause,
            version: task.version,
            ready: task::Ready {
                task_id: id,
                attempt: task.attempt,
                guard: task.guard,
                round: 0,
                inputs,
            },
        })
    }
}

fn what(leaf: &Dependency) -> String {
    match leaf {
        Dependency::Task(id) => format!("task {id}"),
        Dependency::Resource(id) => format!("resource {id}"),
        _ => "all of several".into(),
    }
}

impl Handler for Scheduler {
    fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::TaskSpawned(spawned) => self.spawned(recorded, spawned),
            Event::TaskReady(ready) => {
                if let Some(task) = self.tasks.get_mut(&ready.task_id)
                    && task.stage == Stage::Open
                    && task.attempt == ready.attempt
                {
                    task.stage = Stage::Settled;
                }
            }
            Event::TaskReceived(received) => {
                if let Some(task) = self.tasks.get_mut(&recorded.id)
                    && received.attempt >= task.attempt
                {
                    task.attempt = received.attempt;
                    task.stage = Stage::Held;
                }
            }
            Event::TaskAttemptFailed(failed) => {
                if let Some(task) = self.tasks.get_mut(&recorded.id)
                    && failed.attempt >= task.attempt
                {
                    task.attempt = failed.attempt + 1;
                    task.guard = recorded.stream_seq;
                    task.version = recorded.version;
                    task.not_before = failed.not_before;
                    task.cause = recorded.metadata.event_id;
                    task.stage = Stage::Open;
                    self.look_at(recorded.id);
                }
            }
            Event::TaskFinished(finished) => self.finished(recorded, finished),
            Event::TaskCancelled(_) => self.ended(recorded, Some(recorded.id), &|_| false),
            Event::TaskSkipped(skipped) => {
                self.ended(recorded, Some(skipped.root_cause), &|_| false);
            }
            Event::ResourceInitialized(_) => {
                let fact = Fact::Holds(recorded.stream_seq, None);
                self.learn(recorded.id, fact, recorded.metadata.event_id);
            }
            _ => {}
        }
    }

    fn foresee(&mut self, recorded: &Recorded) {
        self.apply(recorded);
    }

    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect> {
        while let Some(Reverse((at, id))) = self.later.peek().copied()
            && at <= now
        {
            self.later.pop();
            self.look_at(id);
        }
        let mut effects = Vec::new();
        while effects.len() < max
            && let Some(id) = self.due.pop_front()
        {
            self.queued.remove(&id);
            effects.extend(self.decide(id, now));
        }
        effects
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }
}
