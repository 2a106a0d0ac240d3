//! A task: what it may go through, and who may resolve its outputs.
//!
//! `initialized → ready → received → finished`, with attempts repeated between ready and
//! received. `TaskReady` lies on its queue's subject and is not folded here: the claim decides.

mod event;
mod template;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Aggregate, Datum, Decision, Envelope, Event, Id, Kind, Reason, Rejection, Timestamp,
    aggregate::cqrs_es_adapter,
};

pub use event::{
    AttemptFailed, Cancelled, Delegation, Failure, Finished, Outcome, Output, Planned, Ready,
    Received, Resolved, Skipped, Spawned, SpecificationRef,
};
pub use template::{Child, Success, Template};

/// What can be asked of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Let it be.
    Spawn(Box<Spawned>),
    /// Claim an attempt.
    Receive(Received),
    /// End an attempt well.
    Finish {
        /// The attempt.
        attempt: u32,
        /// What came of it.
        success: Box<Success>,
    },
    /// End an attempt badly.
    Fail {
        /// The attempt.
        attempt: u32,
        /// Why.
        error: Failure,
    },
    /// Order it to stop.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Give it up, as an input can never arrive.
    Skip(Skipped),
}

/// Where a task is in its life, as far as its own subject tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It waits, or is ready.
    Initialized,
    /// An attempt runs.
    Received,
    /// It has ended.
    Finished,
    /// It was stopped.
    Cancelled,
    /// It will not run.
    Skipped,
}

impl Status {
    /// Whether nothing can follow (a skip is revocable only by a restart).
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Skipped)
    }

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Initialized => "initialized",
            Self::Received => "received",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// A task, folded from its subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Where it is.
    pub status: Status,
    /// How it was spawned. `None` while absent.
    pub spawned: Option<Box<Spawned>>,
    /// The attempt that runs or ran last; 0 before the first.
    pub attempt: u32,
    /// Who claimed the attempt.
    pub holder: Option<Received>,
    /// How many attempts were lost with their executors.
    #[serde(default)]
    pub losses: u32,
    /// When the next attempt may be claimed.
    pub not_before: Timestamp,
    /// The outputs that it has custody of still.
    pub custody: BTreeMap<String, Id>,
    /// How it ended, once finished.
    pub outcome: Option<Outcome>,
    /// The attempt that ended last and how, so that the same command again is recognised.
    closed: Option<(u32, Outcome)>,
}

impl Task {
    /// How many children one attempt may spawn.
    pub const CHILDREN_MAX: usize = 10_000;

    fn spawned(&self) -> Result<&Spawned, Rejection> {
        self.spawned
            .as_deref()
            .ok_or_else(|| Rejection::new(Reason::NotFound, "there is no such task"))
    }

    fn terminal(&self, what: &str) -> Rejection {
        Rejection::new(
            Reason::Terminal,
            format!("the task cannot be {what}: it is {} already", self.status.name()),
        )
        .current(self.status.name())
    }

    fn receive(&self, claim: &Received, envelope: &Envelope) -> Decision {
        self.spawned()?;
        if self.holder.as_ref() == Some(claim) {
            return Ok(None);
        }
        if self.status.is_terminal() {
            return Err(self.terminal("claimed"));
        }
        if self.status == Status::Received || claim.attempt != self.attempt + 1 {
            let holder = self.holder.as_ref().map_or("nobody", |holder| &holder.node);
            return Err(Rejection::new(
                Reason::StaleAttempt,
                format!(
                    "attempt {} cannot be claimed: attempt {} is {}, by {holder}",
                    claim.attempt,
                    self.attempt,
                    self.status.name()
                ),
            )
            .current(self.status.name()));
        }
        if envelope.at < self.not_before {
            return Err(Rejection::new(
                Reason::TooEarly,
                format!("attempt {} may not start before {}", claim.attempt, self.not_before),
            ));
        }
        Ok(Some(Event::TaskReceived(claim.clone())))
    }

