//! What a task waits for.

use kantoku_domain::Dependency;
use kantoku_projections::document::{DependencyStatus, TaskDocument};

use super::Page;
use crate::{
    output::View,
    render::{approval_text, needs_text},
};

/// All that it waits for, each with whether that has happened.
pub(super) fn dependencies(page: &mut Page, task: &TaskDocument, view: &View) {
    if task.dependencies.is_empty() {
        return;
    }
    page.section("Dependencies");
    for dependency in &task.dependencies {
        let status = match dependency.status {
            DependencyStatus::Pending => "PENDING".to_owned(),
            DependencyStatus::Ready => view.paint.green("READY"),
            DependencyStatus::Failed => view.paint.red("FAILED"),
        };
        page.row([dependency.name.clone(), status, needs_text(&dependency.data)]);
    }
}

/// The approvals that it waits for, or has waited for.
pub(super) fn approvals(page: &mut Page, task: &TaskDocument) {
    let asked = task.depends_on.as_ref().map(Dependency::approvals).unwrap_or_default();
    if asked.is_empty() {
        return;
    }
    page.section("Approvals");
    for approval in asked {
        let given = task.approvals.get(&approval.name).map_or(&[][..], Vec::as_slice);
        let names: Vec<&str> = given.iter().map(|given| given.by.as_str()).collect();
        page.row([approval_text(approval), format!("{} given", given.len()), names.join(", ")]);
    }
}
