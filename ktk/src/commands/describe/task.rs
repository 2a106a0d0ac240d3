//! A task: where it is and why, what it read and wrote, what went wrong, its events.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use kantoku_api::contract::{ResourceGet, TaskGet, TaskWhy, Why};
use kantoku_domain::{Id, Recorded, Source, task::Outcome};
use kantoku_projections::document::{ResourceDocument, Revival, Successor, TaskDocument};
use serde_json::json;

use super::{Page, events, waits};
use crate::{
    error::CommandError,
    output::{Format, ShortIds, View, labels, print_document, print_line, print_text},
    rows::{resource_status, resource_value, task_status},
    session::Session,
};

/// How many resources a description shows the values of.
const RESOURCES_MAX: usize = 64;
/// How many are read at once.
const READS_AT_ONCE: usize = 8;

/// All that is known about a task.
struct Known {
    task: TaskDocument,
    resources: BTreeMap<Id, ResourceDocument>,
    why: Option<Why>,
    events: (Vec<Recorded>, usize),
}

pub(super) async fn describe(id: String, session: &Session) -> Result<(), CommandError> {
    let task = session.call::<TaskGet>(&session.get(id)).await?;
    if matches!(session.output(), Format::Name) {
        return print_line(&format!("task/{}", task.id));
    }
    let known = Known {
        resources: resources(&task, session).await,
        why: why(&task, session).await,
        events: events(task.id, session).await?,
        task,
    };
    match session.output() {
        format if format.is_table() => print_text(&page(&known, session).into_text()),
        format => print_document(
            format,
            &json!({
                "task": known.task,
                "resources": known.resources,
                "why": known.why,
                "events": known.events.0,
            }),
        ),
    }
}

/// The resources that the task reads and writes, as far as they can be read.
async fn resources(task: &TaskDocument, session: &Session) -> BTreeMap<Id, ResourceDocument> {
    let inputs = task.inputs.values().filter_map(kantoku_domain::Binding::resource);
    let outputs = task.outputs.values().map(|output| output.id);
    let ids: Vec<Id> = inputs.chain(outputs).take(RESOURCES_MAX).collect();
    let reads = ids.into_iter().map(async |id| {
        let params = session.get(id.to_string());
        session.call::<ResourceGet>(&params).await.ok().map(|resource| (id, resource))
    });
    stream::iter(reads).buffered(READS_AT_ONCE).filter_map(async |read| read).collect().await
}

/// Nothing has to be explained about a task that finished well, and of the past it cannot be.
async fn why(task: &TaskDocument, session: &Session) -> Option<Why> {
    if task.sub_status == Some(Outcome::Ok) || !session.looking_back().is_now() {
        return None;
    }
    match session.call::<TaskWhy>(&session.get(task.id.to_string())).await {
        Ok(why) => Some(why),
        Err(error) => {
            tracing::info!(%error, "why is not known");
            None
        }
    }
}

fn page(known: &Known, session: &Session) -> Page {
    let Known { task, resources, why, events } = known;
    let mut view = View::of(session);
    let tasks = resources.values().filter_map(|resource| resource.custodian);
    view.ids = ShortIds::of(resources.keys().copied().chain(tasks));

    let mut page = Page::new(&format!("task/{}", task.id), &view);
    head(&mut page, task, &view);
    error(&mut page, task);
    inputs(&mut page, task, resources, &view);
    outputs(&mut page, task, resources, &view);
    waits::dependencies(&mut page, task, &view);
    waits::approvals(&mut page, task);
    if let Some(why) = why {
        page.section("Why");
        page.text(&why.summary);
        for fact in &why.facts {
            page.foreign(&format!("{}: {}", fact.kind, fact.message));
        }
    }
    page.events(events);
    page
}

