//! What a context comes to, in two lines, and what went wrong in it.

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_projections::document::TaskCounts;

use super::{
    Canvas, State,
    row::{Row, task_name},
    text,
};

const BAR_WIDTH: usize = 24;

/// Its name, where it is and for how long, then a bar with the numbers of its tasks.
pub(super) fn header(tree: &Tree, canvas: &Canvas) -> Vec<String> {
    vec![title(tree, canvas), bar(tree, canvas)]
}

/// Its name, where it is and for how long.
pub(super) fn title(tree: &Tree, canvas: &Canvas) -> String {
    let context = &tree.context;
    let name = match (&context.pipeline, tree.tasks.first()) {
        (Some(pipeline), _) => format!("{} v{}", pipeline.name.as_str(), pipeline.version),
        (None, Some(task)) => task.specification.as_str().to_owned(),
        (None, None) => "context".to_owned(),
    };
    let elapsed = context.finished_at.unwrap_or(canvas.now).since(context.created_at);
    let state = State::of_context(context.status);
    let word = state.paint(canvas.paint, state.word());
    let paused = if context.paused.is_some() { "  PAUSED" } else { "" };
    format!("{name}  {word}{paused}  {}  {}", text::duration(elapsed), context.id)
}

fn bar(tree: &Tree, canvas: &Canvas) -> String {
    let counts = counts(tree);
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let ended: u64 =
        counts.iter().filter(|(state, _)| state.has_ended()).map(|(_, count)| count).sum();
    let filled = match total {
        0 => 0,
        _ => usize::try_from(ended * BAR_WIDTH as u64 / total).unwrap_or(BAR_WIDTH),
    };
    let mut line = format!(
        "{}{}  {ended} of {total} ended",
        "█".repeat(filled),
        "░".repeat(BAR_WIDTH - filled)
    );
    for (state, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        line.push_str(" · ");
        line.push_str(&state.paint(canvas.paint, &format!("{count} {}", state.word())));
    }
    line
}

/// How many tasks are in which state: those that are shown, or all when they are not all shown.
fn counts(tree: &Tree) -> Vec<(State, u64)> {
    let TaskCounts { initialized, ready, received, ok, failed, cancelled, skipped, .. } =
        tree.context.tasks;
    let count = |state: State| {
        if !tree.truncated {
            return tree.tasks.iter().filter(|task| State::of(task) == state).count() as u64;
        }
        match state {
            State::Failed => failed,
            State::Running => received,
            State::Ready => ready,
            State::Waiting => initialized,
            State::Cancelled => cancelled,
            State::Skipped => skipped,
            State::Ok => ok,
        }
    };
    State::ALL.into_iter().map(|state| (state, count(state))).collect()
}

/// The failed tasks, each with its error, at most `lines_max` lines.
pub(super) fn failures(tree: &Tree, canvas: &Canvas, lines_max: usize) -> Vec<String> {
    let failed: Vec<_> =
        tree.tasks.iter().filter(|task| State::of(task) == State::Failed).collect();
    let shown = if failed.len() <= lines_max { failed.len() } else { lines_max.saturating_sub(1) };
    let rows: Vec<Row> = failed[..shown].iter().map(|task| failure(task)).collect();
    let mut lines = Row::lines(&rows, canvas);
    if shown < failed.len() {
        lines.push(format!("  … and {} more failed", failed.len() - shown));
    }
    lines
}

fn failure(task: &TreeTask) -> Row {
    let error = text::one_line(task.error.as_deref().unwrap_or("no reason was given"));
    Row {
        lead: String::new(),
        state: State::Failed,
        name: task_name(task),
        kind: text::short_id(task.id),
        time: if task.attempt > 1 { format!("try {}", task.attempt) } else { String::new() },
        tail: error.into_owned(),
    }
}
