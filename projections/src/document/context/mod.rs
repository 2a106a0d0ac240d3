//! A context, with what its tasks come to.

mod counts;
mod restart;
mod stop;

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Id, Namespace, Recorded, Timestamp,
    context::{PipelineRef, Restarted},
    pause::Paused,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Record, TaskState};
use crate::query::{CONTEXTS, Catalogue};

pub use counts::{ContextStatus, TaskCounts};
pub use restart::ContextRestart;
pub use stop::Stop;

/// A context. One that a single task opened has no pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextDocument {
    /// The id.
    pub id: Id,
    /// Whose it is.
    pub namespace: Namespace,
    /// What its tasks come to.
    pub status: ContextStatus,
    /// How many tasks are in which state.
    pub tasks: TaskCounts,
    /// What runs.
    pub pipeline: Option<PipelineRef>,
    /// With which parameters.
    pub params: BTreeMap<String, Value>,
    /// The resources that hold the pipeline's outputs, or will.
    pub outputs: BTreeMap<String, Id>,
    /// For people and selectors.
    pub labels: BTreeMap<String, String>,
    /// Why it was ordered to stop, if it was and nothing of it was to run again since.
    pub cancelled: Option<String>,
    /// Who ordered that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// The last order to stop, whatever was to run again since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_cancelled: Option<Stop>,
    /// Whether it is to wait, by whom and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// The restarts of several of its tasks, oldest first: the last 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<ContextRestart>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it or one of its tasks changed last.
    pub updated_at: Timestamp,
    /// When its last task ended.
    pub finished_at: Option<Timestamp>,
    /// The last event that changed it.
    pub stream_seq: u64,
}

impl ContextDocument {
    /// How many restarts are told.
    pub const RESTARTS_MAX: usize = 100;

    /// A context of which `recorded` is the first that is known.
    pub fn new(id: Id, recorded: &Recorded) -> Self {
        Self {
            id,
            namespace: recorded.namespace.clone(),
            status: ContextStatus::default(),
            tasks: TaskCounts::default(),
            pipeline: None,
            params: BTreeMap::new(),
            outputs: BTreeMap::new(),
            labels: BTreeMap::new(),
            cancelled: None,
            cancelled_by: None,
            last_cancelled: None,
            paused: None,
            restarts: Vec::new(),
            created_at: recorded.metadata.at,
            updated_at: recorded.metadata.at,
            finished_at: None,
            stream_seq: recorded.stream_seq,
        }
    }

    /// Takes in an event of the context itself.
    pub fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::ContextOpened(opened) => {
                self.pipeline = Some(opened.pipeline.clone());
                self.params.clone_from(&opened.params);
                self.outputs.clone_from(&opened.outputs);
                self.labels.clone_from(&opened.labels);
            }
            Event::ContextCancelled(cancelled) => {
                self.cancelled = Some(cancelled.reason.clone());
                self.cancelled_by.clone_from(&cancelled.by);
                self.last_cancelled = Some(Stop::new(cancelled, recorded));
            }
            Event::ContextPaused(paused) => self.paused = Some(paused.clone()),
            Event::ContextResumed(_) => self.paused = None,
            Event::ContextRestarted(restarted) => self.restart(restarted, recorded),
            Event::ContextRestartSettled(settled) => {
                let restart = self.restarts.iter_mut().find(|restart| restart.id == settled.id);
                if let Some(restart) = restart {
                    restart.settle(settled);
                }
            }
            _ => return,
        }
        self.touch(recorded);
    }

    /// The order to stop is off. Of too many restarts the oldest is forgotten, first of those that
    /// are carried out.
    fn restart(&mut self, restarted: &Restarted, recorded: &Recorded) {
        self.cancelled = None;
        self.cancelled_by = None;
        self.restarts.push(ContextRestart::new(restarted, recorded));
        if self.restarts.len() > Self::RESTARTS_MAX {
            let forgotten = self.restarts.iter().position(|restart| restart.settled);
            self.restarts.remove(forgotten.unwrap_or(0));
        }
    }

    /// Takes in that a task went from one state to another; from `None` when it is new, to `None`
    /// when another has its place.
    pub(crate) fn count(
        &mut self,
        before: Option<TaskState>,
        after: Option<TaskState>,
        recorded: &Recorded,
    ) {
        for (state, by) in [(before, -1), (after, 1)] {
            if let Some(state) = state {
                self.tasks.count(state, by);
            }
        }
        self.touch(recorded);
    }

    /// Where the restart was ordered that is being carried out.
    pub(crate) fn restarted_at(&self, restart: Id) -> Option<u64> {
        let restart = self.restarts.iter().find(|it| it.id == restart)?;
        Some(restart.stream_seq)
    }

    /// Takes in that another resource holds what `from` was to hold.
    pub(crate) fn move_output(&mut self, from: Id, to: Id) {
        for id in self.outputs.values_mut().filter(|id| **id == from) {
            *id = to;
        }
    }

    fn touch(&mut self, recorded: &Recorded) {
        self.updated_at = recorded.metadata.at;
        self.stream_seq = recorded.stream_seq;
        self.status = self.derive_status();
        self.finished_at = match self.status {
            ContextStatus::Running => None,
            _ => self.finished_at.or(Some(recorded.metadata.at)),
        };
    }

    fn derive_status(&self) -> ContextStatus {
        let tasks = &self.tasks;
        // The tasks that a restart has not named yet are as good as live.
        let is_restarting = self.restarts.iter().any(|restart| !restart.settled);
        match () {
            () if tasks.live() > 0 || is_restarting => ContextStatus::Running,
            () if tasks.ended() == 0 && self.cancelled.is_some() => ContextStatus::Cancelled,
            () if tasks.ended() == 0 => ContextStatus::Running,
            () if tasks.unwell() == 0 => ContextStatus::Ok,
            () if self.cancelled.is_some() => ContextStatus::Cancelled,
            () if tasks.failed == 0 && tasks.cancelled > 0 => ContextStatus::Cancelled,
            () => ContextStatus::Failed,
        }
    }
}

impl Record for ContextDocument {
    const TABLE: &'static str = "contexts";
    const KIND: &'static str = "context";
    const COLUMNS: &'static [&'static str] = &["status", "pipeline", "paused", "labels"];
    const STATUSES: &'static [&'static str] = &["running", "ok", "failed", "cancelled"];
    const FIELDS: &'static Catalogue = &CONTEXTS;

    fn id(&self) -> Id {
        self.id
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn stream_seq(&self) -> u64 {
        self.stream_seq
    }

    fn column(&self, name: &str) -> Option<String> {
        match name {
            "status" => Some(self.status.name().into()),
            "paused" => Some(self.paused.is_some().to_string()),
            "pipeline" => self.pipeline.as_ref().map(|pipeline| pipeline.name.to_string()),
            _ => None,
        }
    }

    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}
