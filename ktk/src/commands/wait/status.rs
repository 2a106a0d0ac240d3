//! Waiting for a task to come to a status.

use futures::StreamExt as _;
use kantoku_api::contract::{Filter, SubscribeParams, TaskGet, TaskSubscribe};
use kantoku_projections::document::{TaskDocument, TaskStatus};
use serde_json::json;
use tokio::time::timeout;

use super::{not_as_wanted, print};
use crate::{error::CommandError, rows::task_status, session::Session, waiting::timed_out};

/// Waits until the task has the status; an error when it ends before it has, or `--timeout` is over.
pub(super) async fn wait(
    id: &str,
    wanted: TaskStatus,
    session: &Session,
) -> Result<(), CommandError> {
    let mut task = session.call::<TaskGet>(&session.get(id)).await?;
    let reached = until(&mut task, wanted, session);
    match session.timeout() {
        None => reached.await?,
        // Where it was when the time was over is told below.
        Some(limit) => timeout(limit, reached).await.unwrap_or(Ok(()))?,
    }
    let what = format!("task/{}", task.id);
    let status = task_status(task.status, task.sub_status);
    print(&what, status, &task, session)?;
    match task.status {
        status if status == wanted => Ok(()),
        ended if ended.is_terminal() => Err(not_as_wanted(&what, status, task.stream_seq)),
        _ => Err(timed_out(&what, status, task.stream_seq)),
    }
}

/// Returns when the task has the status, or has ended.
async fn until(
    task: &mut TaskDocument,
    wanted: TaskStatus,
    session: &Session,
) -> Result<(), CommandError> {
    if is_over(task, wanted) {
        return Ok(());
    }
    let filter = [("context_id".to_owned(), json!(task.context_id))];
    let params = SubscribeParams {
        filter: Filter::from_iter(filter),
        from_seq: Some(task.stream_seq),
        namespace: session.namespace(),
        ..SubscribeParams::default()
    };
    let mut changes = session.subscribe::<TaskSubscribe>(&params).await?;
    while let Some(change) = changes.next().await {
        let changed = change?.task;
        if changed.id == task.id {
            *task = changed;
            if is_over(task, wanted) {
                return Ok(());
            }
        }
    }
    Err(session.connection_lost())
}

fn is_over(task: &TaskDocument, wanted: TaskStatus) -> bool {
    task.status == wanted || task.status.is_terminal()
}
