//! What can be asked of a task.

use super::{
    Approved, Cancel, Expire, Failure, Label, Received, Restart, Revived, Skipped, Spawned, Success,
};

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
    /// End it, as its time is up.
    Expire(Expire),
    /// Order it to stop, or what it spawned.
    Cancel(Cancel),
    /// Give it up, as an input can never arrive.
    Skip(Skipped),
    /// Let it wait again, as the task because of which it was given up was restarted.
    Revive(Revived),
    /// Put another task in its place.
    Restart(Box<Restart>),
    /// Say yes to an approval that it waits for.
    Approve(Approved),
    /// Put labels on it, or take some off.
    Label(Label),
    /// Start no further attempt for now.
    Pause {
        /// Why.
        reason: String,
    },
    /// Go on.
    Resume,
}

impl Command {
    /// The name in documents and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Spawn(_) => "spawn",
            Self::Receive(_) => "receive",
            Self::Finish { .. } => "finish",
            Self::Fail { .. } => "fail",
            Self::Expire(_) => "expire",
            Self::Cancel(_) => "cancel",
            Self::Skip(_) => "skip",
            Self::Revive(_) => "revive",
            Self::Restart(_) => "restart",
            Self::Approve(_) => "approve",
            Self::Label(_) => "label",
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
        }
    }
}
