//! What a task waits for besides its inputs.

use serde::{Deserialize, Serialize};

use crate::Id;

/// An expression over facts. A task may run when all its inputs are resolved and this holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// Every part holds. Empty: holds.
    All(Vec<Dependency>),
    /// The resource is resolved.
    Resource(Id),
    /// The task has finished ok.
    Task(Id),
}

impl Dependency {
    /// How many leaves an expression may have.
    pub const LEAVES_MAX: usize = 10_000;

    /// The facts that the expression is made of, left to right.
    pub fn leaves(&self) -> Vec<&Dependency> {
        match self {
            Self::All(parts) => parts.iter().flat_map(Self::leaves).collect(),
            leaf => vec![leaf],
        }
    }
}
