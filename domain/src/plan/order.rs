//! Which steps come before which, and whether they run in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    waits,
    written::{Written, read_input},
};
use crate::pipeline::{self, Step};

/// The steps that `step` waits for. Names that do not exist are left out.
pub(super) fn predecessors<'a>(
    pipeline: &'a pipeline::Definition,
    step: &'a Step,
) -> BTreeSet<&'a str> {
    let edge = |value| match read_input(value) {
        Ok(Written::Edge { from, .. }) if !from.is_param() => Some(from.owner),
        _ => None,
    };
    step.with
        .values()
        .filter_map(edge)
        .chain(step.after.iter().cloned())
        .chain(waits::named_steps(pipeline, step))
        .filter_map(|name| pipeline.tasks.get_key_value(&name))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// A cycle, its first step repeated at the end. Depth-first search with an explicit stack.
pub(super) fn find_cycle(pipeline: &pipeline::Definition) -> Option<Vec<String>> {
    let mut waits: BTreeMap<&str, Vec<&str>> = pipeline
        .tasks
        .iter()
        .map(|(name, step)| (name.as_str(), predecessors(pipeline, step).into_iter().collect()))
        .collect();
    let mut done = BTreeSet::new();
    for start in pipeline.tasks.keys() {
        let mut trail = vec![start.as_str()];
        let mut on_trail = BTreeSet::from([start.as_str()]);
        while let Some(&step) = trail.last() {
            match waits.get_mut(step).and_then(Vec::pop) {
                Some(next) if done.contains(next) => {}
                Some(next) => {
                    if !on_trail.insert(next) {
                        let from = trail.iter().position(|name| *name == next).unwrap_or_default();
                        let mut cycle: Vec<_> =
                            trail[from..].iter().rev().map(ToString::to_string).collect();
                        cycle.push(cycle[0].clone());
                        return Some(cycle);
                    }
                    trail.push(next);
                }
                None => {
                    done.insert(step);
                    on_trail.remove(step);
                    trail.pop();
                }
            }
        }
    }
    None
}
