//! Times that are limited: should nobody end in time what they limit, a timer does.
//!
//! Timers are the server's, so that they go off though whoever set them is gone. That of an attempt
//! goes off a while behind its timeout: an executor that works ends the attempt itself. See
//! docs/adr/0004-two-clocks.md. Nobody ends a task that waits, so the others are to the point.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use kantoku_domain::{
    Event, Id, Millis, Recorded, Timeouts, Timestamp,
    task::{Ready, Received, Spawned},
};

use serde::{Deserialize, Serialize};

use crate::{
    Effect, Handler, Limited, SavedError, Timeout,
    overdue::PATIENCE,
    saved::{self, as_json, sorted},
    timeout::Which,
};

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub struct Timers {
    #[serde(skip)]
    grace: Duration,
    /// Tasks that have limits and may still run; what was skipped may come back.
    #[serde(with = "sorted")]
    tasks: HashMap<Id, Task>,
    #[serde(with = "sorted")]
    running: HashMap<(Id, Which), Running>,
    /// Timers that are to be set, unless they are not needed any more.
    #[serde(skip)]
    to_set: VecDeque<(Id, Which)>,
    /// Tasks whose timer was set and is not needed any more.
    #[serde(skip)]
    to_cancel: VecDeque<(Id, Id)>,
    /// When those that are set go off.
    #[serde(skip)]
    set: BTreeSet<(Timestamp, Id, Which)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Task {
    #[serde(with = "as_json")]
    timeouts: Timeouts,
    /// How often it was resumed or revived.
    round: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Running {
    #[serde(with = "as_json")]
    timeout: Timeout,
    /// It is to be set, once more perhaps.
    is_due: bool,
    #[serde(skip)]
    is_set: bool,
    /// Where it stands among those that are set.
    #[serde(skip)]
    set_at: Timestamp,
}

impl Timers {
    /// Timers of attempts go off `grace` after what a process has been given to go when its time is
    /// up, to let the executor speak first.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            tasks: HashMap::new(),
            running: HashMap::new(),
            to_set: VecDeque::new(),
            to_cancel: VecDeque::new(),
            set: BTreeSet::new(),
        }
    }

    /// Begins a limit with the event that is recorded.
    fn begin(&mut self, recorded: &Recorded, limit: Option<Millis>, of: Limited) {
        let Some(limit) = limit else { return };
        let grace = match of.which() {
            Which::Attempt => self.patience(recorded.id),
            _ => Duration::ZERO,
        };
        let timeout = Timeout {
            timer: recorded.metadata.event_id,
            at: recorded.metadata.at.plus(limit.duration()).plus(grace),
            namespace: recorded.namespace.clone(),
            context_id: recorded.metadata.correlation_id,
            task_id: recorded.id,
            limit,
            of,
        };
        let key = (recorded.id, of.which());
        self.end(recorded.id, of.which());
        let set_at = timeout.at;
        self.running.insert(key, Running { timeout, is_due: true, is_set: false, set_at });
        self.to_set.push_back(key);
    }

    /// All that run are to be set, the earliest first.
    fn set_all(&mut self) {
        let mut all: Vec<_> = self.running.iter().map(|(key, it)| (it.timeout.at, *key)).collect();
        all.sort_unstable();
        self.to_set = all.into_iter().map(|(_, key)| key).collect();
    }

    /// What follows from timers that should have gone off a while ago, up to `max`: the server does
    /// not keep them any more, or nobody was told.
    fn overdue(&mut self, now: Timestamp, max: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        while effects.len() < max
            && let Some((at, task_id, which)) = self.set.first().copied()
            && now.since(at) >= PATIENCE
        {
            self.set.pop_first();
            if let Some(running) = self.running.get_mut(&(task_id, which)) {
                effects.push(running.timeout.clone().effect());
                // That may be lost as well.
                running.set_at = now;
                self.set.insert((now, task_id, which));
            }
        }
        effects
    }

    /// How long after its time is up an attempt may still be ended by its executor.
    fn patience(&self, task_id: Id) -> Duration {
        let own = self.tasks.get(&task_id).and_then(|task| task.timeouts.grace);
        own.unwrap_or(Timeouts::GRACE).duration() + self.grace
    }

    fn end(&mut self, task_id: Id, which: Which) {
        if let Some(running) = self.running.remove(&(task_id, which))
            && running.is_set
        {
            self.set.remove(&(running.set_at, task_id, which));
            self.to_cancel.push_back((task_id, running.timeout.timer));
        }
    }

    fn end_all(&mut self, task_id: Id) {
        for which in [Which::Attempt, Which::Queue, Which::Total] {
            self.end(task_id, which);
        }
    }

    fn spawned(&mut self, recorded: &Recorded, spawned: &Spawned) {
        let timeouts = &spawned.timeouts;
        if [timeouts.attempt, timeouts.queue, timeouts.total].iter().any(Option::is_some) {
            let task = Task { timeouts: timeouts.clone(), round: 0 };
            self.tasks.insert(recorded.id, task);
            self.begin(recorded, timeouts.total, Limited::Total { round: 0 });
        }
    }

    /// The same attempt may be announced more than once: the first counts.
    fn ready(&mut self, recorded: &Recorded, ready: &Ready) {
        let Some(limit) = self.tasks.get(&recorded.id).map(|task| task.timeouts.queue) else {
            return;
        };
        let of = Limited::Queue { attempt: ready.attempt, round: ready.round };
        let known = self.running.get(&(recorded.id, Which::Queue));
        if known.is_none_or(|known| known.timeout.of != of) {
            self.begin(recorded, limit, of);
        }
    }

    fn received(&mut self, recorded: &Recorded, received: &Received) {
        self.end(recorded.id, Which::Queue);
        if let Some(limit) = self.tasks.get(&recorded.id).map(|task| task.timeouts.attempt) {
            self.begin(recorded, limit, Limited::Attempt { attempt: received.attempt });
        }
    }

    /// The time for all of it goes on, in another round. That is another timer: whoever still sets
    /// the one before, as it has crashed meanwhile, does no harm.
    fn resumed(&mut self, recorded: &Recorded) {
        let task_id = recorded.id;
        let Some(task) = self.tasks.get_mut(&task_id) else { return };
        task.round += 1;
        let key = (task_id, Which::Total);
        if let Some(running) = self.running.get_mut(&key) {
            if std::mem::take(&mut running.is_set) {
                self.set.remove(&(running.set_at, task_id, Which::Total));
                self.to_cancel.push_back((task_id, running.timeout.timer));
            }
            running.timeout.timer = recorded.metadata.event_id;
            running.timeout.of = Limited::Total { round: task.round };
            running.is_due = true;
            self.to_set.push_back(key);
        }
    }

    fn revived(&mut self, recorded: &Recorded) {
        let Some(task) = self.tasks.get_mut(&recorded.id) else { return };
        task.round += 1;
        let (limit, of) = (task.timeouts.total, Limited::Total { round: task.round });
        self.begin(recorded, limit, of);
    }
}