fn head(page: &mut Page, task: &TaskDocument, view: &View) {
    let status = task_status(task.status, task.sub_status);
    let status = view.status_or_paused(status, task.paused.is_some());
    page.field("status", format!("{status}, attempt {} of {}", task.attempt, task.retry.attempts));
    page.field("step", task.step.clone().unwrap_or_default());
    page.field("specification", format!("{}@{}", task.specification, task.version));
    page.field("namespace", task.namespace.to_string());
    page.field("context", task.context_id.to_string());
    let id = |id: Option<Id>| id.map(|id| id.to_string()).unwrap_or_default();
    page.field("parent", id(task.parent_id));
    page.paused(task.paused.as_ref());
    page.field("restart root", id(task.restart_root));
    page.field("restart of", id(task.restart_parent));
    page.field("restarted as", task.restarted.as_ref().map(restarted).unwrap_or_default());
    page.field("revived", task.revived.as_ref().map(revived).unwrap_or_default());
    let when = task.when.as_ref().map(|when| when.rule.name());
    page.field("when", when.unwrap_or_default());
    page.field("labels", labels(&task.labels));
    page.field("node", task.node.clone().unwrap_or_default());
    page.field("reason", task.reason.clone().unwrap_or_default());
    page.field("cancelled by", task.cancelled_by.clone().unwrap_or_default());
    page.field("root cause", id(task.root_cause));
    page.time("created", Some(task.created_at));
    page.time("started", task.started_at);
    page.time("finished", task.finished_at);
    page.field("took", view.took(task.started_at, task.finished_at));
    page.field("next attempt", task.not_before.map(|at| at.to_string()).unwrap_or_default());
    page.field("position", task.stream_seq.to_string());
}

fn error(page: &mut Page, task: &TaskDocument) {
    let Some(error) = &task.error else { return };
    page.section("Error");
    page.field("kind", error.kind.clone());
    page.field("exit code", error.exit_code.map(|code| code.to_string()).unwrap_or_default());
    page.field("retryable", if error.retryable { "yes" } else { "no" });
    page.line("message");
    page.foreign(&error.message);
    if let Some(tail) = error.stderr_tail.as_deref().filter(|tail| !tail.trim().is_empty()) {
        page.line("the end of stderr");
        page.foreign(tail);
    }
    page.line(&format!("ktk logs {}", task.id));
}

fn inputs(
    page: &mut Page,
    task: &TaskDocument,
    resources: &BTreeMap<Id, ResourceDocument>,
    view: &View,
) {
    if task.inputs.is_empty() {
        return;
    }
    page.section("Inputs");
    for (name, binding) in &task.inputs {
        let (state, value, from) = match &binding.source {
            Source::Value(value) => ("given".to_owned(), view.value(value), String::new()),
            Source::Blob(blob) => ("given".into(), format!("({} bytes)", blob.size), String::new()),
            Source::Secret(name) => ("secret".into(), String::new(), format!("secret/{name}")),
            Source::Resource(id) => match resources.get(id) {
                Some(resource) => (
                    view.status(resource_status(resource.status)),
                    resource_value(resource, view),
                    from(resource, view),
                ),
                None => ("unknown".into(), String::new(), format!("resource/{id}")),
            },
        };
        page.row([name.clone(), binding.type_.to_string(), state, value, from]);
        if let Some(map) = &binding.map {
            page.row([String::new(), "map".into(), String::new(), view.text(map)]);
        }
    }
}

/// Where a resource comes from.
fn from(resource: &ResourceDocument, view: &View) -> String {
    match (resource.custodian, &resource.output) {
        (Some(task), Some(output)) => format!("{output} of task/{}", view.id(task)),
        (Some(task), None) => format!("task/{}", view.id(task)),
        (None, _) => format!("resource/{}", view.id(resource.id)),
    }
}

fn outputs(
    page: &mut Page,
    task: &TaskDocument,
    resources: &BTreeMap<Id, ResourceDocument>,
    view: &View,
) {
    if task.outputs.is_empty() {
        return;
    }
    page.section("Outputs");
    for (name, output) in &task.outputs {
        let resource = resources.get(&output.id);
        let state = resource.map(|resource| view.status(resource_status(resource.status)));
        let value = resource.map(|resource| resource_value(resource, view));
        let delegated = task.delegated.get(name);
        let delegated = delegated.map(|delegation| {
            format!("delegated to {} of task/{}", delegation.output, delegation.child)
        });
        page.row([
            name.clone(),
            output.type_.to_string(),
            state.unwrap_or_else(|| "unknown".into()),
            value.unwrap_or_default(),
            delegated.unwrap_or_else(|| format!("resource/{}", view.id(output.id))),
        ]);
    }
}

/// What took its place, and why.
fn restarted(successor: &Successor) -> String {
    let Successor { id, outputs, version, reason, by, at, .. } = successor;
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{id}, outputs {outputs}, version {version}, by {by} at {at}{reason}")
}

/// Why it waits again.
fn revived(revival: &Revival) -> String {
    let Revival { root_cause, restarted_as, at } = revival;
    format!("at {at}, as {root_cause} was restarted as {restarted_as}")
}
