//! Tasks that should have moved on by now.

use std::time::Duration;

use kantoku_api::contract::{Filter, ListParams, Services, TaskList};
use kantoku_domain::Timestamp;
use kantoku_projections::document::{DependencyStatus, TaskDocument};
use serde_json::Value;

use super::report::Report;
use crate::{error::CommandError, output::now, render::duration, session::Session};

/// What takes milliseconds while all is well.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many of the oldest are looked at.
const LOOKED_AT: u32 = 100;

pub(super) async fn check(
    services: &Services,
    session: &Session,
    report: &mut Report,
) -> Result<(), CommandError> {
    let at = now();
    let ready = oldest("ready", session).await?;
    let received = oldest("received", session).await?;
    let initialized = oldest("initialized", session).await?;
    let unclaimed = ready.iter().filter(|task| is_late(task, at));
    let orphaned = received.iter().filter(|task| is_late(task, at) && !is_held(task, services));
    let unannounced = initialized.iter().filter(|task| is_late(task, at) && is_due(task, at));
    let before = report.stuck(
        "have been ready for long and no executor takes them",
        "see whether executors serve their queues and have free slots: ktk get services",
        unclaimed,
        at,
    ) + report.stuck(
        "are held by executors that are gone",
        "see whether a lease-keeper runs: ktk get services",
        orphaned,
        at,
    ) + report.stuck(
        "have all that they wait for and are not announced",
        "see whether a scheduler runs and what it logs: ktk get services, ktk dev logs",
        unannounced,
        at,
    );
    if before == 0 {
        report.fine("tasks", "none is stuck");
    }
    Ok(())
}

impl Report {
    /// A finding if there is one such task. How many there are.
    fn stuck<'a>(
        &mut self,
        how: &str,
        advice: &str,
        tasks: impl Iterator<Item = &'a TaskDocument>,
        at: Timestamp,
    ) -> usize {
        let tasks: Vec<_> = tasks.collect();
        if let Some(oldest) = tasks.first() {
            let age = duration(at.since(oldest.updated_at));
            let message = format!("{} tasks {how}; for {age} task/{}", tasks.len(), oldest.id);
            self.finding("tasks", message, format!("ktk why {}; {advice}", oldest.id));
        }
        tasks.len()
    }
}

/// The tasks of a status that have not changed for longest.
async fn oldest(status: &str, session: &Session) -> Result<Vec<TaskDocument>, CommandError> {
    let params = ListParams {
        filter: Filter::from_iter([("status".into(), Value::from(status))]),
        sort: Some("updated_at".into()),
        limit: Some(LOOKED_AT),
        namespace: session.namespace(),
        all_namespaces: session.namespace().is_none(),
        ..ListParams::default()
    };
    Ok(session.call::<TaskList>(&params).await?.items)
}

fn is_late(task: &TaskDocument, at: Timestamp) -> bool {
    at.since(task.updated_at) > PATIENCE
}

fn is_held(task: &TaskDocument, services: &Services) -> bool {
    let Some(node) = &task.node else { return true };
    services.items.iter().any(|service| service.service_id == *node)
}

/// Whether nothing keeps it from being announced.
fn is_due(task: &TaskDocument, at: Timestamp) -> bool {
    let is_open = |status| status != DependencyStatus::Ready;
    let waits = task.waits_for().len() != task.dependencies.len()
        || task.dependencies.iter().any(|dependency| is_open(dependency.status));
    let late = task.not_before.is_none_or(|not_before| at.since(not_before) > PATIENCE);
    !waits && late
}
