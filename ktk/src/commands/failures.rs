//! The tasks that failed, and why.

use kantoku_api::contract::{Filter, ListParams, TaskList};
use kantoku_domain::Id;
use kantoku_projections::document::TaskDocument;
use serde_json::json;

use crate::{
    error::CommandError,
    output::Paint,
    render::{one_line, short_id},
    session::Session,
};

/// How many failed tasks are named.
const SHOWN_MAX: u32 = 10;

/// The tasks of a context that failed, the last one first, at most [`SHOWN_MAX`].
pub(super) async fn of_context(
    context_id: Id,
    as_of_seq: u64,
    session: &Session,
) -> Result<Vec<TaskDocument>, CommandError> {
    let filter = [
        ("context_id".to_owned(), json!(context_id)),
        ("status".to_owned(), json!("finished")),
        ("sub_status".to_owned(), json!("failed")),
    ];
    let params = ListParams {
        filter: Filter::from_iter(filter),
        limit: Some(SHOWN_MAX),
        namespace: session.namespace(),
        min_seq: Some(as_of_seq),
        ..ListParams::default()
    };
    Ok(session.call::<TaskList>(&params).await?.items)
}

/// What went wrong, on one line.
pub(super) fn message(task: &TaskDocument) -> String {
    let Some(error) = &task.error else { return "it says no more".into() };
    let mut text = one_line(&error.message).into_owned();
    // The last line of what a process wrote to stderr is nearly always the one that matters.
    let last = error.stderr_tail.as_deref().and_then(|tail| tail.trim_end().lines().last());
    if let Some(last) = last.map(one_line).filter(|last| !text.contains(&**last)) {
        text = format!("{text}: {last}");
    }
    text
}

/// Names failed tasks on stderr.
pub(super) fn print(tasks: &[TaskDocument], session: &Session) {
    let paint = Paint::stderr();
    for task in tasks {
        let name = task.step.as_deref().unwrap_or(task.specification.as_str());
        let failed = paint.red("failed");
        session.note(&format!("  {failed}  {name} ({})  {}", short_id(task.id), message(task)));
    }
}
