//! What every task goes through, without servers.

use std::hint::black_box;

use kantoku_domain::{
    Aggregate as _, Envelope, Event, Id, Partition, Recorded, Specification, Timestamp,
    specification::{Applied, Command},
};
use kantoku_handlers::{Handler as _, Scheduler};
use kantoku_projections::Model;
use kantoku_streams::Draft;
use serde_json::json;

use crate::{life::Life, stopwatch::Work};

const CONTEXT_TASKS: usize = 100;

/// The domain: every command of a task is decided, and every event folded.
pub(crate) struct Lives {
    applied: Applied,
    tasks: usize,
}

impl Lives {
    pub(crate) fn of(tasks: usize) -> Self {
        Self { applied: applied(), tasks }
    }

    /// The events of all tasks, one task after another.
    fn events(&self) -> Vec<Recorded> {
        let mut events: Vec<Recorded> = Vec::with_capacity(4 * self.tasks);
        for number in 0..self.tasks {
            let mut life = Life::new(&self.applied, context(number), number);
            while let Some(draft) = life.next(Timestamp::from_micros(events.len() as i64)) {
                let recorded = stored(draft, events.len() as u64 + 1);
                life.take(&recorded);
                events.push(recorded);
            }
        }
        events
    }
}

impl Work for Lives {
    fn pieces(&self) -> usize {
        self.tasks
    }

    fn run(&self) {
        black_box(self.events());
    }
}

/// The scheduler: it folds the events of all tasks, and says after each what is due.
pub(crate) struct Folded(Vec<Recorded>);

impl Folded {
    /// All tasks are spawned before the first one goes on, as they are in a burst.
    pub(crate) fn of(tasks: usize) -> Self {
        Self(in_turns(tasks))
    }
}

impl Work for Folded {
    fn pieces(&self) -> usize {
        self.0.len() / 4
    }

    fn run(&self) {
        const EFFECTS_MAX: usize = 256;
        let mut scheduler = Scheduler::default();
        for recorded in &self.0 {
            scheduler.apply(recorded);
            black_box(scheduler.due(recorded.metadata.at, EFFECTS_MAX));
        }
        assert_eq!(scheduler.tasks(), 0);
    }
}

/// The scheduler: it takes up what it wrote down when all tasks were over.
pub(crate) struct Restored {
    tasks: usize,
    saved: Vec<u8>,
}

impl Restored {
    pub(crate) fn of(tasks: usize) -> Self {
        let mut scheduler = Scheduler::default();
        for recorded in &in_turns(tasks) {
            scheduler.apply(recorded);
        }
        Self { tasks, saved: scheduler.save().expect("written") }
    }

    /// How much is written of a task that is over.
    pub(crate) fn bytes_of_one(&self) -> usize {
        self.saved.len() / self.tasks
    }
}

impl Work for Restored {
    fn pieces(&self) -> usize {
        self.tasks
    }

    fn run(&self) {
        let mut scheduler = Scheduler::default();
        scheduler.restore(&self.saved).expect("read");
        assert_eq!(black_box(scheduler).tasks(), 0);
    }
}

/// The read model, folded in memory.
pub(crate) struct Shown(Vec<Recorded>);

impl Shown {
    pub(crate) fn of(tasks: usize) -> Self {
        Self(in_turns(tasks))
    }
}

impl Work for Shown {
    fn pieces(&self) -> usize {
        self.0.len() / 4
    }

    fn run(&self) {
        let mut model = Model::default();
        self.0.iter().for_each(|recorded| model.take(recorded));
        assert_eq!(model.tasks().count(), self.pieces());
    }
}

/// The events of all tasks: all are spawned, then all announced, and so on.
fn in_turns(tasks: usize) -> Vec<Recorded> {
    let applied = applied();
    let mut lives: Vec<Life> =
        (0..tasks).map(|number| Life::new(&applied, context(number), number)).collect();
    let mut events: Vec<Recorded> = Vec::with_capacity(4 * tasks);
    for _ in 0..4 {
        for life in &mut lives {
            let at = Timestamp::from_micros(events.len() as i64);
            let recorded = stored(life.next(at).expect("four events"), events.len() as u64 + 1);
            life.take(&recorded);
            events.push(recorded);
        }
    }
    events
}

fn context(number: usize) -> Id {
    Id::default().derive(&(number / CONTEXT_TASKS).to_string(), Partition::of(7))
}

fn stored(draft: Draft, stream_seq: u64) -> Recorded {
    let Draft { subject, namespace, id, version, event, metadata, guard: _ } = draft;
    let aggregate = event.kind();
    Recorded { stream_seq, subject, namespace, aggregate, id, version, event, metadata }
}

/// A specification that passes `x` on.
fn applied() -> Applied {
    let definition = json!({
        "inputs": {"x": "unknown"}, "outputs": {"x": "unknown"}, "executable": {"type": "noop"},
    });
    let definition = serde_json::from_value(definition).expect("a definition");
    let name = "pass".parse().expect("a name");
    let command = Command::Apply { name, source: None, definition };
    let id = Id::default();
    let envelope = Envelope {
        aggregate_id: id,
        command_id: id,
        at: Timestamp::default(),
        actor: "test".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id,
    };
    match Specification::default().decide(&command, &envelope) {
        Ok(Some(Event::SpecificationApplied(applied))) => applied,
        other => panic!("{other:?}"),
    }
}
