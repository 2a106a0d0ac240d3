//! Events → rows, across aggregates. Pure: rows in, rows out.

use kantoku_domain::{
    Event, Id, Recorded,
    task::{Finished, Spawned},
};

use crate::{
    document::{
        ContextDocument, PipelineDocument, ResourceDocument, SpecificationDocument, TaskDocument,
        TypeDocument,
    },
    rows::Rows,
};

/// Takes one event into all rows that it changes. Tasks that it names exist from here on, so a
/// context never looks finished before its children exist.
pub(crate) fn fold(rows: &mut Rows, recorded: &Recorded) {
    let id = recorded.id;
    match &recorded.event {
        Event::ContextOpened(opened) => {
            context(rows, id, recorded).apply(recorded);
            for planned in &opened.plan {
                name_task(rows, planned.id, &planned.task, recorded);
            }
        }
        Event::ContextCancelled(cancelled) => {
            context(rows, id, recorded).apply(recorded);
            let planned: Vec<Id> = rows
                .tasks
                .iter()
                .filter(|(_, task)| {
                    task.context_id == id && !task.unfolded && !task.status.is_terminal()
                })
                .map(|(id, _)| *id)
                .collect();
            for task in planned {
                change_task(rows, task, recorded, |task| {
                    task.drop_from_plan(&cancelled.reason, recorded);
                });
            }
        }
        Event::TaskSpawned(spawned) => {
            name_task(rows, id, spawned, recorded);
            change_task(rows, id, recorded, |task| task.apply(recorded));
        }
        Event::TaskReady(ready) => {
            change_task(rows, ready.task_id, recorded, |task| task.apply(recorded));
        }
        Event::TaskFinished(finished) => finish_task(rows, id, finished, recorded),
        Event::TaskReceived(_)
        | Event::TaskAttemptFailed(_)
        | Event::TaskCancelled(_)
        | Event::TaskChildrenCancelled(_)
        | Event::TaskSkipped(_)
        | Event::TaskRevived(_)
        | Event::TaskRestarted(_)
        | Event::TaskApproved(_)
        | Event::TaskPaused(_)
        | Event::TaskResumed(_) => change_task(rows, id, recorded, |task| task.apply(recorded)),
        Event::ContextPaused(_)
        | Event::ContextResumed(_)
        | Event::ContextRestarted(_)
        | Event::ContextRestartSettled(_) => context(rows, id, recorded).apply(recorded),
        Event::ResourceAllocated(allocated) => {
            rows.resources
                .edit_or(id, || ResourceDocument::new(id, allocated.type_.clone(), recorded));
        }
        Event::ResourceInitialized(_) | Event::ResourceReleased(_) => {
            if let Some(resource) = rows.resources.edit(id) {
                resource.apply(recorded);
            }
        }
        Event::SpecificationApplied(applied) => {
            rows.specifications.push(SpecificationDocument::new(applied, recorded));
        }
        Event::TypeApplied(applied) => rows.types.push(TypeDocument::new(applied, recorded)),
        Event::PipelineApplied(applied) => {
            rows.pipelines.push(PipelineDocument::new(applied, recorded));
        }
        Event::SpecificationPaused(_)
        | Event::SpecificationResumed(_)
        | Event::NamespacePaused(_)
        | Event::NamespaceResumed(_)
        | Event::PolicyApplied(_)
        | Event::PolicyDeleted(_) => {}
    }
}

fn context<'a>(rows: &'a mut Rows, id: Id, recorded: &Recorded) -> &'a mut ContextDocument {
    rows.contexts.edit_or(id, || ContextDocument::new(id, recorded))
}

/// Makes the task, unless it was named before, and its outputs, unless they were delegated to it.
fn name_task(rows: &mut Rows, id: Id, spawned: &Spawned, recorded: &Recorded) {
    if rows.tasks.contains(id) {
        return;
    }
    let task = rows.tasks.edit_or(id, || TaskDocument::new(id, spawned, recorded));
    let state = task.state();
    for (name, output) in &spawned.outputs {
        rows.resources.edit_or(output.id, || {
            let mut resource = ResourceDocument::new(output.id, output.type_.clone(), recorded);
            resource.custodian = Some(id);
            resource.output = Some(name.clone());
            resource.context_id = Some(spawned.context_id);
            resource
        });
    }
    let context = context(rows, spawned.context_id, recorded);
    context.count(None, state, recorded);
    // An order to stop holds for children named later, which will not be unfolded.
    let ordered = context.cancelled.clone();
    if let Some(reason) = ordered
        && !matches!(recorded.event, Event::TaskSpawned(_))
    {
        change_task(rows, id, recorded, |task| task.drop_from_plan(&reason, recorded));
    }
}

/// Changes a task, and with it what its context counts and the outputs that it still holds. A
/// task that was never named has no row: its history was purged.
fn change_task(
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
        context(rows, context_id, recorded).count(Some(before), after, recorded);
    }
}

/// Resolves and delegates before the task lets go of its outputs, and names the children before
/// its context counts it as ended.
fn finish_task(rows: &mut Rows, id: Id, finished: &Finished, recorded: &Recorded) {
    let Some(task) = rows.tasks.edit(id) else { return };
    for (name, output) in &task.outputs {
        let Some(resource) = rows.resources.edit(output.id) else { continue };
        if let Some(datum) = finished.outputs.get(name) {
            resource.resolve(datum, recorded);
        } else if let Some(delegation) = finished.delegated.get(name) {
            resource.delegate(delegation.child, recorded);
        }
    }
    for child in &finished.children {
        name_task(rows, child.id, &child.task, recorded);
    }
    change_task(rows, id, recorded, |task| task.apply(recorded));
}
