//! Contexts for the tests of pictures.

use std::time::Duration;

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_domain::{Id, Timestamp};
use kantoku_projections::document::{ContextStatus, TaskCounts, TaskStatus};
use serde_json::json;

const START: &str = "2026-01-02T03:04:05Z";

/// A time, from the beginning of the context.
pub(crate) fn at(millis: u64) -> Timestamp {
    START.parse::<Timestamp>().unwrap().plus(Duration::from_millis(millis))
}

/// The id of a task, by number.
pub(crate) fn id(n: usize) -> Id {
    format!("{n:08x}-0000-5000-8000-00000000002a").parse().unwrap()
}

/// A task that waits for others, by number.
pub(crate) fn task(n: usize, step: &str, waits_for: &[usize]) -> TreeTask {
    TreeTask {
        id: id(n),
        step: Some(step.into()),
        specification: "text/count".parse().unwrap(),
        status: TaskStatus::Initialized,
        sub_status: None,
        attempt: 0,
        parent_id: None,
        restart_parent: None,
        restarted_as: None,
        waits_for: waits_for.iter().copied().map(id).collect(),
        started_at: None,
        finished_at: None,
        error: None,
    }
}

/// A context of these tasks.
pub(crate) fn tree(tasks: Vec<TreeTask>) -> Tree {
    let context = json!({
        "id": id(0),
        "namespace": "default",
        "status": ContextStatus::Running,
        "tasks": TaskCounts::default(),
        "pipeline": {"name": "top-words", "version": 2, "digest": ""},
        "params": {},
        "outputs": {},
        "labels": {},
        "created_at": at(0),
        "updated_at": at(0),
        "stream_seq": 1,
    });
    let context = serde_json::from_value(context).unwrap();
    Tree { context, tasks, truncated: false, as_of_seq: 1 }
}
