//! `task.why`
//!
//! The facts are fetched here, all of one moment, and explained ([`explain`]) without looking at
//! anything else.

mod explain;
mod roots;
#[cfg(test)]
pub(super) mod testing;

use std::{collections::BTreeMap, sync::Arc};

use kantoku_domain::{Event, Id, Kind, Namespace};
use kantoku_projections::{
    document::{TaskDocument, TaskStatus},
    reader::{Graph, GraphTask},
};
use kantoku_streams::{Fault, ServiceEntry};

use self::explain::{Explanation, Moment, Present};
use super::{Api, Module, shared::now};
use crate::{
    ApiError, Code,
    contract::{GetParams, TREE_TASKS_MAX, TaskWhy, Why, WhySource},
};

pub(super) fn register(module: &mut Module) {
    module.register::<TaskWhy>(why);
}

async fn why(api: Arc<Api>, params: GetParams) -> Result<Why, ApiError> {
    let (namespace, id) = api.named::<TaskDocument>(params).await?;
    let task = api.reader.record::<TaskDocument>(&namespace, id).await?.document;
    let graph = api.reader.graph(&namespace, task.context_id, TREE_TASKS_MAX).await?;
    let Some(asked) = graph.tasks.get(&id) else {
        let message = format!("its context has more than {TREE_TASKS_MAX} tasks");
        return Err(ApiError::new(Code::Limit, message));
    };
    let status = asked.status;
    let cancelled_by = cancelled_by(&api, &namespace, &graph, asked).await?;
    let as_of_seq = graph.as_of_seq;
    let moment = Moment { graph: &graph, present: present(&api).await, cancelled_by, now: now() };
    let Explanation { summary, facts } = moment.explain(asked);
    let source = WhySource::ReadModel;
    Ok(Why { task_id: id, status, summary, facts, source, as_of_seq })
}

/// Who is present; `None` when that cannot be told now.
async fn present(api: &Api) -> Option<Vec<Present>> {
    let entries = match api.bus.presence().list().await {
        Ok(entries) => entries,
        Err(fault) => {
            tracing::warn!(%fault, "who is present is not known");
            return None;
        }
    };
    let present = entries.into_iter().map(|entry| Present {
        queue: entry.labels.get(ServiceEntry::QUEUE).cloned(),
        handlers: entry.labels.get(ServiceEntry::HANDLERS).cloned().unwrap_or_default(),
        service_id: entry.service_id,
        kind: entry.kind,
        running: entry.load.running,
        slots: entry.load.slots,
    });
    Some(present.collect())
}

/// By whom the task, or the one that made it impossible, was cancelled.
async fn cancelled_by(
    api: &Api,
    namespace: &Namespace,
    graph: &Graph,
    asked: &GraphTask,
) -> Result<BTreeMap<Id, String>, ApiError> {
    let mut actors = BTreeMap::new();
    for id in [Some(asked.id), asked.root_cause].into_iter().flatten() {
        let is_cancelled =
            graph.tasks.get(&id).is_some_and(|task| task.status == TaskStatus::Cancelled);
        if is_cancelled && let Some(actor) = actor(api, namespace, id, graph.context.id).await? {
            actors.insert(id, actor);
        }
    }
    Ok(actors)
}

/// A task that was stopped with its context was stopped by who stopped that.
async fn actor(
    api: &Api,
    namespace: &Namespace,
    task: Id,
    context: Id,
) -> Result<Option<String>, Fault> {
    let ledger = api.bus.ledger();
    let of_task = ledger.history(namespace, Kind::Task, task, 0).await?;
    let own = of_task.iter().rfind(|recorded| {
        matches!(recorded.event, Event::TaskCancelled(_))
            && recorded.metadata.causation_id.is_none()
    });
    if let Some(own) = own {
        return Ok(Some(own.metadata.actor.clone()));
    }
    let of_context = ledger.history(namespace, Kind::Context, context, 0).await?;
    let order =
        of_context.iter().rfind(|recorded| matches!(recorded.event, Event::ContextCancelled(_)));
    Ok(order.map(|recorded| recorded.metadata.actor.clone()))
}
