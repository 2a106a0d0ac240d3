//! A context, with what its tasks come to.

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Id, Namespace, Recorded, Timestamp, context::PipelineRef, task::Outcome,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Record, TaskStatus};

/// What the tasks of a context come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContextStatus {
    /// A task may still run.
    #[default]
    Running,
    /// All tasks finished ok.
    Ok,
    /// All tasks have ended, and one failed.
    Failed,
    /// All tasks have ended, and some were ordered to.
    Cancelled,
}

impl ContextStatus {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How many tasks are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Waiting.
    pub initialized: u64,
    /// To be claimed.
    pub ready: u64,
    /// Running.
    pub received: u64,
    /// Finished well.
    pub ok: u64,
    /// Finished badly.
    pub failed: u64,
    /// Stopped.
    pub cancelled: u64,
    /// Never to run.
    pub skipped: u64,
}

impl TaskCounts {
    /// How many tasks have not ended.
    pub const fn live(&self) -> u64 {
        self.initialized + self.ready + self.received
    }

    /// The count that a task in this state belongs to.
    fn of(&mut self, (status, outcome): (TaskStatus, Option<Outcome>)) -> &mut u64 {
        match (status, outcome) {
            (TaskStatus::Initialized, _) => &mut self.initialized,
            (TaskStatus::Ready, _) => &mut self.ready,
            (TaskStatus::Received, _) => &mut self.received,
            (TaskStatus::Finished, Some(Outcome::Failed)) => &mut self.failed,
            (TaskStatus::Finished, _) => &mut self.ok,
            (TaskStatus::Cancelled, _) => &mut self.cancelled,
            (TaskStatus::Skipped, _) => &mut self.skipped,
        }
    }
}

/// A context. One that a single task opened has no pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The resources that will hold the pipeline's outputs.
    pub outputs: BTreeMap<String, Id>,
    /// For people and selectors.
    pub labels: BTreeMap<String, String>,
    /// Why it was ordered to stop, if it was.
    pub cancelled: Option<String>,
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
            Event::ContextCancelled(cancelled) => self.cancelled = Some(cancelled.reason.clone()),
            _ => return,
        }
        self.touch(recorded);
    }

    /// Takes in that a task went from one state to another; from `None` when it is new.
    pub(crate) fn count(
        &mut self,
        before: Option<(TaskStatus, Option<Outcome>)>,
        after: (TaskStatus, Option<Outcome>),
        recorded: &Recorded,
    ) {
        if let Some(before) = before {
            let count = self.tasks.of(before);
            *count = count.saturating_sub(1);
        }
        *self.tasks.of(after) += 1;
        self.touch(recorded);
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
        let unwell = tasks.failed + tasks.cancelled + tasks.skipped;
        match () {
            () if tasks.live() > 0 => ContextStatus::Running,
            () if unwell + tasks.ok == 0 && self.cancelled.is_some() => ContextStatus::Cancelled,
            () if unwell + tasks.ok == 0 => ContextStatus::Running,
            () if unwell == 0 => ContextStatus::Ok,
            () if self.cancelled.is_some() => ContextStatus::Cancelled,
            () if tasks.failed == 0 && tasks.cancelled > 0 => ContextStatus::Cancelled,
            () => ContextStatus::Failed,
        }
    }
}

impl Record for ContextDocument {
    const TABLE: &'static str = "contexts";
    const KIND: &'static str = "context";
    const COLUMNS: &'static [&'static str] = &["status", "pipeline", "labels"];

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
            "pipeline" => self.pipeline.as_ref().map(|pipeline| pipeline.name.to_string()),
            _ => None,
        }
    }

    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}
