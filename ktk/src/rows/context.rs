//! Contexts in lists.

use kantoku_domain::Id;
use kantoku_projections::document::{ContextDocument, ContextStatus};

use crate::{
    kind::Kind,
    output::{Row, View, labels},
};

/// The word for a status.
pub(crate) const fn status(status: ContextStatus) -> &'static str {
    match status {
        ContextStatus::Running => "running",
        ContextStatus::Ok => "ok",
        ContextStatus::Failed => "failed",
        ContextStatus::Cancelled => "cancelled",
    }
}

impl Row for ContextDocument {
    fn kind() -> Kind {
        Kind::Context
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        vec![self.id]
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["ID", "PIPELINE", "STATUS", "OK", "FAILED", "TASKS", "TOOK", "AGE"];
        if wide {
            columns.extend(["WAITING", "READY", "RUNNING", "CANCELLED", "SKIPPED", "LABELS"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let tasks = &self.tasks;
        let total = tasks.live() + tasks.ok + tasks.failed + tasks.cancelled + tasks.skipped;
        let pipeline = self.pipeline.as_ref();
        let mut cells = vec![
            view.id(self.id),
            pipeline.map_or_else(String::new, |pipeline| {
                format!("{}@{}", pipeline.name, pipeline.version)
            }),
            view.status_or_paused(status(self.status), self.paused.is_some()),
            tasks.ok.to_string(),
            tasks.failed.to_string(),
            total.to_string(),
            view.took(Some(self.created_at), self.finished_at),
            view.age(self.created_at),
        ];
        if view.wide {
            cells.extend(
                [tasks.initialized, tasks.ready, tasks.received, tasks.cancelled, tasks.skipped]
                    .map(|count| count.to_string()),
            );
            cells.push(labels(&self.labels));
        }
        cells
    }
}
