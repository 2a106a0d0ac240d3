//! Events → rows, across aggregates. Pure: rows in, rows out.

mod task;

use kantoku_domain::{Event, Id, Recorded};

use crate::{
    document::{
        ContextDocument, PauseDocument, PipelineDocument, PolicyDocument, ResourceDocument,
        SpecificationDocument, TypeDocument,
    },
    part::Part,
    rows::Rows,
};

use task::{Place, change_task, finish_task, name_task, restart_task, revive_task, unfold_task};

/// Takes one event, or a part of it, into all rows that it changes. Tasks that it names exist from
/// here on, so a context never looks finished before its children, or what takes the place of a task,
/// exist.
pub(crate) fn fold(rows: &mut Rows, part: Part<'_>) {
    let recorded = part.recorded;
    let id = recorded.id;
    match &recorded.event {
        Event::ContextOpened(_) => {
            context(rows, id, recorded).apply(recorded);
            for planned in part.named {
                name_task(rows, planned, Place::first(recorded), recorded);
            }
        }
        Event::ContextCancelled(_) => cancel_context(rows, id, recorded),
        Event::ContextPaused(_)
        | Event::ContextResumed(_)
        | Event::ContextRestarted(_)
        | Event::ContextRestartSettled(_) => context(rows, id, recorded).apply(recorded),
        Event::TaskSpawned(spawned) => unfold_task(rows, id, spawned, recorded),
        Event::TaskReady(ready) => {
            change_task(rows, ready.task_id, recorded, |task| task.apply(recorded));
        }
        Event::TaskFinished(finished) => finish_task(rows, id, finished, part),
        Event::TaskRestarted(restarted) => restart_task(rows, id, restarted, recorded),
        Event::TaskRevived(revived) => revive_task(rows, id, *revived, recorded),
        Event::TaskReceived(_)
        | Event::TaskAttemptFailed(_)
        | Event::TaskCancelled(_)
        | Event::TaskChildrenCancelled(_)
        | Event::TaskSkipped(_)
        | Event::TaskApproved(_)
        | Event::TaskLabelled(_)
        | Event::TaskPaused(_)
        | Event::TaskResumed(_) => change_task(rows, id, recorded, |task| task.apply(recorded)),
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
            let document = SpecificationDocument::new(applied, recorded);
            rows.specifications.set((id, applied.version), document);
        }
        Event::TypeApplied(applied) => {
            rows.types.set((id, applied.version), TypeDocument::new(applied, recorded));
        }
        Event::PipelineApplied(applied) => {
            rows.pipelines.set((id, applied.version), PipelineDocument::new(applied, recorded));
        }
        Event::PolicyApplied(applied) => {
            rows.policies.set((id, applied.version), PolicyDocument::new(applied, recorded));
        }
        Event::PolicyDeleted(deleted) => {
            if let Some(latest) = rows.latest_policy(id) {
                latest.delete(deleted, recorded);
            }
        }
        Event::SpecificationPaused(paused) | Event::NamespacePaused(paused) => {
            rows.pauses.set(id, PauseDocument::new(Some(paused.clone()), recorded));
        }
        Event::SpecificationResumed(_) | Event::NamespaceResumed(_) => {
            rows.pauses.set(id, PauseDocument::new(None, recorded));
        }
    }
}

fn context<'a>(rows: &'a mut Rows, id: Id, recorded: &Recorded) -> &'a mut ContextDocument {
    rows.contexts.edit_or(id, || ContextDocument::new(id, recorded))
}

/// The tasks that are planned only end with it; each of the others has an event of its own.
fn cancel_context(rows: &mut Rows, id: Id, recorded: &Recorded) {
    let context = context(rows, id, recorded);
    context.apply(recorded);
    let Some(stop) = context.last_cancelled.clone() else { return };
    let planned: Vec<Id> = rows
        .tasks
        .iter()
        .filter(|(_, task)| task.context_id == id && !task.unfolded && !task.status.is_terminal())
        .map(|(id, _)| *id)
        .collect();
    for task in planned {
        change_task(rows, task, recorded, |task| task.drop_from_plan(&stop, recorded));
    }
}
