//! How many tasks there are, by namespace, specification and status: kept up by what batches change.

use std::collections::BTreeMap;

use kantoku_domain::task::Outcome;

use crate::document::{TaskDocument, TaskStatus};

/// The columns of the table, and what of tasks each of them counts. The last is for all else.
pub(crate) const COLUMNS: [&str; 8] = [
    "initialized",
    "ready",
    "received",
    "finished_ok",
    "finished_failed",
    "cancelled",
    "skipped",
    "other",
];

/// What a task is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(usize);

impl State {
    /// Of a task as it is.
    pub(crate) const fn of(task: &TaskDocument) -> Self {
        Self(match (task.status, task.sub_status) {
            (TaskStatus::Initialized, None) => 0,
            (TaskStatus::Ready, None) => 1,
            (TaskStatus::Received, None) => 2,
            (TaskStatus::Finished, Some(Outcome::Ok)) => 3,
            (TaskStatus::Finished, Some(Outcome::Failed)) => 4,
            (TaskStatus::Cancelled, None) => 5,
            (TaskStatus::Skipped, None) => 6,
            _ => 7,
        })
    }

    /// The status and the second status of the tasks that a column counts; `None` of the last column.
    pub(crate) fn of_column(column: usize) -> Option<(&'static str, Option<&'static str>)> {
        let name = *COLUMNS.get(column)?;
        let (status, outcome) = name.split_once('_').unwrap_or((name, ""));
        let outcome = Some(outcome).filter(|outcome| !outcome.is_empty());
        (status != "other").then_some((status, outcome))
    }
}

/// By how much a batch changes the counts, by namespace and specification.
#[derive(Debug, Default)]
pub(crate) struct Changes(BTreeMap<(String, String), [i64; COLUMNS.len()]>);

impl Changes {
    /// Takes in that a task is written that was counted as `before`; `None`: it is new.
    pub(crate) fn add(&mut self, before: Option<State>, task: &TaskDocument) {
        let after = State::of(task);
        if before == Some(after) {
            return;
        }
        let key = (task.namespace.to_string(), task.specification.to_string());
        let by = self.0.entry(key).or_default();
        if let Some(State(column)) = before {
            by[column] -= 1;
        }
        by[after.0] += 1;
    }

    /// The rows to add to those of the table: each has its key, and by how much each column changes.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (String, String, [i64; COLUMNS.len()])> {
        self.0.into_iter().map(|((namespace, specification), by)| (namespace, specification, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_but_the_last_stands_for_a_status() {
        let states: Vec<_> = (0..COLUMNS.len()).map(State::of_column).collect();
        assert_eq!(states[1], Some(("ready", None)));
        assert_eq!(states[4], Some(("finished", Some("failed"))));
        assert_eq!(states[7], None);
        assert_eq!(states.iter().flatten().count(), COLUMNS.len() - 1);
    }
}
