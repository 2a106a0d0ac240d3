//! The scheduler: announces a task as soon as it may run and is admitted, gives it up as soon as it
//! never can, and takes it back when a restart makes it possible after all.
//!
//! What a task waits for, who holds a resource, what is paused, which limits are used up: all of
//! that is folded from the stream, and judged by the rules of the domain. Nothing is polled. A
//! change leads to a look at those whom it may concern; the clock is set for what time alone
//! changes.

mod archive;
mod awaited;
mod decide;
mod fold;
mod heard;
mod knowledge;
mod names;
mod own;
mod probes;
mod saved;
mod skips;
mod standing;
mod stops;
mod tally;
mod task;
mod view;
mod watchers;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use kantoku_domain::{
    Event, Id, Name, Recorded, Standing, Timestamp,
    admission::Admission,
    dependency::{HttpProbe, Probed},
    pause::Pauses,
};

use serde::{Deserialize, Serialize};

use self::{
    awaited::Awaited, knowledge::Knowledge, names::Names, probes::Probes, task::Waiting,
    watchers::Watchers,
};
use crate::{
    Effect, Handler, SavedError,
    overdue::Overdue,
    saved::{as_json, sorted, sorted_set},
};

/// How many tasks of a queue are announced and not claimed, at most: few enough for priority, fair
/// shares, pauses and cancellations to act late, many enough for executors never to wait.
const WINDOW: usize = 256;

/// So many tasks may be to be looked at, be they over, while another scheduler acts.
const DUE_MIN: usize = 1_024;

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scheduler {
    /// The stream is known up to here.
    position: u64,
    knowledge: Knowledge,
    nodes: Names,
    /// Tasks that are not over, and those that were given up and may come back.
    #[serde(with = "sorted")]
    tasks: HashMap<Id, Waiting>,
    /// Tasks that are stopped with others as soon as they are there.
    #[serde(with = "sorted_set")]
    to_stop: HashSet<Id>,
    watchers: Watchers,
    /// Whose failure or end each task was given up because of.
    blamed: BTreeSet<(Id, Id)>,
    awaited: Awaited,
    #[serde(skip)]
    probes: Probes,
    #[serde(with = "as_json")]
    pauses: Pauses,
    /// The names of policies, as one that is deleted does not say its own.
    #[serde(with = "sorted")]
    policies: HashMap<Id, Name>,
    #[serde(skip, default = "saved::no_admission")]
    admission: Admission,
    /// Whether somebody may be admitted who could not be before, and when the clock admits more.
    may_admit: bool,
    #[serde(skip)]
    admits_at: Option<Timestamp>,
    /// Tasks that could run, but for admission or a pause, by context.
    #[serde(skip)]
    ready: BTreeSet<(Id, Id)>,
    /// Tasks to look at, each at most once.
    due: VecDeque<Id>,
    /// Tasks to look at later, the earliest first.
    #[serde(skip)]
    alarms: BTreeSet<(Timestamp, Id)>,
    /// Tasks that something was handed out for, and what was their last event.
    #[serde(skip)]
    taken: Overdue<(Id, u64)>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self::with_window(WINDOW)
    }
}

impl Scheduler {
    /// A scheduler that announces at most `window` tasks of a queue ahead of their claims.
    pub fn with_window(window: usize) -> Self {
        Self {
            position: 0,
            knowledge: Knowledge::default(),
            nodes: Names::default(),
            tasks: HashMap::new(),
            to_stop: HashSet::new(),
            watchers: Watchers::default(),
            blamed: BTreeSet::new(),
            awaited: Awaited::default(),
            probes: Probes::default(),
            pauses: Pauses::default(),
            policies: HashMap::new(),
            admission: Admission::new(window),
            may_admit: false,
            admits_at: None,
            ready: BTreeSet::new(),
            due: VecDeque::new(),
            alarms: BTreeSet::new(),
            taken: Overdue::default(),
        }
    }

    /// How many tasks are not over. One that was given up is.
    pub fn tasks(&self) -> usize {
        self.tasks.values().filter(|task| !task.is_given_up()).count()
    }

    /// How many tasks hold slots of limits, by the names that `ktk` shows.
    pub fn slots(&self) -> impl Iterator<Item = (String, usize)> {
        self.admission.in_use().map(|(key, held)| (key.to_string(), held))
    }
}

impl Handler for Scheduler {
    fn apply(&mut self, recorded: &Recorded) {
        if recorded.stream_seq <= self.position {
            return;
        }
        self.position = recorded.stream_seq;
        self.happened(recorded);
        self.fold(recorded);
        self.paused(recorded);
    }

    fn foresee(&mut self, recorded: &Recorded) {
        // Labels are forgotten with a task, and an event that is awaited may ask for them.
        if recorded.stream_seq > self.position && self.awaited.is_empty() && self.is_next(recorded)
        {
            self.fold(recorded);
        }
    }

    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect> {
        while let Some((at, id)) = self.alarms.first().copied()
            && at <= now
        {
            self.alarms.pop_first();
            if let Some(task) = self.tasks.get_mut(&id) {
                task.alarm = None;
            }
            self.look_at(id);
        }
        let mut effects = Vec::new();
        self.take_up_lost(now, max, &mut effects);
        while effects.len() < max
            && let Some(id) = self.due.pop_front()
        {
            self.decide(id, now, max, &mut effects);
        }
        self.admit(now, max, &mut effects);
        effects
    }

    fn stand_by(&mut self) {
        self.take_back();
        // Nobody takes from it now, and tasks come and go.
        if self.due.len() > DUE_MIN + 2 * self.tasks.len() {
            let Self { due, tasks, .. } = self;
            due.retain(|id| tasks.contains_key(id));
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        alarm.into_iter().chain(self.admits_at).min()
    }

    fn standing(&self, task_id: Id, now: Timestamp) -> Option<Standing> {
        self.stands(task_id, now)
    }

    fn probed(&mut self, probe: &HttpProbe, probed: Probed) {
        for id in self.probes.answer(probe, probed) {
            self.look_at(id);
        }
    }

    fn save(&mut self) -> Result<Vec<u8>, SavedError> {
        self.written()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), SavedError> {
        *self = self.read(saved)?;
        Ok(())
    }
}

impl Scheduler {
    /// Whether an event may be taken in ahead of its delivery: it must be the next one of its
    /// aggregate, and one that means the same whatever else is not delivered yet.
    fn is_next(&self, recorded: &Recorded) -> bool {
        let task = self.tasks.get(&recorded.id);
        match &recorded.event {
            // What takes the place of another task comes after the word that it does.
            Event::TaskSpawned(spawned) => {
                let is_known = |parent| self.knowledge.successor(parent) == Some(recorded.id);
                spawned.restart_parent.is_none_or(is_known)
            }
            Event::TaskReceived(_) | Event::TaskAttemptFailed(_) | Event::TaskFinished(_) => {
                task.is_some_and(|task| task.guard == recorded.metadata.previous_seq)
            }
            Event::ResourceInitialized(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod admission_tests;
#[cfg(test)]
mod dependency_tests;
#[cfg(test)]
mod foresee_tests;
#[cfg(test)]
mod pause_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod standing_tests;
#[cfg(test)]
mod testing;