    /// The fence: only the attempt that holds the lease may end it.
    /// `false` when it has ended it in just this way before.
    fn held(&self, attempt: u32, outcome: Outcome) -> Result<bool, Rejection> {
        self.spawned()?;
        if self.closed == Some((attempt, outcome)) && self.status != Status::Received {
            return Ok(false);
        }
        if self.status.is_terminal() {
            return Err(self.terminal("finished"));
        }
        if self.status != Status::Received || attempt != self.attempt {
            return Err(Rejection::new(
                Reason::StaleAttempt,
                format!(
                    "attempt {attempt} does not hold the task: attempt {} is {}",
                    self.attempt,
                    self.status.name()
                ),
            )
            .current(self.status.name()));
        }
        Ok(true)
    }

    fn finish(&self, attempt: u32, success: &Success, envelope: &Envelope) -> Decision {
        if !self.held(attempt, Outcome::Ok)? {
            return Ok(None);
        }
        let spawned = self.spawned()?;
        self.check_outputs(spawned, success)?;
        let event_id = envelope.event_id();
        let partition = spawned.context_id.partition();
        let child_id = |key: &str| event_id.derive(&format!("child:{key}"), partition);

        let mut children = BTreeMap::new();
        for child in &success.children {
            let id = child_id(&child.key);
            let task = child.spawned(id, spawned, envelope);
            if children.insert(child.key.clone(), Planned { id, task }).is_some() {
                return Err(
                    invalid(format!("two children have the key {:?}", child.key)).field("spawn")
                );
            }
        }
        let mut delegated = BTreeMap::new();
        for (name, (key, output)) in &success.delegate {
            let custody = &spawned.outputs[name];
            let child = children.get_mut(key).ok_or_else(|| {
                invalid(format!("output {name:?} is delegated to {key:?}, which is not spawned"))
                    .field("delegate")
            })?;
            let target = child.task.outputs.get_mut(output).ok_or_else(|| {
                invalid(format!("child {key:?} has no output {output:?} to delegate {name:?} to"))
                    .field("delegate")
            })?;
            if !target.type_.fits(&custody.type_) {
                return Err(invalid(format!(
                    "output {name:?} is {}, but {key}.{output} is {}",
                    custody.type_, target.type_
                ))
                .field("delegate"));
            }
            if target.id != child.id.derive(output, partition) {
                return Err(
                    invalid(format!("{key}.{output} is delegated to twice")).field("delegate")
                );
            }
            target.id = custody.id;
            // What is promised to readers of the output is what the child is held to.
            target.type_ = custody.type_.clone();
            delegated.insert(name.clone(), Delegation { child: child.id, output: output.clone() });
        }
        Ok(Some(Event::TaskFinished(Finished {
            attempt,
            outcome: Outcome::Ok,
            error: None,
            inputs: success.inputs.clone(),
            outputs: Self::resolved(spawned, success),
            delegated,
            children: children.into_values().collect(),
            result: success.result.clone(),
        })))
    }

    /// The outputs given, and null for each optional one that was neither given nor delegated:
    /// whoever waits for it is not left waiting.
    fn resolved(spawned: &Spawned, success: &Success) -> BTreeMap<String, Datum> {
        let mut outputs = success.outputs.clone();
        for name in spawned.outputs.keys() {
            if !success.delegate.contains_key(name) {
                outputs.entry(name.clone()).or_insert(Datum::Value(Value::Null));
            }
        }
        outputs
    }

