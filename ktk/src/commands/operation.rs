//! Waiting for what takes the server longer than a call.

use std::time::Duration;

use kantoku_api::contract::{Operation, OperationGet, OperationParams, OperationStatus, Started};
use tokio::time::{Instant, sleep};

use crate::{
    error::{CommandError, Exit},
    progress::Progress,
    session::Session,
};

/// How often an operation is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Waits for the end of an operation, and shows meanwhile what it is `doing`.
pub(super) async fn finish(
    started: Started,
    doing: &str,
    session: &Session,
) -> Result<Operation, CommandError> {
    let id = started.operation_id;
    session.on_interrupt(format!("the operation {id} goes on in the server"));
    let progress = Progress::start(session, doing);
    let start = Instant::now();
    loop {
        let operation = session.call::<OperationGet>(&OperationParams { id }).await?;
        match operation.status {
            OperationStatus::Done => return Ok(operation),
            OperationStatus::Failed => {
                let why = operation.error.as_deref().unwrap_or("no reason was given");
                let text = format!("{} failed: {why}", operation.kind);
                return Err(CommandError::new(Exit::Error, text));
            }
            OperationStatus::Running => {}
        }
        if session.timeout().is_some_and(|limit| start.elapsed() >= limit) {
            let text =
                format!("{doing} is at {} of {} and goes on", operation.done, operation.total);
            return Err(CommandError::new(Exit::TimedOut, text));
        }
        if operation.total > 0 {
            progress.update(operation.done, operation.total, &format!("positions, {doing}"));
        }
        sleep(ASK_EVERY).await;
    }
}
