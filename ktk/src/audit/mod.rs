//! Judges a history by its events: whether each may follow those before it.
//!
//! Nothing is asked of whoever recorded it. Every aggregate is folded anew, and its own rules are
//! asked whether they allow what happened next.

mod chained;
mod custody;
mod findings;
mod rules;
mod task;

use std::collections::HashMap;

use kantoku_domain::{
    Aggregate, Context, Envelope, Event, Id, Kind, Metadata, NamedType, NamespaceState, Pipeline,
    Policy, Recorded, Resource, Specification, Task,
};
use kantoku_streams::{Loaded, subject};

use custody::Custody;

pub use chained::{Chained, Verdict};
pub use findings::Findings;

/// How much of a history there is to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every event from the first on.
    Whole,
    /// From the first on, of one namespace or context.
    Filtered,
    /// Not from the first on: what it follows is not known.
    Tail,
}

/// Aggregates of one kind, as their events so far make them.
type Known<A> = HashMap<Id, Loaded<A>>;

/// What is known of a history so far. Keeps the state of every aggregate in memory: some two
/// kilobytes for a task.
pub struct Audit {
    extent: Extent,
    last_seq: u64,
    tasks: Known<Task>,
    /// Where each task was announced since it was claimed last, and for which attempt.
    announced: HashMap<Id, Vec<(u64, u32)>>,
    contexts: Known<Context>,
    resources: Known<Resource>,
    specifications: Known<Specification>,
    types: Known<NamedType>,
    pipelines: Known<Pipeline>,
    policies: Known<Policy>,
    namespaces: Known<NamespaceState>,
    custody: Custody,
}

impl Audit {
    /// Of a history of which no event was seen yet.
    pub fn new(extent: Extent) -> Self {
        Self {
            extent,
            last_seq: 0,
            tasks: HashMap::new(),
            announced: HashMap::new(),
            contexts: HashMap::new(),
            resources: HashMap::new(),
            specifications: HashMap::new(),
            types: HashMap::new(),
            pipelines: HashMap::new(),
            policies: HashMap::new(),
            namespaces: HashMap::new(),
            custody: Custody::default(),
        }
    }

    /// Takes in the next event.
    pub fn take(&mut self, recorded: &Recorded, findings: &mut Findings) {
        let seq = recorded.stream_seq;
        if seq <= self.last_seq {
            let message = format!("position {seq} comes after position {}", self.last_seq);
            findings.add("order", recorded, message);
        }
        self.last_seq = self.last_seq.max(seq);
        check_names(recorded, findings);
        match recorded.aggregate {
            Kind::Task => self.task(recorded, findings),
            Kind::Context => {
                fold(self.extent, &mut self.contexts, recorded, rules::context, findings);
            }
            Kind::Resource => {
                fold(self.extent, &mut self.resources, recorded, rules::resource, findings);
                if self.extent != Extent::Tail {
                    self.custody.resource(recorded, findings);
                }
            }
            Kind::Specification => {
                let known = &mut self.specifications;
                fold(self.extent, known, recorded, rules::specification, findings);
            }
            Kind::Type => fold(self.extent, &mut self.types, recorded, rules::type_, findings),
            Kind::Pipeline => {
                fold(self.extent, &mut self.pipelines, recorded, rules::pipeline, findings);
            }
            Kind::Policy => {
                fold(self.extent, &mut self.policies, recorded, rules::policy, findings);
            }
            Kind::Namespace => {
                fold(self.extent, &mut self.namespaces, recorded, rules::namespace, findings);
            }
        }
    }

    fn task(&mut self, recorded: &Recorded, findings: &mut Findings) {
        if let Event::TaskReady(ready) = &recorded.event {
            return self.announced(recorded, ready, findings);
        }
        if let Event::TaskReceived(received) = &recorded.event {
            let announced = self.announced.remove(&recorded.id).unwrap_or_default();
            let is_known = self.extent == Extent::Whole || self.tasks.contains_key(&recorded.id);
            let named = (received.ready_seq, received.attempt);
            if is_known && !announced.contains(&named) {
                let (attempt, at) = (received.attempt, received.ready_seq);
                let message = format!("attempt {attempt} was not announced at position {at}");
                findings.add("transition", recorded, message);
            }
        }
        if self.extent != Extent::Tail {
            let spawned =
                self.tasks.get(&recorded.id).and_then(|task| task.state.spawned.as_deref());
            self.custody.task(recorded, spawned, findings);
        }
        fold(self.extent, &mut self.tasks, recorded, task::judge, findings);
    }

