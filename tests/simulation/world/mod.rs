//! A world in one thread: the real rules and the real handlers, over a ledger in memory, with a
//! clock that goes on when it is told to, and with everything that can go wrong.

mod advance;
mod calm;
mod carry;
mod clock;
mod effects;
mod executor;
mod lease;
mod node;
mod op;
mod pipeline;
mod rest;
mod restart;
mod rules;
mod snapshot;
mod step;
mod user;
mod weather;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use kantoku_domain::{Event, Id, Kind, Namespace, Partition, Timestamp};
use kantoku_handlers::Timeout;
use kantoku_streams::Heartbeat;

use crate::{
    broken::Broken,
    judge::{Decided, Judge, Violation},
    ledger::{Conflict, Draft, Ledger},
    rng::Rng,
};

pub(crate) use executor::EXECUTOR;
pub(crate) use step::Happened;

use clock::Clock;
use executor::{Executor, Ghost};
use node::Node;
use op::{Op, Owner};
use snapshot::Snapshot;
use weather::Weather;

/// How long an executor may be silent.
const LEASE: std::time::Duration = std::time::Duration::from_secs(10);

/// What has happened how often: a run in which nothing goes wrong proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally(pub(crate) BTreeMap<&'static str, u64>);

impl Tally {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

/// An announcement that nobody has settled.
#[derive(Clone, Copy, Debug)]
struct Announced {
    seq: u64,
    /// The executor that has it.
    in_hand: Option<usize>,
    /// Before, it does not come again.
    not_before: Timestamp,
}

/// See the module.
pub(crate) struct World {
    seed: u64,
    weather: Weather,
    broken: Broken,
    rng: Rng,
    clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) judge: Judge,
    nodes: Vec<Node>,
    /// The last snapshot of each.
    snapshots: Vec<Arc<Snapshot>>,
    executors: Vec<Executor>,
    /// Attempts of executors that are gone, and that do not know it.
    ghosts: Vec<Ghost>,
    ops: Vec<Op>,
    queue: Vec<Announced>,
    /// The timers that the server keeps, and those that are due and not settled.
    timers: BTreeMap<Id, Timeout>,
    due: VecDeque<Timeout>,
    /// Appends that nobody has seen arrive.
    limbo: Vec<(Draft, Decided)>,
    /// Heartbeats on their way.
    beats: Vec<(usize, Heartbeat)>,
    contexts: Vec<Id>,
    resources: Vec<Id>,
    commands: u64,
    decisions: u64,
    /// Nothing goes wrong any more.
    is_calm: bool,
    pub(crate) tally: Tally,
    pub(crate) violation: Option<Violation>,
    /// Whether to say more of each step, and what.
    pub(crate) is_telling: bool,
    pub(crate) told: Option<String>,
}

impl World {
    pub(crate) fn new(seed: u64, broken: Broken) -> Self {
        let mut rng = Rng::new(seed, u64::MAX);
        let weather = Weather::of(&mut rng);
        let mut world = Self {
            seed,
            broken,
            clock: Clock::new(),
            ledger: Ledger::default(),
            judge: Judge::default(),
            nodes: Node::all(weather.apart, weather.spare),
            executors: (0..weather.executors).map(|index| Executor::new(seed, index)).collect(),
            ghosts: Vec::new(),
            ops: Vec::new(),
            queue: Vec::new(),
            timers: BTreeMap::new(),
            due: VecDeque::new(),
            limbo: Vec::new(),
            beats: Vec::new(),
            contexts: Vec::new(),
            resources: Vec::new(),
            commands: 0,
            decisions: 0,
            is_calm: false,
            tally: Tally::default(),
            snapshots: Vec::new(),
            violation: None,
            is_telling: false,
            told: None,
            weather,
            rng,
        };
        world.snapshots = vec![Arc::default(); world.nodes.len()];
        world.begin();
        world
    }

    /// The weather of this run.
    pub(crate) fn weather(&self) -> String {
        format!("{:?}", self.weather)
    }

    /// An id of this run.
    fn id(&self, key: &str) -> Id {
        id(self.seed, key)
    }

    fn judged(&mut self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.violation.get_or_insert(violation);
        }
    }

    /// Stores an event, if its guard holds, and has it judged.
    fn store(&mut self, draft: &Draft, owner: Owner, decided: Decided) -> Result<u64, Conflict> {
        let recorded = self.ledger.append(draft, self.broken != Broken::NoGuard)?;
        let seq = recorded.stream_seq;
        let ledger = &self.ledger;
        let at = |seq| ledger.at(seq).map(Arc::clone);
        let verdict = self.judge.observe(&recorded, Some(decided), at);
        self.judged(verdict);
        self.tally.count(recorded.event.name());
        if let Event::ContextRestartSettled(settled) = &recorded.event
            && !settled.superseded.is_empty()
        {
            self.tally.count("a step is overtaken");
        }
        if draft.is_announcement() {
            let not_before = Timestamp::default();
            self.queue.push(Announced { seq, in_hand: None, not_before });
        }
        if let Owner::Node(index) = owner {
            self.nodes[index].own.push_back(seq);
        }
        Ok(seq)
    }
}

/// An id of the run of `seed`.
fn id(seed: u64, key: &str) -> Id {
    Id::of_key(&Namespace::default(), "simulation", &format!("{seed}/{key}"))
        .in_partition(Partition::of((seed % 64) as u8))
}

/// The id of something that has a name.
fn named(kind: Kind, name: &str) -> Id {
    Id::named(&Namespace::default(), kind, name)
}
