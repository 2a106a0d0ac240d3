//! The tasks that failed, and why.

use kantoku_domain::{Id, task::Failure};
use kantoku_projections::document::TaskDocument;

use crate::{
    error::CommandError,
    failed,
    output::Paint,
    render::{one_line, short_id},
    session::Session,
};

/// How many failed tasks are named.
const SHOWN_MAX: usize = 10;

/// The tasks of a context that failed and were not restarted since, the last one first, at most
/// [`SHOWN_MAX`].
pub(super) async fn of_context(
    context_id: Id,
    as_of_seq: u64,
    session: &Session,
) -> Result<Vec<TaskDocument>, CommandError> {
    let (failed, _) = failed::tasks(Some(context_id), SHOWN_MAX, Some(as_of_seq), session).await?;
    Ok(failed)
}

/// What went wrong, on one line.
pub(super) fn message(task: &TaskDocument) -> String {
    task.error.as_ref().map_or_else(|| "it says no more".into(), failure_line)
}

/// A failure on one line, with the last one of stderr.
pub(super) fn failure_line(error: &Failure) -> String {
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
