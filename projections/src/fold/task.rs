//! What an event of a task changes: the task, what its context counts, who holds its outputs.

use kantoku_domain::{
    Id, Recorded,
    restart::OutputPolicy,
    task::{Finished, Planned, Restarted, Revived, Spawned},
};

use super::context;
use crate::{
    document::{ResourceDocument, TaskDocument},
    part::Part,
    rows::Rows,
};

/// What a task has from those that it descends from.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where the order lies that all of them descend from.
    origin: u64,
    /// Whether nothing took the place of any.
    is_current: bool,
}

impl Place {
    /// Of a task that descends from none.
    pub(super) const fn first(recorded: &Recorded) -> Self {
        Self { origin: recorded.stream_seq, is_current: true }
    }

    const fn of(task: &TaskDocument) -> Self {
        Self { origin: task.origin, is_current: task.current }
    }
}

/// Makes a task that will be unfolded, unless it was named before. What is not there yet when the
/// order comes to stop all of its context will not run.
pub(super) fn name_task(rows: &mut Rows, planned: &Planned, place: Place, recorded: &Recorded) {
    let Planned { id, task: spawned } = planned;
    if rows.tasks.contains(*id) {
        return;
    }
    add_task(rows, *id, spawned, place, recorded);
    let context = rows.contexts.get(spawned.context_id);
    let stop = context.and_then(|context| context.last_cancelled.clone());
    if let Some(stop) = stop.filter(|stop| place.origin < stop.stream_seq) {
        change_task(rows, *id, recorded, |task| task.drop_from_plan(&stop, recorded));
    }
}

/// Takes in that a task exists, named before or not.
pub(super) fn unfold_task(rows: &mut Rows, id: Id, spawned: &Spawned, recorded: &Recorded) {
    if !rows.tasks.contains(id) {
        add_task(rows, id, spawned, Place::first(recorded), recorded);
    }
    change_task(rows, id, recorded, |task| task.apply(recorded));
}

/// Makes the task, and its outputs, unless they were passed to it.
fn add_task(rows: &mut Rows, id: Id, spawned: &Spawned, place: Place, recorded: &Recorded) {
    let mut task = TaskDocument::new(id, spawned, recorded);
    (task.origin, task.current) = (place.origin, place.is_current);
    let state = task.state();
    rows.add_task(task);
    for (name, output) in &spawned.outputs {
        rows.resources.edit_or(output.id, || {
            let mut resource = ResourceDocument::new(output.id, output.type_.clone(), recorded);
            resource.custodian = Some(id);
            resource.output = Some(name.clone());
            resource.context_id = Some(spawned.context_id);
            resource
        });
    }
    context(rows, spawned.context_id, recorded).count(None, state, recorded);
}

/// Changes a task, and with it what its context counts and, once it has ended, the outputs that it
/// still holds. A task that was never named has no row: its history was purged.
pub(super) fn change_task(
    rows: &mut Rows,
    id: Id,
    recorded: &Recorded,
    change: impl FnOnce(&mut TaskDocument),
) {
    let Some(task) = rows.tasks.edit(id) else { return };
    let before = task.state();
    change(task);
    let after = task.state();
    let context_id = task.context_id;
    if task.status.is_terminal() {
        for output in task.outputs.values() {
            if let Some(resource) = rows.resources.edit(output.id) {
                resource.abandon(id, recorded);
            }
        }
    }
    if before != after {
        context(rows, context_id, recorded).count(before, after, recorded);
    }
}

/// Resolves and delegates before the task lets go of its outputs, and names the children before
/// its context counts it as ended.
pub(super) fn finish_task(rows: &mut Rows, id: Id, finished: &Finished, part: Part<'_>) {
    let recorded = part.recorded;
    let Some(task) = rows.tasks.edit(id) else { return };
    let place = Place::of(task);
    for (name, output) in &task.outputs {
        let Some(resource) = rows.resources.edit(output.id) else { continue };
        if let Some(datum) = finished.outputs.get(name) {
            resource.resolve(datum, recorded);
        } else if let Some(delegation) = finished.delegated.get(name) {
            resource.pass_to(delegation.child, recorded);
        }
    }
    for child in part.named {
        name_task(rows, child, place, recorded);
    }
    change_task(rows, id, recorded, |task| task.apply(recorded));
}

/// Passes on the outputs and names the successor before the task lets go of its outputs and its
/// place. What it had spawned has no place any more either.
pub(super) fn restart_task(rows: &mut Rows, id: Id, restarted: &Restarted, recorded: &Recorded) {
    let Some(task) = rows.tasks.edit(id) else { return };
    let is_current = task.current;
    let successor = &restarted.successor;
    let outputs = successor.task.outputs.iter();
    let moved: Vec<(Id, Id)> = outputs
        .filter_map(|(name, output)| Some((task.outputs.get(name)?.id, output.id)))
        .collect();
    if restarted.outputs == OutputPolicy::Reuse {
        for (_, output) in &moved {
            if let Some(resource) = rows.resources.edit(*output) {
                resource.pass_to(successor.id, recorded);
                resource.reclaim(successor.id, recorded);
            }
        }
    }
    let context = context(rows, successor.task.context_id, recorded);
    for (from, to) in moved {
        context.move_output(from, to);
    }
    let ordered = restarted.step_of.and_then(|restart| context.restarted_at(restart));
    let origin = ordered.unwrap_or(recorded.stream_seq);
    name_task(rows, successor, Place { origin, is_current }, recorded);
    change_task(rows, id, recorded, |task| task.apply(recorded));
    if !restarted.children.is_empty() {
        for descendant in rows.descendants(id) {
            change_task(rows, descendant, recorded, |task| task.supersede(recorded));
        }
    }
}

/// Takes in that a task waits again: it may resolve its outputs yet. It descends from the restart
/// that brought it back.
pub(super) fn revive_task(rows: &mut Rows, id: Id, revived: Revived, recorded: &Recorded) {
    let restarted = rows.tasks.get(revived.restarted_as);
    let origin = restarted.map_or(recorded.stream_seq, |task| task.origin);
    change_task(rows, id, recorded, |task| {
        task.origin = origin;
        task.apply(recorded);
    });
    let Some(task) = rows.tasks.get(id) else { return };
    for output in task.outputs.values() {
        if let Some(resource) = rows.resources.edit(output.id) {
            resource.reclaim(id, recorded);
        }
    }
}
