//! Waiting for what takes the server longer than a call.

use std::time::Duration;

use kantoku_api::contract::{Operation, OperationGet, OperationParams, OperationStatus, Started};
use kantoku_domain::Id;
use tokio::time::{Instant, sleep};

use crate::{
    error::{CommandError, Exit},
    progress::Progress,
    session::Session,
};

/// How often an operation is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Asks for the operation of this id.
pub(super) fn params(id: &str, session: &Session) -> Result<OperationParams, CommandError> {
    Ok(OperationParams { id: whole(id)?, namespace: session.namespace() })
}

/// An id in whole, as there is no list of operations to find the rest of one in.
pub(super) fn whole(id: &str) -> Result<Id, CommandError> {
    id.parse().map_err(|_| {
        CommandError::usage(format!("{id:?} is no whole id of an operation"))
            .advise("ktk get operations")
    })
}

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
        let namespace = session.namespace();
        let operation = session.call::<OperationGet>(&OperationParams { id, namespace }).await?;
        match operation.status {
            OperationStatus::Done | OperationStatus::Cancelled => return Ok(operation),
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
            let unit = operation.bulk.as_ref().map_or("positions", |_| "done");
            progress.update(operation.done, operation.total, &format!("{unit}, {doing}"));
        }
        sleep(ASK_EVERY).await;
    }
}
