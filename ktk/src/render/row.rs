//! One line of a picture, in columns that a whole block of lines shares.

use console::measure_text_width;
use kantoku_api::contract::TreeTask;
use kantoku_domain::Timestamp;

use super::{Canvas, State, text};

const NAME_WIDTH_MAX: usize = 36;
const KIND_WIDTH_MAX: usize = 28;
const TIME_WIDTH: usize = 7;
/// Below this the kind gives way.
const WIDTH_WITH_KIND_MIN: usize = 72;

/// A task, or a number of tasks.
pub(super) struct Row {
    /// Branches or a level.
    pub(super) lead: String,
    pub(super) state: State,
    pub(super) name: String,
    /// What it does.
    pub(super) kind: String,
    pub(super) time: String,
    pub(super) tail: String,
}

impl Row {
    /// The rows in columns, none wider than the canvas.
    pub(super) fn lines(rows: &[Self], canvas: &Canvas) -> Vec<String> {
        let widest = |of: fn(&Self) -> &str, limit: usize| {
            rows.iter().map(|row| measure_text_width(of(row))).max().unwrap_or(0).min(limit)
        };
        let lead = widest(|row| &row.lead, canvas.width / 3);
        let word = widest(|row| row.state.word(), canvas.width);
        let name = widest(|row| &row.name, NAME_WIDTH_MAX.min(canvas.width / 3));
        let kind = match canvas.width {
            0..WIDTH_WITH_KIND_MIN => 0,
            _ => widest(|row| &row.kind, KIND_WIDTH_MAX),
        };
        let widths = Widths { lead, word, name, kind };
        rows.iter().map(|row| row.line(canvas, &widths)).collect()
    }

    fn line(&self, canvas: &Canvas, widths: &Widths) -> String {
        let Widths { lead, word, name, kind } = *widths;
        let own_lead = text::cut(&self.lead, lead);
        let indented = lead - measure_text_width(&own_lead);
        let mark = text::column(self.state.word(), word + indented);
        let plain_lead = canvas.paint.dim(&own_lead);
        let mark = self.state.paint(canvas.paint, &format!("{} {mark}", self.state.symbol()));
        let mut rest = text::column(&self.name, name);
        for (part, width) in [(&self.kind, kind), (&self.time, TIME_WIDTH)] {
            if width > 0 {
                rest = format!("{rest}  {}", text::column(part, width));
            }
        }
        let rest = format!("{rest}  {}", self.tail);
        let room = canvas.width.saturating_sub(lead + word + 4);
        format!("{plain_lead}{mark}  {}", text::cut(rest.trim_end(), room)).trim_end().to_owned()
    }
}

/// Of the columns that all rows of a block share.
struct Widths {
    lead: usize,
    word: usize,
    name: usize,
    kind: usize,
}

/// How a task is called: by its step if it has one.
pub(super) fn task_name(task: &TreeTask) -> String {
    match &task.step {
        Some(step) => text::one_line(step).into_owned(),
        None => text::short_id(task.id),
    }
}

/// How long its last attempt took, or takes since it was claimed.
pub(super) fn task_time(task: &TreeTask, now: Timestamp) -> String {
    let end = match (task.finished_at, State::of(task)) {
        (Some(end), _) => end,
        (None, State::Running) => now,
        _ => return String::new(),
    };
    task.started_at.map(|start| text::duration(end.since(start))).unwrap_or_default()
}
