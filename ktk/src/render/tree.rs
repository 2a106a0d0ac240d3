//! A context as lines: a header, what failed, then all tasks, or groups of them where they are too
//! many.

use std::borrow::Cow;

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_domain::Timestamp;

use super::{
    By, State,
    graph::Graph,
    groups,
    row::{Row, task_name, task_time},
    summary, text,
};
use crate::{current::current, output::Paint};

/// How deep branches are indented at most: deeper ones stay there.
const INDENT_MAX: usize = 8;
/// The failures take this part of the lines at most.
const FAILURES_PART: usize = 4;
const FAILURES_MIN: usize = 3;

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    /// Columns.
    pub(crate) width: usize,
    /// Lines at most.
    pub(crate) height: usize,
    /// What colours.
    pub(crate) paint: Paint,
    /// The time that running tasks are measured by.
    pub(crate) now: Timestamp,
}

/// The whole picture of what is current; never more lines than the canvas has, and none wider.
pub(crate) fn tree_lines(all: &Tree, by: By, canvas: &Canvas) -> Vec<String> {
    let tree = &*current(all);
    let mut lines = summary::header(tree, canvas);
    let failures_max = (canvas.height / FAILURES_PART).max(FAILURES_MIN);
    let failures = summary::failures(tree, canvas, failures_max);
    if !failures.is_empty() {
        lines.push(String::new());
        lines.extend(failures);
    }
    lines.push(String::new());
    lines.extend(body(tree, by, canvas, canvas.height.saturating_sub(lines.len())));
    let replaced = all.tasks.len() - tree.tasks.len();
    if replaced > 0 {
        lines.push(format!("  … {replaced} that others replaced (ktk tree --by restart)"));
    }
    if tree.truncated {
        lines.push(format!("  … only the first {} tasks are shown", tree.tasks.len()));
    }
    lines.truncate(canvas.height);
    lines.into_iter().map(|line| cut(line, canvas.width)).collect()
}

/// The columns that the names of all tasks fit in, up to a limit.
pub(crate) fn name_width(tree: &Tree) -> usize {
    const WIDTH_MAX: usize = 32;
    let widths = tree.tasks.iter().map(|task| console::measure_text_width(&task_name(task)));
    widths.max().unwrap_or(0).min(WIDTH_MAX)
}

/// Only what it comes to and what failed.
pub(crate) fn header_lines(tree: &Tree, canvas: &Canvas) -> Vec<String> {
    let tree = &*current(tree);
    let mut lines = summary::header(tree, canvas);
    lines.extend(summary::failures(tree, canvas, canvas.height.saturating_sub(lines.len())));
    lines.into_iter().map(|line| cut(line, canvas.width)).collect()
}

/// A change of a task, for a place where lines are only added. The name takes `name_width` columns.
pub(crate) fn change_line(task: &TreeTask, name_width: usize, at: Timestamp) -> String {
    let state = State::of(task);
    let at = at.to_offset();
    let error = task.error.as_deref().map(text::one_line);
    let more = match state {
        State::Failed => error.unwrap_or_default(),
        State::Waiting => error.map(|error| format!("last: {error}").into()).unwrap_or_default(),
        State::Running if task.attempt > 1 => format!("attempt {}", task.attempt).into(),
        _ => Cow::default(),
    };
    let time = if state.has_ended() { task_time(task, Timestamp::from(at)) } else { String::new() };
    format!(
        "{:02}:{:02}:{:02} {} {:<9}  {}  {}  {time}  {more}",
        at.hour(),
        at.minute(),
        at.second(),
        state.symbol(),
        state.word(),
        text::column(&task_name(task), name_width),
        task.specification.as_str(),
    )
    .trim_end()
    .to_owned()
}

/// The header's parts are coloured already, so only the visible text counts.
pub(super) fn cut(line: String, width: usize) -> String {
    match console::truncate_str(&line, width, "…") {
        Cow::Borrowed(_) => line,
        Cow::Owned(cut) => cut,
    }
}

fn body(tree: &Tree, by: By, canvas: &Canvas, lines_max: usize) -> Vec<String> {
    let graph = Graph::new(&tree.tasks, by);
    if tree.tasks.len() <= lines_max {
        let branches = Branches { tasks: &tree.tasks, graph: &graph, now: canvas.now };
        return Row::lines(&branches.rows(), canvas);
    }
    groups::lines(&tree.tasks, &graph, canvas, lines_max)
}

/// Every task on a line of its own, below the one that it belongs to.
struct Branches<'a> {
    tasks: &'a [TreeTask],
    graph: &'a Graph,
    now: Timestamp,
}

impl Branches<'_> {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.tasks.len());
        // A stack and not a recursion, as tasks may spawn each other thousands deep.
        let mut open = vec![(&self.graph.roots, 0, String::new())];
        while let Some((siblings, next, indent)) = open.pop() {
            let Some(index) = siblings.get(next).copied() else { continue };
            let is_last = next + 1 == siblings.len();
            let branch = if is_last { "└─ " } else { "├─ " };
            rows.push(self.row(index, format!("{indent}{branch}")));
            let children = &self.graph.children[index];
            let deeper = if open.len() >= INDENT_MAX {
                indent.clone()
            } else {
                format!("{indent}{}", if is_last { "   " } else { "│  " })
            };
            open.push((siblings, next + 1, indent));
            open.push((children, 0, deeper));
        }
        rows
    }

    fn row(&self, index: usize, lead: String) -> Row {
        let task = &self.tasks[index];
        Row {
            lead,
            state: State::of(task),
            name: task_name(task),
            kind: task.specification.as_str().to_owned(),
            time: task_time(task, self.now),
            tail: self.tail(task),
        }
    }

    /// What came before it, and how often it was tried.
    fn tail(&self, task: &TreeTask) -> String {
        let mut parts = Vec::new();
        if task.attempt > 1 {
            parts.push(format!("attempt {}", task.attempt));
        }
        let mut before: Vec<_> =
            task.waits_for.iter().filter_map(|id| self.graph.place.get(id)).copied().collect();
        before.sort_unstable_by_key(|at| (self.graph.level[*at], *at));
        let names: Vec<_> = before.into_iter().map(|at| task_name(&self.tasks[at])).collect();
        if !names.is_empty() {
            parts.push(format!("← {}", names.join(", ")));
        }
        if let Some(before) = task.restart_parent {
            parts.push(format!("restart of {}", text::short_id(before)));
        }
        if !State::of(task).has_ended()
            && let Some(error) = &task.error
        {
            parts.push(format!("last: {}", text::one_line(error)));
        }
        parts.join("  ")
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
