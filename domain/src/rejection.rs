//! The business said no.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Id;

/// Why a command was rejected, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such aggregate.
    NotFound,
    /// It exists already, and is another.
    AlreadyExists,
    /// Its life is over.
    Terminal,
    /// The attempt is not the current one: somebody else was or will be faster.
    StaleAttempt,
    /// Not yet: an earlier attempt's backoff runs.
    TooEarly,
    /// It is not in the state that the command needs.
    WrongState,
    /// A value or a definition is not what it should be.
    Invalid,
    /// The caller is not the custodian of the resource.
    NotCustodian,
    /// It was ordered to wait.
    Paused,
    /// It is for others to do.
    NotAllowed,
    /// Another task has its place: the winner.
    AlreadyRestarted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A command that the rules refuse. Nothing happened; sending it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Rejection {
    /// For programs.
    pub reason: Reason,
    /// For people: what, and what to do.
    pub message: String,
    /// The part of the command that is to blame, e.g. `inputs.page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The state that the decision was made on, e.g. `received`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Who was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<Id>,
}

impl Rejection {
    /// A rejection for `reason`, explained by `message`.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: None, current: None, winner: None }
    }

    /// Names the part of the command that is to blame.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the state that the decision was made on.
    #[must_use]
    pub fn current(mut self, current: impl Into<String>) -> Self {
        self.current = Some(current.into());
        self
    }

    /// Names who was faster.
    #[must_use]
    pub fn winner(mut self, winner: Id) -> Self {
        self.winner = Some(winner);
        self
    }
}
