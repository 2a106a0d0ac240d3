//! `task.cancel`, `context.cancel`

use std::sync::Arc;

use kantoku_domain::{Context, Event, Id, Kind, Namespace, Task, context, task};
use kantoku_projections::document::{ContextDocument, TaskDocument};

use super::{Api, Caller, Module, alive::Reach, command::Ordered, shared::blocking};
use crate::{
    ApiError,
    contract::{CancelParams, Cancelled, ContextCancel, Method as _, TaskCancel},
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
    let namespace = params.namespace.clone().unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    let given = order_task(&api, &caller, &namespace, id, params).await?;
    Ok(api.cancelled(&namespace, given.context_id, &given.reach, given.stream_seq).await)
}

/// An order to stop that was given.
pub(super) struct Given {
    context_id: Id,
    reach: Reach,
    stream_seq: u64,
    /// Whether it is this call's, and nothing was so before.
    pub(super) is_new: bool,
}

/// Orders the task `id` to stop.
pub(super) async fn order_task(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    id: Id,
    params: CancelParams,
) -> Result<Given, ApiError> {
    let context_id = api.context_of(namespace, id).await?;
    let key = params.idempotency_key.as_deref();
    let ordered = Ordered::of(namespace, TaskCancel::NAME, id, key);
    let reason = &params.reason;
    let is_it = |event: &Event| match event {
        Event::TaskCancelled(it) => it.reason == *reason,
        Event::TaskChildrenCancelled(it) => it.reason == *reason,
        _ => false,
    };
    if let Some(first) = api.ordered_before(Kind::Task, &ordered, is_it).await? {
        let dependents = match first.event {
            Event::TaskCancelled(it) => it.dependents,
            Event::TaskChildrenCancelled(it) => it.dependents,
            _ => vec![],
        };
        let (reach, stream_seq) = (Reach::Task { id, dependents }, first.stream_seq);
        return Ok(Given { context_id, reach, stream_seq, is_new: true });
    }
    let dependents =
        if params.cascade { dependents(api, namespace, context_id, id).await? } else { vec![] };
    let reach = Reach::Task { id, dependents: dependents.clone() };
    let order = task::Cancel { reason: params.reason, dependents, ..task::Cancel::default() };
    let envelope = api.envelope(caller, ordered.command_id, id, context_id);
    let command = task::Command::Cancel(order);
    let outcome = api.execute::<Task>(namespace, &command, &envelope).await?;
    let is_new = outcome.event.is_some();
    Ok(Given { context_id, reach, stream_seq: outcome.stream_seq, is_new })
}

/// The tasks that wait for `id`, near or far.
async fn dependents(
    api: &Api,
    namespace: &Namespace,
    context_id: Id,
    id: Id,
) -> Result<Vec<Id>, ApiError> {
    let tasks = api.tasks_of(namespace, context_id, None).await?;
    blocking(move || tasks.graph.live_dependents(id)).await
}

async fn cancel_context(
    api: Arc<Api>,
    caller: Caller,
    params: CancelParams,
) -> Result<Cancelled, ApiError> {
    let namespace = params.namespace.clone().unwrap_or_default();
    let id = api.resolve::<ContextDocument>(&namespace, &params.id).await?;
    let given = order_context(&api, &caller, &namespace, id, params).await?;
    Ok(api.cancelled(&namespace, id, &given.reach, given.stream_seq).await)
}

/// Orders all of the context `id` to stop.
pub(super) async fn order_context(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    id: Id,
    params: CancelParams,
) -> Result<Given, ApiError> {
    let key = params.idempotency_key.as_deref();
    let ordered = Ordered::of(namespace, ContextCancel::NAME, id, key);
    let is_it =
        |event: &Event| matches!(event, Event::ContextCancelled(it) if it.reason == params.reason);
    let given =
        |stream_seq, is_new| Given { context_id: id, reach: Reach::Context, stream_seq, is_new };
    if let Some(first) = api.ordered_before(Kind::Context, &ordered, is_it).await? {
        return Ok(given(first.stream_seq, true));
    }
    api.live_context(namespace, id).await?;
    let envelope = api.envelope(caller, ordered.command_id, id, id);
    let command = context::Command::Cancel { reason: params.reason };
    let outcome = api.execute::<Context>(namespace, &command, &envelope).await?;
    Ok(given(outcome.stream_seq, outcome.event.is_some()))
}