impl Handler for Timers {
    fn apply(&mut self, recorded: &Recorded) {
        let task_id = recorded.id;
        match &recorded.event {
            Event::TaskSpawned(spawned) => self.spawned(recorded, spawned),
            Event::TaskReady(ready) => self.ready(recorded, ready),
            Event::TaskReceived(received) => self.received(recorded, received),
            Event::TaskAttemptFailed(_) => self.end(task_id, Which::Attempt),
            // The announcement is void: nobody can claim it.
            Event::TaskPaused(_) => self.end(task_id, Which::Queue),
            Event::TaskResumed(_) => self.resumed(recorded),
            Event::TaskSkipped(_) => self.end_all(task_id),
            Event::TaskRevived(_) => self.revived(recorded),
            Event::TaskFinished(_) | Event::TaskCancelled(_) | Event::TaskRestarted(_) => {
                self.tasks.remove(&task_id);
                self.end_all(task_id);
            }
            _ => {}
        }
    }

    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect> {
        let mut effects = self.overdue(now, max);
        while effects.len() < max
            && let Some((task_id, timer)) = self.to_cancel.pop_front()
        {
            effects.push(Effect::CancelTimer { task_id, timer });
        }
        while effects.len() < max
            && let Some(key) = self.to_set.pop_front()
        {
            // What is over by now needs no timer.
            if let Some(running) = self.running.get_mut(&key).filter(|running| running.is_due) {
                running.is_due = false;
                running.is_set = true;
                running.set_at = running.timeout.at;
                self.set.insert((running.set_at, key.0, key.1));
                effects.push(Effect::SetTimer(running.timeout.clone()));
            }
        }
        effects
    }

    fn save(&mut self) -> Result<Vec<u8>, SavedError> {
        self.set_all();
        saved::write(self)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), SavedError> {
        *self = Self { grace: self.grace, ..saved::read(saved)? };
        self.running.values_mut().for_each(|running| running.set_at = running.timeout.at);
        self.set_all();
        Ok(())
    }
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
