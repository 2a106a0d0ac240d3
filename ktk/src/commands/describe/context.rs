//! A context: what runs, how far it is, what came of it, what failed.

use std::collections::BTreeMap;

use kantoku_api::contract::{ContextGet, ResourceGet, TaskGet, TaskTree};
use kantoku_domain::{Id, Recorded, task::Outcome};
use kantoku_projections::document::{
    ContextDocument, ContextRestart, ResourceDocument, TaskDocument,
};
use serde_json::json;

use super::{Page, events};
use crate::{
    commands::failures,
    error::CommandError,
    output::{Format, ShortIds, View, labels, print_document, print_line, print_text},
    rows::{context_status, resource_status, resource_value},
    session::Session,
    waiting::total,
};

/// How many tasks that had failed are told, as each is folded for itself.
const FAILED_THEN_MAX: usize = 10;

pub(super) async fn describe(id: String, session: &Session) -> Result<(), CommandError> {
    let context = session.call::<ContextGet>(&session.get(id)).await?;
    if matches!(session.output(), Format::Name) {
        return print_line(&format!("context/{}", context.id));
    }
    let mut outputs = BTreeMap::new();
    for (name, id) in &context.outputs {
        let resource = session.call::<ResourceGet>(&session.get(id.to_string())).await?;
        outputs.insert(name.clone(), resource);
    }
    let failed = match context.tasks.failed {
        0 => Vec::new(),
        _ if !session.looking_back().is_now() => failed_then(context.id, session).await?,
        _ => failures::of_context(context.id, context.stream_seq, session).await?,
    };
    let events = events(context.id, session).await?;
    match session.output() {
        format if format.is_table() => {
            print_text(&page(&context, &outputs, &failed, &events, session).into_text())
        }
        format => print_document(
            format,
            &json!({
                "context": context,
                "outputs": outputs,
                "failed": failed,
                "events": events.0,
            }),
        ),
    }
}

/// The tasks that had failed by the time that is looked at: the first of them.
async fn failed_then(context_id: Id, session: &Session) -> Result<Vec<TaskDocument>, CommandError> {
    let tree = session.call::<TaskTree>(&session.get(context_id.to_string())).await?.current();
    let failed = tree.tasks.iter().filter(|task| task.sub_status == Some(Outcome::Failed));
    let mut tasks = Vec::new();
    for task in failed.take(FAILED_THEN_MAX) {
        tasks.push(session.call::<TaskGet>(&session.get(task.id.to_string())).await?);
    }
    Ok(tasks)
}

fn page(
    context: &ContextDocument,
    outputs: &BTreeMap<String, ResourceDocument>,
    failed: &[TaskDocument],
    events: &(Vec<Recorded>, usize),
    session: &Session,
) -> Page {
    let view = View { ids: ShortIds::of(failed.iter().map(|task| task.id)), ..View::of(session) };
    let mut page = Page::new(&format!("context/{}", context.id), &view);
    page.field("status", view.status(context_status(context.status)));
    if let Some(pipeline) = &context.pipeline {
        page.field("pipeline", format!("{}@{}", pipeline.name, pipeline.version));
    }
    page.field("namespace", context.namespace.to_string());
    page.field("labels", labels(&context.labels));
    page.paused(context.paused.as_ref());
    let by = context.cancelled_by.as_ref().map(|by| format!(" (by {by})")).unwrap_or_default();
    let cancelled = context.cancelled.as_ref().map(|reason| format!("{reason}{by}"));
    page.field("cancelled", cancelled.unwrap_or_default());
    page.time("created", Some(context.created_at));
    page.time("finished", context.finished_at);
    page.field("took", view.took(Some(context.created_at), context.finished_at));
    page.field("position", context.stream_seq.to_string());

    let tasks = &context.tasks;
    page.section(&format!("Tasks: {}", total(tasks)));
    for (name, count) in [
        ("failed", tasks.failed),
        ("running", tasks.received),
        ("ready", tasks.ready),
        ("waiting", tasks.initialized),
        ("cancelled", tasks.cancelled),
        ("skipped", tasks.skipped),
        ("ok", tasks.ok),
    ] {
        if count > 0 {
            page.field(name, count.to_string());
        }
    }
    if !failed.is_empty() {
        page.section("Failed, the last first");
        for task in failed {
            let name = task.step.clone().unwrap_or_else(|| task.specification.to_string());
            page.row([view.id(task.id), name, failures::message(task)]);
        }
    }
    restarts(&mut page, &context.restarts);
    if !context.params.is_empty() {
        page.section("Parameters");
        for (name, value) in &context.params {
            page.row([name.clone(), view.long_value(value)]);
        }
    }
    if !outputs.is_empty() {
        page.section("Outputs");
        for (name, resource) in outputs {
            let status = view.status(resource_status(resource.status));
            page.row([name.clone(), status, resource_value(resource, &view)]);
        }
    }
    page.events(events);
    page.line(&format!("ktk tree {}", context.id));
    page
}

/// What was run again, and what somebody overtook of it.
fn restarts(page: &mut Page, restarts: &[ContextRestart]) {
    if restarts.is_empty() {
        return;
    }
    page.section("Restarts of several tasks");
    for restart in restarts {
        let settled = if restart.settled { "" } else { ", under way" };
        page.row([
            restart.at.to_string(),
            format!(
                "{} of {} steps{settled}",
                restart.steps - restart.superseded_total.min(restart.steps),
                restart.steps
            ),
            format!("outputs {}, version {}", restart.outputs, restart.version),
            restart.by.clone(),
            restart.reason.clone(),
        ]);
        for superseded in &restart.superseded {
            page.row([
                String::new(),
                format!("superseded task/{}: {}", superseded.task_id, superseded.reason),
            ]);
        }
    }
}
