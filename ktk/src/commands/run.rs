//! `ktk run`

use std::collections::BTreeMap;

use kantoku_api::contract::{ContextWaited, PipelineRun, Run, RunParams};
use kantoku_projections::document::ContextStatus;
use serde_json::{Map, Value, json};

use super::{failures, goes_on, outputs, visible, watch};
use crate::{
    assignment::{self, Assignment},
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    last::Last,
    output::{Format, View, print_document, print_line, print_name},
    render::duration,
    rows::context_status,
    session::Session,
    target::Target,
    waiting::{self, timed_out, total},
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk run pipeline/top-words -p page='to be or not to be'
  ktk run top-words -p 'page:=\"to be\"' --wait      any JSON value
  ktk run top-words -p page=word --watch
  ktk run top-words -p page=word -l team=search --idempotency-key nightly-2026-11-24 --wait -o json
With --wait and --watch the exit code is 5 if it failed, 6 if --timeout was over first.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The pipeline, its latest version
    #[arg(value_name = "pipeline/NAME", add = complete::of(Kind::Pipeline))]
    pipeline: Target,
    /// A parameter: a text, or any JSON value. Repeatable
    #[arg(short, long = "param", value_name = "KEY=TEXT|KEY:=JSON")]
    param: Vec<Assignment>,
    /// Return when all its tasks have ended
    #[arg(long)]
    wait: bool,
    /// Show its tasks live until they have ended
    #[arg(long, conflicts_with = "wait")]
    watch: bool,
    /// The same key is the same run, however often it is sent
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let name = match args.pipeline.kind {
        None | Some(Kind::Pipeline) => &args.pipeline.name,
        Some(kind) => {
            return Err(CommandError::usage(format!(
                "a {kind} cannot be run: name a pipeline, or try `ktk spawn SPECIFICATION`"
            )));
        }
    };
    let params = RunParams {
        name: session.version(name)?.name,
        params: assignment::collect(args.param)?,
        labels: session.labels(),
        idempotency_key: args.idempotency_key,
        namespace: session.namespace(),
    };
    let started = session.call::<PipelineRun>(&params).await.map_err(|error| {
        assignment::advise(error, &format!("ktk describe pipeline {name}")).or_list(Kind::Pipeline)
    })?;
    Last { context_id: started.context_id, task_id: None }.remember(session);
    let context_id = started.context_id;
    if !args.wait && !args.watch {
        visible(session, started.stream_seq).await;
        return print_started(&started, session);
    }
    session.on_interrupt(format!(
        "interrupted; the run goes on: ktk watch {context_id}, ktk cancel context/{context_id}"
    ));
    let waited = if args.watch {
        watch::watch_context(context_id.to_string(), Some(started.stream_seq), session).await?
    } else {
        let waited = waiting::context(&context_id.to_string(), session).await;
        let waited = waited.map_err(|error| goes_on(error, "context", context_id))?;
        if !waited.done {
            let status = context_status(waited.last.context.status);
            print_ended(&started, &waited.last, &[], session)?;
            return Err(timed_out(&format!("context/{context_id}"), status, waited.last.as_of_seq));
        }
        waited.last
    };
    end(&started, &waited, args.watch, session).await
}

/// Prints what came of it; an error unless all is well.
async fn end(
    started: &Run,
    waited: &ContextWaited,
    was_watched: bool,
    session: &Session,
) -> Result<(), CommandError> {
    let status = waited.context.status;
    let failed = match status {
        ContextStatus::Ok => Vec::new(),
        _ => failures::of_context(started.context_id, waited.as_of_seq, session).await?,
    };
    // Who watched a picture has seen the rest.
    if was_watched && session.output().is_table() {
        outputs::print(&waited.outputs, session)?;
    } else {
        print_ended(started, waited, &failed, session)?;
    }
    if status == ContextStatus::Ok {
        return Ok(());
    }
    failures::print(&failed, session);
    let what = format!("context/{}", started.context_id);
    let advice = match failed.first() {
        Some(task) => format!("ktk describe task/{}", task.id),
        None => format!("ktk tree {}", started.context_id),
    };
    let message = match status {
        ContextStatus::Cancelled => format!("{what} was cancelled"),
        _ => format!(
            "{what} failed: {} of {} tasks",
            waited.context.tasks.failed,
            total(&waited.context.tasks)
        ),
    };
    Err(CommandError::new(Exit::TaskFailed, message).as_of(waited.as_of_seq).advise(advice))
}

fn print_started(started: &Run, session: &Session) -> Result<(), CommandError> {
    let id = started.context_id;
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!("context/{id} started, {} tasks", started.tasks))?;
            session.note(&format!("ktk watch {id} shows them live"));
            Ok(())
        }
        Format::Name => print_line(&format!("context/{id}")),
        format => print_document(format, &Value::Object(document(started, "running"))),
    }
}

/// What all documents about a run hold.
fn document(started: &Run, status: &str) -> Map<String, Value> {
    let document = json!({
        "context_id": started.context_id,
        "status": status,
        "version": started.version,
        "output_ids": started.outputs,
        "stream_seq": started.stream_seq,
    });
    match document {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn print_ended(
    started: &Run,
    waited: &ContextWaited,
    failed: &[kantoku_projections::document::TaskDocument],
    session: &Session,
) -> Result<(), CommandError> {
    let context = &waited.context;
    match session.output() {
        Format::Table | Format::Wide => {
            let took = context.finished_at.map(|end| duration(end.since(context.created_at)));
            let status = View::of(session).status(context_status(context.status));
            let took = took.map_or_else(String::new, |took| format!(", {took}"));
            let tasks = &context.tasks;
            print_line(&format!(
                "context/{} {status}, {} of {} tasks ok{took}",
                context.id,
                tasks.ok,
                total(tasks)
            ))?;
            outputs::print(&waited.outputs, session)
        }
        Format::Name => print_name(context),
        format => {
            let mut document = document(started, context_status(context.status));
            let failed: BTreeMap<_, _> =
                failed.iter().map(|task| (task.id.to_string(), failures::message(task))).collect();
            document.insert("pipeline".into(), json!(context.pipeline));
            document.insert("tasks".into(), json!(context.tasks));
            document.insert("outputs".into(), json!(waited.outputs));
            document.insert("failed".into(), json!(failed));
            document.insert("created_at".into(), json!(context.created_at));
            document.insert("finished_at".into(), json!(context.finished_at));
            document.insert("as_of_seq".into(), waited.as_of_seq.into());
            print_document(format, &Value::Object(document))
        }
    }
}
