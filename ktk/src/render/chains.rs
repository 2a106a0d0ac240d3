//! What was restarted, and as what: one chain below the other.

use std::collections::HashMap;

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_domain::Id;

use super::{
    Canvas, State,
    row::{Row, task_name, task_time},
    summary, text,
    tree::cut,
};

/// How deep a chain is indented at most: what comes after that stays there.
const INDENT_MAX: usize = 8;

/// Every chain of restarts of the context, from the task that it began with to the one that has its
/// place now; never more lines than the canvas has, and none wider.
pub(crate) fn chain_lines(tree: &Tree, canvas: &Canvas) -> Vec<String> {
    let chains = chains(&tree.tasks);
    let chained: usize = chains.iter().map(Vec::len).sum();
    let mut lines = vec![summary::title(tree, canvas), String::new()];
    let rows: Vec<Row> = chains.iter().flat_map(|chain| rows(chain, canvas)).collect();
    let room = canvas.height.saturating_sub(lines.len() + 1);
    let shown = rows.len().min(room);
    lines.extend(Row::lines(&rows[..shown], canvas));
    lines.push(match (chains.len(), tree.tasks.len() - chained, rows.len() - shown) {
        (0, _, _) => "nothing was restarted".to_owned(),
        (_, others, 0) => format!("  … {others} tasks were never restarted"),
        (_, others, hidden) => {
            format!("  … {hidden} more restarts; {others} tasks were never restarted")
        }
    });
    lines.truncate(canvas.height);
    lines.into_iter().map(|line| cut(line, canvas.width)).collect()
}

/// The chains of more than one task, in the order of their first ones.
fn chains(tasks: &[TreeTask]) -> Vec<Vec<&TreeTask>> {
    let by_id: HashMap<Id, &TreeTask> = tasks.iter().map(|task| (task.id, task)).collect();
    let is_first =
        |task: &&TreeTask| task.restart_parent.is_none_or(|before| !by_id.contains_key(&before));
    let next = |task: &&TreeTask| task.restarted_as.and_then(|id| by_id.get(&id).copied());
    let chains = tasks.iter().filter(is_first).map(|first| {
        // A restart comes after what it restarts, so that this ends; the limit is for a chain that
        // says otherwise.
        std::iter::successors(Some(first), next).take(tasks.len()).collect::<Vec<_>>()
    });
    chains.filter(|chain| chain.len() > 1).collect()
}

fn rows(chain: &[&TreeTask], canvas: &Canvas) -> Vec<Row> {
    let row = |(depth, task): (usize, &&TreeTask)| {
        let lead = match depth {
            0 => String::new(),
            _ => format!("{}└─ ", "   ".repeat(depth.min(INDENT_MAX) - 1)),
        };
        let mut tail = vec![text::short_id(task.id)];
        if task.attempt > 1 {
            tail.push(format!("attempt {}", task.attempt));
        }
        tail.extend(task.error.as_deref().map(|error| text::one_line(error).into_owned()));
        Row {
            lead,
            state: State::of(task),
            name: task_name(task),
            kind: task.specification.as_str().to_owned(),
            time: task_time(task, canvas.now),
            tail: tail.join("  "),
        }
    };
    chain.iter().enumerate().map(row).collect()
}
