//! `task.cancel`, `context.cancel`

use std::sync::Arc;

use kantoku_domain::{Context, Id, Namespace, Task, context, task};
use kantoku_projections::document::TaskDocument;

use super::{
    Api, Caller, Module,
    alive::Reach,
    shared::{blocking, new_id},
};
use crate::{
    ApiError,
    contract::{CancelParams, Cancelled, ContextCancel, TaskCancel},
};

pub(super) fn register(module: &mut Module) {
    module.register_command::<TaskCancel>(cancel_task);
    module.register_command::<ContextCancel>(cancel_context);
}

/// What the task spawned is stopped by whoever unfolds the order.
async fn cancel_task(
    api: Arc<Api>,
    caller: Caller,
    params: CancelParams,
) -> Result<Cancelled, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    let context_id = api.context_of(&namespace, id).await?;
    let dependents =
        if params.cascade { dependents(&api, &namespace, context_id, id).await? } else { vec![] };
    let reach = Reach::Task { id, dependents: dependents.clone() };
    let order = task::Cancel { reason: params.reason, dependents, ..task::Cancel::default() };
    let envelope = api.envelope(&caller, new_id(), id, context_id);
    let command = task::Command::Cancel(order);
    let outcome = api.execute::<Task>(&namespace, &command, &envelope).await?;
    Ok(api.cancelled(&namespace, context_id, &reach, outcome.stream_seq).await)
}

/// The tasks that wait for `id`, near or far.
async fn dependents(
    api: &Api,
    namespace: &Namespace,
    context_id: Id,
    id: Id,
) -> Result<Vec<Id>, ApiError> {
    let tasks = api.tasks_of(namespace, context_id).await?;
    blocking(move || tasks.graph.live_dependents(id)).await
}

async fn cancel_context(
    api: Arc<Api>,
    caller: Caller,
    params: CancelParams,
) -> Result<Cancelled, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.live_context(&namespace, &params.id).await?.id;
    let envelope = api.envelope(&caller, new_id(), id, id);
    let command = context::Command::Cancel { reason: params.reason };
    let outcome = api.execute::<Context>(&namespace, &command, &envelope).await?;
    Ok(api.cancelled(&namespace, id, &Reach::Context, outcome.stream_seq).await)
}
