//! Attempts with a timeout: should the executor not end them, a timer does.
//!
//! The timer is the server's, a while behind the timeout: an executor that works ends the attempt
//! itself. See docs/adr/0004-two-clocks.md.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use kantoku_domain::{
    Event, Id, Millis, Namespace, Recorded, Timestamp,
    task::{Command, Failure, Received},
};
use serde::{Deserialize, Serialize};

use crate::{Effect, Handler};

/// What the timer of an attempt was set for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// The claim of the attempt, and the timer's id.
    pub claim: Id,
    /// When to look.
    pub at: Timestamp,
    /// Whose.
    pub namespace: Namespace,
    /// The context.
    pub context_id: Id,
    /// The task.
    pub task_id: Id,
    /// The attempt.
    pub attempt: u32,
    /// How long it may take.
    pub limit: Millis,
}

/// See the module.
#[derive(Debug)]
pub struct Timers {
    grace: Duration,
    /// How long an attempt of each task may take that is not over.
    limits: HashMap<Id, Millis>,
    running: HashMap<Id, Running>,
    /// Tasks whose timer is to be set, perhaps.
    to_set: VecDeque<Id>,
    /// Tasks whose timer was set and is not needed any more.
    to_cancel: VecDeque<(Id, Id)>,
}

#[derive(Debug)]
struct Running {
    timeout: Timeout,
    is_set: bool,
}

impl Timeout {
    /// The kind of these timers.
    pub const KIND: &str = "timeout";

    /// What follows when the attempt is not over by then. An end that came meanwhile refuses it.
    pub fn effect(self) -> Effect {
        let message =
            format!("the attempt took longer than {}, and its executor did not end it", self.limit);
        Effect::Command {
            namespace: self.namespace,
            task_id: self.task_id,
            context_id: self.context_id,
            cause: self.claim,
            command: Command::Fail {
                attempt: self.attempt,
                error: Failure::new(Self::KIND, message, true),
            },
        }
    }
}

impl Timers {
    /// Timers that go off `grace` after the timeout, to let the executor speak first.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            limits: HashMap::new(),
            running: HashMap::new(),
            to_set: VecDeque::new(),
            to_cancel: VecDeque::new(),
        }
    }

    fn received(&mut self, recorded: &Recorded, received: &Received) {
        let Some(limit) = self.limits.get(&recorded.id).copied() else { return };
        let timeout = Timeout {
            claim: recorded.metadata.event_id,
            at: recorded.metadata.at.plus(limit.duration()).plus(self.grace),
            namespace: recorded.namespace.clone(),
            context_id: recorded.metadata.correlation_id,
            task_id: recorded.id,
            attempt: received.attempt,
            limit,
        };
        self.running.insert(recorded.id, Running { timeout, is_set: false });
        self.to_set.push_back(recorded.id);
    }

    fn ended(&mut self, task_id: Id) {
        if let Some(running) = self.running.remove(&task_id)
            && running.is_set
        {
            self.to_cancel.push_back((task_id, running.timeout.claim));
        }
    }
}

impl Handler for Timers {
    fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::TaskSpawned(spawned) => {
                if let Some(limit) = spawned.timeouts.attempt {
                    self.limits.insert(recorded.id, limit);
                }
            }
            Event::TaskReceived(received) => self.received(recorded, received),
            Event::TaskAttemptFailed(_) => self.ended(recorded.id),
            Event::TaskFinished(_) | Event::TaskCancelled(_) | Event::TaskSkipped(_) => {
                self.limits.remove(&recorded.id);
                self.ended(recorded.id);
            }
            _ => {}
        }
    }

    fn due(&mut self, _: Timestamp, max: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        while effects.len() < max
            && let Some((task_id, timer)) = self.to_cancel.pop_front()
        {
            effects.push(Effect::CancelTimer { task_id, timer });
        }
        while effects.len() < max
            && let Some(task_id) = self.to_set.pop_front()
        {
            // An attempt that is over by now needs no timer.
            if let Some(running) = self.running.get_mut(&task_id).filter(|running| !running.is_set)
            {
                running.is_set = true;
                effects.push(Effect::SetTimer(running.timeout.clone()));
            }
        }
        effects
    }
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
