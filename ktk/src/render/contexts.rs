//! Many contexts, a line each.

use console::measure_text_width;
use kantoku_projections::document::ContextDocument;

use super::{Canvas, State, text, tree::cut};

/// What failed takes this part of the lines at most, so that what runs is in view.
const FAILED_PART: usize = 3;

/// A context on one line.
pub(crate) fn context_line(context: &ContextDocument, canvas: &Canvas) -> String {
    let state = State::of_context(context.status);
    let name = match &context.pipeline {
        Some(pipeline) => format!("{} v{}", pipeline.name.as_str(), pipeline.version),
        None => "single task".to_owned(),
    };
    let tasks = &context.tasks;
    let ended = tasks.ok + tasks.failed + tasks.cancelled + tasks.skipped;
    let elapsed = context.finished_at.unwrap_or(canvas.now).since(context.created_at);
    let mut counts = vec![format!("{ended} of {} ended", ended + tasks.live())];
    let moving = [(tasks.failed, State::Failed), (tasks.received, State::Running)];
    let moving = moving.into_iter().filter(|(count, _)| *count > 0);
    counts.extend(moving.map(|(count, state)| format!("{count} {}", state.word())));
    let mark = format!("{} {:<9}", state.symbol(), state.word());
    let line = format!(
        "{}  {}  {}  {:>7}  {}",
        state.paint(canvas.paint, &mark),
        context.id,
        text::column(&name, name_width(canvas, &name)),
        text::duration(elapsed),
        counts.join(", ")
    );
    cut(line, canvas.width)
}

/// Contexts that come last changed first: what failed, what runs, then the others.
pub(crate) fn context_lines(contexts: &[ContextDocument], canvas: &Canvas) -> Vec<String> {
    let failed_max = (canvas.height / FAILED_PART).max(1);
    let of = |states: &'static [State]| {
        contexts.iter().filter(move |context| states.contains(&State::of_context(context.status)))
    };
    let failed = of(&[State::Failed]).take(failed_max);
    let lines = failed.chain(of(&[State::Running])).chain(of(&[State::Cancelled, State::Ok]));
    lines.take(canvas.height).map(|context| context_line(context, canvas)).collect()
}

fn name_width(canvas: &Canvas, name: &str) -> usize {
    const NAME_WIDTH: usize = 24;
    if canvas.width < 100 { measure_text_width(name).min(NAME_WIDTH) } else { NAME_WIDTH }
}
