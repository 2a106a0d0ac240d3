//! Waiting for what runs again, and saying how it ended.

use kantoku_api::contract::ContextWaited;
use kantoku_domain::{Id, task::Outcome};
use kantoku_projections::document::ContextStatus;
use serde_json::{Map, Value, json};

use super::{Waited, show::Done};
use crate::{
    commands::{failures, goes_on, outputs, watch},
    error::{CommandError, Exit},
    output::{View, print_line},
    rows::{context_status, task_status},
    session::Session,
    waiting::{self, timed_out, total},
};

/// Waits for it, prints what was done and what came of it; an error unless all is well.
pub(super) async fn wait(
    done: &Done,
    waited_for: &Waited,
    full: bool,
    session: &Session,
) -> Result<(), CommandError> {
    let context_id = done.restarted.context_id;
    session.on_interrupt(format!(
        "interrupted; the restart goes on: ktk watch {context_id}, ktk cancel context/{context_id}"
    ));
    match waited_for.task_id {
        Some(task_id) if !waited_for.is_watched => task(done, task_id, full, session).await,
        _ => {
            if session.output().is_table() {
                done.print(full, Some(Map::new()), session).await?;
            }
            context(done, waited_for, full, session).await
        }
    }
}

async fn task(done: &Done, task_id: Id, full: bool, session: &Session) -> Result<(), CommandError> {
    let what = format!("task/{task_id}");
    let waited = waiting::task(&task_id.to_string(), session).await;
    let waited = waited.map_err(|error| goes_on(error, "task", task_id))?.last;
    let status = task_status(waited.status, waited.sub_status);
    let ended = json!({
        "status": waited.status,
        "sub_status": waited.sub_status,
        "outputs": waited.outputs,
        "error": waited.error,
    });
    done.print(full, Some(fields(ended)), session).await?;
    if session.output().is_table() {
        print_line(&format!("{what} {}", View::of(session).status(status)))?;
        outputs::print(&waited.outputs, session)?;
    }
    if !waited.done {
        return Err(timed_out(&what, status, waited.stream_seq));
    }
    if waited.sub_status == Some(Outcome::Ok) {
        return Ok(());
    }
    let why = waited.error.map(|error| format!(": {error}")).unwrap_or_default();
    Err(CommandError::new(Exit::TaskFailed, format!("{what} is {status}{why}"))
        .as_of(waited.stream_seq)
        .advise(format!("ktk attempts {task_id} --diff")))
}

async fn context(
    done: &Done,
    waited_for: &Waited,
    full: bool,
    session: &Session,
) -> Result<(), CommandError> {
    let id = done.restarted.context_id;
    let waited = if waited_for.is_watched {
        watch::watch_context(id.to_string(), Some(waited_for.stream_seq), session).await?
    } else {
        let waited = waiting::context(&id.to_string(), session).await;
        waited.map_err(|error| goes_on(error, "context", id))?.last
    };
    print_context(done, &waited, full, session).await?;
    let what = format!("context/{id}");
    let status = waited.context.status;
    if !waited.done {
        return Err(timed_out(&what, context_status(status), waited.as_of_seq));
    }
    if status == ContextStatus::Ok {
        return Ok(());
    }
    let failed = failures::of_context(id, waited.as_of_seq, session).await?;
    failures::print(&failed, session);
    let advice = match failed.first() {
        Some(task) => format!("ktk attempts {} --diff", task.id),
        None => format!("ktk tree {id}"),
    };
    Err(CommandError::new(Exit::TaskFailed, format!("{what} is {}", context_status(status)))
        .as_of(waited.as_of_seq)
        .advise(advice))
}

async fn print_context(
    done: &Done,
    waited: &ContextWaited,
    full: bool,
    session: &Session,
) -> Result<(), CommandError> {
    let context = &waited.context;
    if !session.output().is_table() {
        let ended = json!({
            "status": context_status(context.status),
            "tasks": context.tasks,
            "outputs": waited.outputs,
            "as_of_seq": waited.as_of_seq,
        });
        return done.print(full, Some(fields(ended)), session).await;
    }
    let status = View::of(session).status(context_status(context.status));
    let (ok, total) = (context.tasks.ok, total(&context.tasks));
    print_line(&format!("context/{} {status}, {ok} of {total} tasks ok", context.id))?;
    outputs::print(&waited.outputs, session)
}

fn fields(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
