//! A context in which anything happens that the rules allow: commands drawn by lot, decided by the
//! aggregates, recorded as a stream would.

mod act;
mod facts;
mod plan;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Aggregate, Context, Envelope, Event, Id, Kind, Metadata, Namespace, NamespaceState, Policy,
    Recorded, Specification, Task, Timestamp,
    restart::Unfolding,
    task::{Command, Planned, Spawned},
};

use crate::given::{CREATED, derived, id};

/// Numbers that follow from a seed. Source: "Fast Splittable Pseudorandom Number Generators",
/// Steele, Lea and Flood, 2014.
pub(crate) struct Lot(u64);

impl Lot {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn is_one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())]) }
    }
}

/// A task that was named.
struct Named {
    spawned: Box<Spawned>,
    /// Where the order lies that it descends from.
    origin: u64,
    /// When it was named.
    at: Timestamp,
}

/// A restart of the context.
struct Restart {
    id: Id,
    /// Where it was ordered.
    seq: u64,
    unfolding: Unfolding,
    /// The outputs that others are to hold.
    results: BTreeMap<String, Id>,
}

/// See the module.
pub(crate) struct World {
    lot: Lot,
    pub(crate) events: Vec<Recorded>,
    pub(crate) context_id: Id,
    context: Context,
    /// Where all was ordered to stop last.
    stopped_at: u64,
    named: BTreeMap<Id, Named>,
    tasks: BTreeMap<Id, (Task, u64)>,
    /// Tasks of which an attempt was announced that may be claimed still.
    announced: BTreeSet<Id>,
    /// When each task began to wait.
    since: BTreeMap<Id, (Timestamp, u64)>,
    ended: BTreeMap<Id, Timestamp>,
    given: BTreeMap<Id, Vec<(String, String, Timestamp)>>,
    resolved: BTreeMap<Id, Timestamp>,
    outputs: BTreeMap<String, Id>,
    /// Restarts that are being carried out.
    restarts: Vec<Restart>,
    specification: Specification,
    namespace: NamespaceState,
    policy: Policy,
}

impl World {
    /// A world in which the plan was opened.
    pub(crate) fn opened(seed: u64) -> Self {
        let context_id = id(u128::from(seed) << 32);
        let mut world = Self {
            lot: Lot::new(seed),
            events: Vec::new(),
            context_id,
            context: Context::default(),
            stopped_at: 0,
            named: BTreeMap::new(),
            tasks: BTreeMap::new(),
            announced: BTreeSet::new(),
            since: BTreeMap::new(),
            ended: BTreeMap::new(),
            given: BTreeMap::new(),
            resolved: BTreeMap::new(),
            outputs: BTreeMap::new(),
            restarts: Vec::new(),
            specification: Specification::default(),
            namespace: NamespaceState::default(),
            policy: Policy::default(),
        };
        world.open();
        world
    }

    fn next_seq(&self) -> u64 {
        self.events.len() as u64 * 2 + 1
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(CREATED.micros() + self.next_seq() as i64 * 1_001)
    }

    fn envelope(&self, aggregate_id: Id) -> Envelope {
        let seq = self.next_seq();
        Envelope {
            aggregate_id,
            command_id: derived(aggregate_id, &format!("command {seq}")),
            at: self.now(),
            actor: format!("somebody {}", seq % 3),
            service_id: "tests".into(),
            causation_id: None,
            correlation_id: self.context_id,
        }
    }

    /// Records what was decided.
    fn push(&mut self, event: Event, envelope: &Envelope) -> u64 {
        let stream_seq = self.next_seq();
        let namespace = Namespace::default();
        self.events.push(Recorded {
            stream_seq,
            subject: format!("evt.{namespace}.07.{}.{}", event.kind(), envelope.aggregate_id),
            namespace,
            aggregate: event.kind(),
            id: envelope.aggregate_id,
            version: 1,
            event,
            metadata: Metadata { previous_seq: 0, ..envelope.metadata(0) },
        });
        stream_seq
    }

    /// Decides a command on an aggregate that is not looked into here.
    fn decide<A: Aggregate>(&mut self, state: &mut A, id: Id, command: &A::Command) {
        let envelope = self.envelope(id);
        if let Ok(Some(event)) = state.decide(command, &envelope) {
            state.evolve(&event);
            self.push(event, &envelope);
        }
    }

    /// Decides a command on a task. `false`: it was refused, or changes nothing.
    fn send(&mut self, id: Id, command: &Command) -> bool {
        let envelope = self.envelope(id);
        let (task, _) = self.tasks.entry(id).or_default();
        let Ok(Some(event)) = task.decide(command, &envelope) else { return false };
        task.evolve(&event);
        let seq = self.push(event.clone(), &envelope);
        self.tasks.entry(id).and_modify(|(_, position)| *position = seq);
        self.happened(id, &event, seq, envelope.at);
        true
    }

    fn happened(&mut self, id: Id, event: &Event, seq: u64, at: Timestamp) {
        match event {
            // It changes nothing else.
            Event::TaskLabelled(_) => return,
            Event::TaskApproved(approved) => {
                let given = (approved.name.clone(), approved.by.clone(), at);
                self.given.entry(id).or_default().push(given);
                return;
            }
            Event::TaskSpawned(_) => {
                self.since.insert(id, (at, seq));
            }
            Event::TaskRevived(revived) => {
                self.since.insert(id, (at, seq));
                let origin = self.named[&revived.restarted_as].origin;
                self.named.entry(id).and_modify(|named| named.origin = origin);
            }
            Event::TaskFinished(finished) => {
                let outputs = &self.named[&id].spawned.outputs;
                let resolved = finished.outputs.keys().map(|name| (outputs[name].id, at));
                self.resolved.extend(resolved.collect::<Vec<_>>());
                let origin = self.named[&id].origin;
                finished.children.iter().for_each(|child| self.name(child, origin, at));
            }
            Event::TaskRestarted(restarted) => {
                let ordered = self.restarts.iter().find(|it| Some(it.id) == restarted.step_of);
                let origin = ordered.map_or(seq, |restart| restart.seq);
                let before = &self.named[&id].spawned.outputs;
                for (name, output) in &restarted.successor.task.outputs {
                    let moved = self.outputs.values_mut().filter(|id| **id == before[name].id);
                    moved.for_each(|id| *id = output.id);
                }
                self.name(&restarted.successor, origin, at);
            }
            _ => {}
        }
        self.announced.remove(&id);
        if self.tasks[&id].0.status.is_terminal() {
            self.ended.entry(id).or_insert(at);
        } else {
            self.ended.remove(&id);
        }
    }

    fn name(&mut self, planned: &Planned, origin: u64, at: Timestamp) {
        let spawned = Box::new(planned.task.clone());
        self.named.insert(planned.id, Named { spawned, origin, at });
    }

    fn specification_id() -> Id {
        Id::named(&Namespace::default(), Kind::Specification, plan::SPECIFICATION)
    }
}