    /// Every output is either resolved with a value of its type or delegated, and nothing else is.
    fn check_outputs(&self, spawned: &Spawned, success: &Success) -> Result<(), Rejection> {
        if success.children.len() > Self::CHILDREN_MAX {
            return Err(invalid(format!(
                "{} children are more than {}",
                success.children.len(),
                Self::CHILDREN_MAX
            ))
            .field("spawn"));
        }
        for name in success.outputs.keys().chain(success.delegate.keys()) {
            if !spawned.outputs.contains_key(name) {
                let known: Vec<_> = spawned.outputs.keys().map(String::as_str).collect();
                return Err(invalid(format!(
                    "there is no output {name:?}; the outputs are [{}]",
                    known.join(", ")
                ))
                .field(format!("outputs.{name}")));
            }
            if !self.custody.contains_key(name) {
                return Err(Rejection::new(
                    Reason::NotCustodian,
                    format!("the task does not hold output {name:?} any more"),
                )
                .field(format!("outputs.{name}")));
            }
        }
        for (name, output) in &spawned.outputs {
            let field = || format!("outputs.{name}");
            match (success.outputs.get(name), success.delegate.contains_key(name)) {
                (Some(_), true) => {
                    return Err(invalid(format!("output {name:?} is both given and delegated"))
                        .field(field()));
                }
                (Some(Datum::Value(value)), false) => {
                    output.type_.check(value).map_err(|error| {
                        invalid(format!("output {name:?} {error}")).field(field())
                    })?;
                }
                (None, false) if !output.type_.is_optional() => {
                    return Err(invalid(format!(
                        "output {name:?} ({}) was neither given nor delegated",
                        output.type_
                    ))
                    .field(field()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn fail(&self, attempt: u32, error: &Failure, envelope: &Envelope) -> Decision {
        if !self.held(attempt, Outcome::Failed)? {
            return Ok(None);
        }
        let retry = &self.spawned()?.retry;
        let may_follow = if error.is_loss() {
            self.losses < retry.losses_max
        } else {
            attempt.saturating_sub(self.losses) < retry.attempts
        };
        Ok(Some(if error.retryable && may_follow {
            let wait = retry.wait(attempt, envelope.event_id());
            Event::TaskAttemptFailed(AttemptFailed {
                attempt,
                error: error.clone(),
                not_before: envelope.at.plus(wait),
            })
        } else {
            Event::TaskFinished(Finished {
                attempt,
                outcome: Outcome::Failed,
                error: Some(error.clone()),
                inputs: BTreeMap::new(),
                outputs: BTreeMap::new(),
                delegated: BTreeMap::new(),
                children: Vec::new(),
                result: None,
            })
        }))
    }
}

fn invalid(message: String) -> Rejection {
    Rejection::new(Reason::Invalid, message)
}

impl Aggregate for Task {
    const KIND: Kind = Kind::Task;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TaskSpawned(spawned) => {
                self.status = Status::Initialized;
                self.custody =
                    spawned.outputs.iter().map(|(name, o)| (name.clone(), o.id)).collect();
                self.spawned = Some(Box::new(spawned.clone()));
            }
            Event::TaskReceived(received) => {
                self.status = Status::Received;
                self.attempt = received.attempt;
                self.holder = Some(received.clone());
            }
            Event::TaskAttemptFailed(failed) => {
                self.status = Status::Initialized;
                self.holder = None;
                self.closed = Some((failed.attempt, Outcome::Failed));
                self.losses = self.losses.saturating_add(failed.error.is_loss().into());
                self.not_before = failed.not_before;
            }
            Event::TaskFinished(finished) => {
                self.status = Status::Finished;
                self.outcome = Some(finished.outcome);
                self.closed = Some((finished.attempt, finished.outcome));
                if finished.outcome == Outcome::Ok {
                    self.custody.clear();
                }
            }
            Event::TaskCancelled(_) => self.status = Status::Cancelled,
            Event::TaskSkipped(_) => self.status = Status::Skipped,
            _ => {}
        }
    }

    fn decide(&self, command: &Command, envelope: &Envelope) -> Decision {
        match command {
            Command::Spawn(spawned) => match self.spawned.as_deref() {
                None => Ok(Some(Event::TaskSpawned((**spawned).clone()))),
                Some(known) if *known == **spawned => Ok(None),
                Some(_) => Err(Rejection::new(
                    Reason::AlreadyExists,
                    "a task with this id exists and is another: use a fresh idempotency key",
                )),
            },
            Command::Receive(claim) => self.receive(claim, envelope),
            Command::Finish { attempt, success } => self.finish(*attempt, success, envelope),
            Command::Fail { attempt, error } => self.fail(*attempt, error, envelope),
            Command::Cancel { reason } => {
                self.spawned()?;
                match self.status {
                    Status::Cancelled => Ok(None),
                    status if status.is_terminal() => Err(self.terminal("cancelled")),
                    _ => Ok(Some(Event::TaskCancelled(Cancelled { reason: reason.clone() }))),
                }
            }
            Command::Skip(skipped) => {
                self.spawned()?;
                match self.status {
                    Status::Skipped => Ok(None),
                    Status::Initialized => Ok(Some(Event::TaskSkipped(skipped.clone()))),
                    _ => Err(Rejection::new(
                        Reason::WrongState,
                        format!("a task that is {} is not skipped", self.status.name()),
                    )
                    .current(self.status.name())),
                }
            }
        }
    }
}

cqrs_es_adapter!(Task);