    /// An announcement lies on its queue's subject: it is no event of the task's own chain, but
    /// guarded by it.
    fn announced(
        &mut self,
        recorded: &Recorded,
        ready: &kantoku_domain::task::Ready,
        findings: &mut Findings,
    ) {
        let Some(known) = self.tasks.get(&recorded.id) else {
            if self.extent != Extent::Tail {
                findings.add("transition", recorded, "a task is announced that is not there");
            }
            return;
        };
        let previous = recorded.metadata.previous_seq;
        if ready.guard != known.stream_seq || previous != known.stream_seq {
            let message = format!(
                "it was decided on the task as of position {}, whose last event is {}",
                ready.guard, known.stream_seq
            );
            findings.add("guard", recorded, message);
        } else if let Err(why) = task::may_be_announced(&known.state, ready) {
            findings.add("transition", recorded, why);
        }
        if recorded.version != known.version {
            findings.add("version", recorded, expected_version(recorded, known.version));
        }
        let announced = self.announced.entry(recorded.id).or_default();
        announced.push((recorded.stream_seq, ready.attempt));
    }
}

/// What an event says about where it belongs.
fn check_names(recorded: &Recorded, findings: &mut Findings) {
    let Recorded { subject, namespace, aggregate, id, event, metadata, .. } = recorded;
    let kind = event.kind();
    let is_well = match event {
        Event::TaskReady(ready) => {
            let of = subject::parse(subject);
            ready.task_id == *id && of == Ok(subject::Parsed::Ready(namespace.clone()))
        }
        _ => *subject == subject::event(namespace, kind, *id),
    };
    if kind != *aggregate || !is_well {
        let message = format!("it lies on {subject}, which is not where it belongs");
        findings.add("subject", recorded, message);
    }
    let derived = envelope(*id, metadata).event_id();
    if metadata.event_id != derived {
        let message = format!(
            "its id is {}, but its command {} gives {derived}",
            metadata.event_id, metadata.command_id
        );
        findings.add("event-id", recorded, message);
    }
}

/// Checks an event against the aggregate's last one, asks the rules, and takes it in whatever they
/// say, so that one wrong event is found once.
fn fold<A: Aggregate>(
    extent: Extent,
    known: &mut Known<A>,
    recorded: &Recorded,
    judge: impl FnOnce(&A, &Recorded) -> Result<(), String>,
    findings: &mut Findings,
) {
    let is_first = !known.contains_key(&recorded.id);
    if is_first && recorded.version != 1 && extent == Extent::Tail {
        // What it was before is not known, nor what it is now.
        return;
    }
    let loaded = known.entry(recorded.id).or_default();
    if recorded.version != loaded.version + 1 {
        findings.add("version", recorded, expected_version(recorded, loaded.version + 1));
    }
    if recorded.metadata.previous_seq != loaded.stream_seq {
        let message = format!(
            "it follows position {} by its own account, but position {} by the log",
            recorded.metadata.previous_seq, loaded.stream_seq
        );
        findings.add("guard", recorded, message);
    }
    if let Err(why) = judge(&loaded.state, recorded) {
        findings.add("transition", recorded, why);
    }
    loaded.take(recorded);
}

fn expected_version(recorded: &Recorded, expected: u64) -> String {
    format!("it has version {}, but {expected} is next", recorded.version)
}

/// What went around the command that decided an event.
fn envelope(aggregate_id: Id, metadata: &Metadata) -> Envelope {
    Envelope {
        aggregate_id,
        command_id: metadata.command_id,
        at: metadata.at,
        actor: metadata.actor.clone(),
        service_id: metadata.service_id.clone(),
        causation_id: metadata.causation_id,
        correlation_id: metadata.correlation_id,
    }
}

/// What the rules decide about a command on this state; an error unless that is an event of the
/// type that was recorded.
fn decided<A: Aggregate>(
    state: &A,
    command: &A::Command,
    recorded: &Recorded,
) -> Result<Event, String> {
    let name = recorded.event.name();
    match state.decide(command, &envelope(recorded.id, &recorded.metadata)) {
        Ok(Some(event)) if event.name() == name => Ok(event),
        Ok(Some(event)) => Err(format!("the rules give {}, not {name}", event.name())),
        Ok(None) => Err(format!("{name} changes nothing: that had happened before")),
        Err(rejection) => Err(format!("the rules refuse {name}: {rejection}")),
    }
}

#[cfg(test)]
mod tests;
