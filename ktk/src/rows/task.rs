//! Tasks in lists.

use kantoku_domain::{Id, task::Outcome};
use kantoku_projections::document::{TaskDocument, TaskStatus};

use crate::{
    kind::Kind,
    output::{Row, View, labels},
};

/// The status, with the second one if there is one: `finished/ok`.
pub(crate) fn status(status: TaskStatus, sub_status: Option<Outcome>) -> &'static str {
    match (status, sub_status) {
        (TaskStatus::Initialized, _) => "initialized",
        (TaskStatus::Ready, _) => "ready",
        (TaskStatus::Received, _) => "received",
        (TaskStatus::Finished, Some(Outcome::Ok)) => "finished/ok",
        (TaskStatus::Finished, Some(Outcome::Failed)) => "finished/failed",
        (TaskStatus::Finished, None) => "finished",
        (TaskStatus::Cancelled, _) => "cancelled",
        (TaskStatus::Skipped, _) => "skipped",
    }
}

impl Row for TaskDocument {
    fn kind() -> Kind {
        Kind::Task
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
        let mut columns = vec!["ID", "STEP", "SPECIFICATION", "STATUS", "ATTEMPT", "TOOK", "AGE"];
        if wide {
            columns.extend(["CONTEXT", "NODE", "LABELS", "ERROR"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let mut cells = vec![
            view.id(self.id),
            self.step.clone().unwrap_or_default(),
            format!("{}@{}", self.specification, self.version),
            view.status_or_paused(status(self.status, self.sub_status), self.paused.is_some()),
            self.attempt.to_string(),
            view.took(self.started_at, self.finished_at),
            view.age(self.created_at),
        ];
        if view.wide {
            let error = self.error.as_ref().map(|error| view.text(&error.message));
            cells.extend([
                self.context_id.to_string(),
                self.node.clone().unwrap_or_default(),
                labels(&self.labels),
                error.unwrap_or_default(),
            ]);
        }
        cells
    }
}
