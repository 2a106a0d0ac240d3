//! The plan of a restart as people read it: what it comes to, then what becomes of each task.

use std::collections::HashMap;

use kantoku_domain::{
    Id,
    context::Superseded,
    restart::{Action, Entry, Plan},
};

use crate::output::{Paint, ShortIds, Table};

/// More tasks than this that nothing happens to are only counted, each kind of them apart.
const IDLE_SHOWN_MAX: usize = 10;

/// How a plan is shown, and what else is known of it.
#[derive(Clone, Debug)]
pub(crate) struct PlanView<'a> {
    /// Whether every task has a line, and every id is whole.
    pub(crate) full: bool,
    /// What colours.
    pub(crate) paint: Paint,
    /// What the tasks do, by id.
    pub(crate) specifications: &'a HashMap<Id, String>,
    /// What takes the place of which task; empty before it is done.
    pub(crate) successors: &'a HashMap<Id, Id>,
    /// The steps that somebody overtook.
    pub(crate) superseded: &'a [Superseded],
}

/// How many tasks a plan does what with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct PlanCounts {
    pub(crate) rerun: usize,
    pub(crate) revive: usize,
    pub(crate) keep: usize,
    pub(crate) skip: usize,
}

impl PlanCounts {
    /// Of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        for entry in &plan.entries {
            *match entry.action {
                Action::Rerun => &mut counts.rerun,
                Action::Revive => &mut counts.revive,
                Action::Keep => &mut counts.keep,
                Action::Skip => &mut counts.skip,
            } += 1;
        }
        counts
    }

    const fn of_action(self, action: Action) -> usize {
        match action {
            Action::Rerun => self.rerun,
            Action::Revive => self.revive,
            Action::Keep => self.keep,
            Action::Skip => self.skip,
        }
    }
}

/// The word for what becomes of a task.
const fn word(action: Action) -> &'static str {
    match action {
        Action::Keep => "keep",
        Action::Rerun => "rerun",
        Action::Revive => "revive",
        Action::Skip => "skip",
    }
}

/// The whole of it as lines, each with its end.
pub(crate) fn plan_text(plan: &Plan, view: &PlanView<'_>) -> String {
    let counts = PlanCounts::of(plan);
    let is_shown = |entry: &&Entry| {
        view.full || entry.acts() || counts.of_action(entry.action) <= IDLE_SHOWN_MAX
    };
    let shown: Vec<&Entry> = plan.entries.iter().filter(is_shown).collect();
    let folded = |action: Action, what: &str| {
        let count = counts.of_action(action);
        let is_folded = count > 0 && !shown.iter().any(|entry| entry.action == action);
        is_folded.then(|| format!("  … {count} tasks {what} (--full lists them)\n"))
    };
    let mut parts = summary(plan, view.paint);
    parts.push(table(&shown, view));
    parts.extend(folded(Action::Keep, "are kept as they are"));
    parts.extend(folded(Action::Skip, "do not run"));
    parts.push(superseded_text(view.superseded, view.paint));
    parts.concat()
}

/// Steps that somebody overtook, a line each.
pub(crate) fn superseded_text(superseded: &[Superseded], paint: Paint) -> String {
    let mark = paint.yellow("superseded");
    let line =
        |Superseded { task_id, reason }: &Superseded| format!("{mark}  task/{task_id}  {reason}\n");
    superseded.iter().map(line).collect()
}

/// What it comes to, line by line.
fn summary(plan: &Plan, paint: Paint) -> Vec<String> {
    let PlanCounts { rerun, revive, keep, skip } = PlanCounts::of(plan);
    let counts = format!("{rerun} rerun, {revive} revive, {keep} keep, {skip} skip");
    let mut lines = vec![format!(
        "{}  outputs {}, version {}, context/{}\n",
        paint.bold(&counts),
        plan.outputs,
        plan.version,
        plan.context_id
    )];
    if plan.reopens {
        lines.push("the context was cancelled, and goes on with this\n".into());
    }
    if !plan.results.is_empty() {
        let names: Vec<&str> = plan.results.keys().map(String::as_str).collect();
        lines.push(format!("fresh resources for outputs of it: {}\n", names.join(", ")));
    }
    lines
}

fn table(entries: &[&Entry], view: &PlanView<'_>) -> String {
    let ids = entries.iter().map(|entry| entry.task_id);
    let short = ShortIds::of(ids.chain(view.successors.values().copied()));
    let id = |id: Id| if view.full { id.to_string() } else { short.short(id) };
    let mut header = vec!["ACTION", "STEP", "TASK", "SPECIFICATION", "POSITION", "REASON"];
    let is_done = !view.successors.is_empty();
    if is_done {
        header.insert(3, "NOW");
    }
    let mut table = Table::with_header(header);
    for entry in entries {
        let mut row = vec![
            action(entry.action, view.paint),
            entry.step.clone().unwrap_or_default(),
            id(entry.task_id),
            specification(entry, view),
            entry.position.to_string(),
            entry.reason.clone(),
        ];
        if is_done {
            let successor = view.successors.get(&entry.task_id).copied();
            row.insert(3, successor.map(id).unwrap_or_default());
        }
        table.push(row);
    }
    table.take_text()
}

fn action(action: Action, paint: Paint) -> String {
    match action {
        Action::Rerun => paint.cyan(word(action)),
        Action::Revive => paint.green(word(action)),
        Action::Keep | Action::Skip => paint.dim(word(action)),
    }
}

/// What the task does, and in which version if that is another.
fn specification(entry: &Entry, view: &PlanView<'_>) -> String {
    let name = view.specifications.get(&entry.task_id).map_or("", String::as_str);
    match &entry.specification {
        Some(other) => format!("{} → version {}", other.name, other.version),
        None => name.to_owned(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
