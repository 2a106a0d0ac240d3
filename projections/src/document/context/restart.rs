//! A restart of several tasks of a context, and what came of it.

use kantoku_domain::{
    Id, Recorded, Timestamp,
    context::{RestartSettled, Restarted, Superseded},
    restart::{OutputPolicy, Target, VersionPolicy},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A restart of several tasks of a context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextRestart {
    /// Its id, as tasks name it in `restarted.step_of`.
    pub id: Id,
    /// What was asked for.
    pub target: Target,
    /// What becomes of outputs.
    pub outputs: OutputPolicy,
    /// Which versions run.
    pub version: VersionPolicy,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub stream_seq: u64,
    /// How many tasks are to be restarted or revived.
    pub steps: u64,
    /// Whether each of them was, or was found overtaken.
    pub settled: bool,
    /// Those that somebody overtook: the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
    /// How many these are in all.
    pub superseded_total: u64,
}

impl ContextRestart {
    /// How many steps that were overtaken are told.
    pub const SUPERSEDED_MAX: usize = 100;

    pub(super) fn new(restarted: &Restarted, recorded: &Recorded) -> Self {
        Self {
            id: restarted.id,
            target: restarted.target,
            outputs: restarted.outputs,
            version: restarted.version,
            reason: restarted.reason.clone(),
            by: restarted.by.clone(),
            at: recorded.metadata.at,
            stream_seq: recorded.stream_seq,
            steps: restarted.steps.len() as u64,
            settled: false,
            superseded: Vec::new(),
            superseded_total: 0,
        }
    }

    pub(super) fn settle(&mut self, settled: &RestartSettled) {
        self.settled = true;
        self.superseded_total = settled.superseded.len() as u64;
        self.superseded = settled.superseded.iter().take(Self::SUPERSEDED_MAX).cloned().collect();
    }
}
