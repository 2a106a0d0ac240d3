//! `task.logs`, `task.follow_logs`

use std::sync::Arc;

use futures::StreamExt as _;
use kantoku_domain::Task;
use kantoku_projections::document::TaskDocument;
use kantoku_streams::{LogEntry as StoredLine, LogFilter, LogStream, Logs};

use super::{Api, Module, module::Items};
use crate::{
    ApiError, Code,
    contract::{LogEntry, LogPage, LogsParams, TaskFollowLogs, TaskLogs},
};

/// How many lines a page has unless it says otherwise.
const LIMIT: u32 = 1_000;

pub(super) fn register(module: &mut Module) {
    module.register::<TaskLogs>(read);
    module.register_subscription::<TaskFollowLogs>(follow);
}

async fn read(api: Arc<Api>, params: LogsParams) -> Result<LogPage, ApiError> {
    let limit = params.limit.unwrap_or(LIMIT) as usize;
    if !(1..=Logs::PAGE_LINES_MAX).contains(&limit) {
        let message = format!("{limit} is not between 1 and {}", Logs::PAGE_LINES_MAX);
        return Err(ApiError::new(Code::Invalid, message).field("limit"));
    }
    let filter = api.output_of(&params).await?;
    let page = api.bus.logs().read(&filter, params.after.unwrap_or_default(), limit).await?;
    let lines = page.lines.into_iter().map(line).collect();
    Ok(LogPage { lines, next_after: page.next_after })
}

async fn follow(api: Arc<Api>, params: LogsParams) -> Result<Items<TaskFollowLogs>, ApiError> {
    let filter = api.output_of(&params).await?;
    let lines = api.bus.logs().follow(filter, params.after.unwrap_or_default()).await?;
    Ok(lines.map(|read| Ok(line(read?))).boxed())
}

fn line(stored: StoredLine) -> LogEntry {
    LogEntry {
        attempt: stored.attempt,
        at: stored.line.at,
        stream: match stored.line.stream {
            LogStream::Stdout => "stdout".to_owned(),
            LogStream::Stderr => "stderr".to_owned(),
            LogStream::System => "system".to_owned(),
        },
        text: stored.line.text,
    }
}

impl Api {
    /// Whose output is asked for.
    async fn output_of(&self, params: &LogsParams) -> Result<LogFilter, ApiError> {
        let namespace = params.namespace.clone().unwrap_or_default();
        let task_id = self.resolve::<TaskDocument>(&namespace, &params.id).await?;
        let task = self.bus.ledger().load::<Task>(&namespace, task_id).await?;
        let context_id = match task.state.spawned {
            Some(spawned) => spawned.context_id,
            // Named by a plan or a parent, it has said nothing yet.
            None => {
                self.reader.record::<TaskDocument>(&namespace, task_id).await?.document.context_id
            }
        };
        Ok(LogFilter { namespace, context_id, task_id, attempt: params.attempt })
    }
}
