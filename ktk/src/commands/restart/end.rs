//! Waiting for what runs again, and saying how it ended.

use kantoku_api::contract::ContextWaited;
use kantoku_domain::{Id, context::Superseded};
use kantoku_projections::document::{ContextDocument, ContextStatus};
use serde_json::{Map, Value, json};

use super::{Waited, show::Done};
use crate::{
    commands::{failures, goes_on, outputs, spawn, visible, watch},
    error::{CommandError, Exit},
    output::{Paint, View, print_line, print_text},
    render::superseded_text,
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
    visible(session, waited.stream_seq).await;
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
    spawn::ended(&waited)
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
    let superseded = superseded(done, context);
    if !session.output().is_table() {
        let ended = json!({
            "status": context_status(context.status),
            "tasks": context.tasks,
            "outputs": waited.outputs,
            "superseded": superseded,
            "as_of_seq": waited.as_of_seq,
        });
        return done.print(full, Some(fields(ended)), session).await;
    }
    let known = &done.restarted.superseded;
    let later = superseded.iter().filter(|it| !known.contains(it)).cloned().collect::<Vec<_>>();
    print_text(&superseded_text(&later, Paint::stdout()))?;
    let status = View::of(session).status(context_status(context.status));
    let (ok, total) = (context.tasks.ok, total(&context.tasks));
    print_line(&format!("context/{} {status}, {ok} of {total} tasks ok", context.id))?;
    outputs::print(&waited.outputs, session)
}

/// The steps that somebody overtook, before the restart was accepted or while it was carried out.
fn superseded(done: &Done, context: &ContextDocument) -> Vec<Superseded> {
    let mut all = done.restarted.superseded.clone();
    let restart = context.restarts.iter().find(|it| Some(it.id) == done.restarted.restart_id);
    all.extend(restart.into_iter().flat_map(|restart| restart.superseded.iter().cloned()));
    all
}

fn fields(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
