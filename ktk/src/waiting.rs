//! Waiting for the end of tasks and contexts, call by call, as no call may wait for ever.

use std::time::Duration;

use kantoku_api::{
    Code,
    contract::{ContextWait, ContextWaited, TaskWait, TaskWaited, WaitParams},
};
use kantoku_domain::Millis;
use kantoku_projections::document::{ContextDocument, TaskCounts};
use tokio::time::Instant;

use crate::{
    error::{CommandError, Exit},
    progress::Progress,
    session::Session,
};

/// How long one call waits for a task: short enough that a server that went away is noticed.
const TASK_SLICE: Duration = Duration::from_secs(20);
/// The same for a context, whose answer in between says how far it is.
const CONTEXT_SLICE: Duration = Duration::from_millis(500);
/// The pause before another connection is tried.
const RECONNECT: Duration = Duration::from_millis(250);
/// How much longer than a slice its answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A wait that was over first still says where things are.
#[derive(Debug)]
pub(crate) struct Waited<T> {
    /// Whether it has ended.
    pub(crate) done: bool,
    /// Where it is.
    pub(crate) last: T,
}

/// Waits for a task until it has ended or `--timeout` is over.
pub(crate) async fn task(id: &str, session: &Session) -> Result<Waited<TaskWaited>, CommandError> {
    slices(TASK_SLICE, session, async |slice| {
        let params = params(id, slice, session);
        let last = session.call_within::<TaskWait>(slice + ANSWER, &params).await?;
        Ok(Waited { done: last.done, last })
    })
    .await
}

/// Waits for all tasks of a context until they have ended or `--timeout` is over.
pub(crate) async fn context(
    id: &str,
    session: &Session,
) -> Result<Waited<ContextWaited>, CommandError> {
    let progress = Progress::start(session, format!("waiting for context/{id}"));
    let mut failed = 0;
    let waited = slices(CONTEXT_SLICE, session, async |slice| {
        let params = params(id, slice, session);
        let last = session.call_within::<ContextWait>(slice + ANSWER, &params).await?;
        // What has ended is told in full by whoever waited.
        if !last.done {
            show(&progress, &last.context, &mut failed);
        }
        Ok(Waited { done: last.done, last })
    })
    .await;
    drop(progress);
    waited
}

fn params(id: &str, slice: Duration, session: &Session) -> WaitParams {
    WaitParams {
        id: id.to_owned(),
        timeout: Some(Millis(slice.as_millis() as u64)),
        namespace: session.namespace(),
    }
}

/// Calls `wait` with a slice of the time until it is done or the time is over. A server that goes away
/// meanwhile may come back: what is waited for goes on without it.
async fn slices<T>(
    slice_max: Duration,
    session: &Session,
    mut wait: impl AsyncFnMut(Duration) -> Result<Waited<T>, CommandError>,
) -> Result<Waited<T>, CommandError> {
    let deadline = session.timeout().map(|timeout| Instant::now() + timeout);
    let mut lost_at = None;
    loop {
        let left = deadline.map_or(slice_max, |deadline| deadline - Instant::now());
        let waited = wait(left.min(slice_max)).await;
        let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        match waited {
            Err(error) if is_behind(&error) && !is_over => {}
            Err(error) if error.exit == Exit::Unreachable && !is_over => {
                if !session.disconnect().await && lost_at.is_none() {
                    return Err(error);
                }
                if lost_at.get_or_insert_with(Instant::now).elapsed() >= session.answer_timeout() {
                    return Err(error);
                }
                tokio::time::sleep(RECONNECT).await;
            }
            Ok(waited) if !waited.done && !is_over => lost_at = None,
            waited => return waited,
        }
    }
}

/// Whether the read model does not show yet what is waited for: that, too, is worth waiting for.
fn is_behind(error: &CommandError) -> bool {
    error.api().is_some_and(|error| error.code == Code::PositionNotReached)
}

fn show(progress: &Progress, context: &ContextDocument, failed_before: &mut u64) {
    let tasks = &context.tasks;
    let text = if tasks.failed > 0 {
        format!("{} failed, {} running", tasks.failed, tasks.received)
    } else {
        format!("{} running", tasks.received)
    };
    progress.update(ended(tasks), total(tasks), &text);
    if tasks.failed > *failed_before {
        *failed_before = tasks.failed;
        progress.note(&format!(
            "ktk: {} of {} tasks failed so far; ktk get tasks --status failed --context {}",
            tasks.failed,
            total(tasks),
            context.id
        ));
    }
}

/// How many tasks there are.
pub(crate) const fn total(tasks: &TaskCounts) -> u64 {
    tasks.live() + ended(tasks)
}

const fn ended(tasks: &TaskCounts) -> u64 {
    tasks.ok + tasks.failed + tasks.cancelled + tasks.skipped
}

/// The error for a wait that was over first.
pub(crate) fn timed_out(what: &str, status: &str, as_of_seq: u64) -> CommandError {
    CommandError::new(Exit::TimedOut, format!("{what} has not ended in time, it is {status}"))
        .as_of(as_of_seq)
        .advise(format!("ktk wait {what}"))
}
