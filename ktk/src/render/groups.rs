//! Many tasks on few lines: by level and state, long runs of levels on one line.

use std::{collections::BTreeMap, time::Duration};

use kantoku_api::contract::TreeTask;

use super::{
    Canvas, State,
    graph::Graph,
    row::{Row, task_name, task_time},
    text,
};

/// Fewer tasks of one kind and state than this are shown one by one.
const GROUP_MIN: usize = 4;
/// How many specifications a group names.
const NAMES_MAX: usize = 2;

/// How much is put together. In this order, until it fits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Tasks of one level that have one state and specification.
    Kinds,
    /// Tasks of one level that have one state.
    States,
    /// As before, and neighbouring levels that have one state throughout.
    Runs,
    /// All tasks that have one state and specification, on whatever level.
    Whole,
}

/// Tasks on a range of levels.
struct Band {
    first: usize,
    last: usize,
    tasks: Vec<usize>,
}

const CAPTION: &str = "level";

/// At most `lines_max` lines, the caption included.
pub(super) fn lines(
    tasks: &[TreeTask],
    graph: &Graph,
    canvas: &Canvas,
    lines_max: usize,
) -> Vec<String> {
    let levels = graph.levels();
    let mut rows = Vec::new();
    for detail in [Detail::Kinds, Detail::States, Detail::Runs, Detail::Whole] {
        rows = bands(tasks, &levels, detail)
            .iter()
            .flat_map(|band| band_rows(tasks, band, detail, canvas))
            .collect();
        if rows.len() < lines_max {
            break;
        }
    }
    let fits = rows.len() < lines_max;
    let shown = if fits { rows.len() } else { lines_max.saturating_sub(2).min(rows.len()) };
    let hidden = rows.len() - shown;
    let mut lines = vec![canvas.paint.dim(CAPTION)];
    lines.extend(Row::lines(&rows[..shown], canvas));
    if hidden > 0 {
        lines.push(format!("  … and {hidden} lines more"));
    }
    lines
}

fn bands(tasks: &[TreeTask], levels: &[Vec<usize>], detail: Detail) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for (level, members) in levels.iter().enumerate() {
        let joins = bands.last().is_some_and(|band| match detail {
            Detail::Kinds | Detail::States => false,
            Detail::Runs => {
                let state = sole_state(tasks, members);
                state.is_some() && state == sole_state(tasks, &band.tasks)
            }
            Detail::Whole => true,
        });
        match bands.last_mut().filter(|_| joins) {
            Some(band) => {
                band.last = level;
                band.tasks.extend(members);
            }
            None => bands.push(Band { first: level, last: level, tasks: members.clone() }),
        }
    }
    bands
}

fn sole_state(tasks: &[TreeTask], members: &[usize]) -> Option<State> {
    let mut states = members.iter().map(|at| State::of(&tasks[*at]));
    let first = states.next()?;
    states.all(|state| state == first).then_some(first)
}

/// The rows of a band, what went wrong first. Its first row says which levels.
fn band_rows(tasks: &[TreeTask], band: &Band, detail: Detail, canvas: &Canvas) -> Vec<Row> {
    let mut groups: BTreeMap<(State, &str), Vec<usize>> = BTreeMap::new();
    for at in &band.tasks {
        let task = &tasks[*at];
        let kind = match detail {
            Detail::Kinds | Detail::Whole => task.specification.as_str(),
            Detail::States | Detail::Runs => "",
        };
        groups.entry((State::of(task), kind)).or_default().push(*at);
    }
    let mut rows = Vec::new();
    for ((state, _), members) in groups {
        let apart = if detail == Detail::Kinds { GROUP_MIN } else { 2 };
        if members.len() < apart {
            rows.extend(members.iter().map(|at| single(&tasks[*at], canvas)));
        } else {
            rows.push(group(tasks, state, &members));
        }
    }
    let levels = match (band.first + 1, band.last + 1) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}–{last}"),
    };
    for (index, row) in rows.iter_mut().enumerate() {
        let levels = if index == 0 { levels.as_str() } else { "" };
        row.lead = format!("{levels:>width$}  ", width = CAPTION.len());
    }
    rows
}

fn single(task: &TreeTask, canvas: &Canvas) -> Row {
    Row {
        lead: String::new(),
        state: State::of(task),
        name: task_name(task),
        kind: task.specification.as_str().to_owned(),
        time: task_time(task, canvas.now),
        tail: String::new(),
    }
}

fn group(tasks: &[TreeTask], state: State, members: &[usize]) -> Row {
    let mut names: Vec<_> = members.iter().map(|at| tasks[*at].specification.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let kind = if names.len() <= NAMES_MAX {
        names.join(", ")
    } else {
        format!("{} specifications", names.len())
    };
    let times = members.iter().filter_map(|at| {
        let task = &tasks[*at];
        Some(task.finished_at?.since(task.started_at?))
    });
    Row {
        lead: String::new(),
        state,
        name: format!("{} tasks", members.len()),
        kind,
        time: String::new(),
        tail: range(times),
    }
}

fn range(times: impl Iterator<Item = Duration> + Clone) -> String {
    match (times.clone().min(), times.max()) {
        (Some(least), Some(most)) if least == most => format!("each {}", text::duration(least)),
        (Some(least), Some(most)) => {
            format!("each {} to {}", text::duration(least), text::duration(most))
        }
        _ => String::new(),
    }
}
