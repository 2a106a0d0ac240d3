//! `task.why`
//!
//! What is stored is read, all of one moment ([`moment`]), and the chains of waiting are followed
//! to their far ends ([`roots`]), by the rules of the scheduler. Of the tasks there, and of the one
//! that is asked about, the scheduler itself says where they stand. All of it is explained
//! ([`explain`]) without looking at anything else.

mod explain;
mod held_up;
mod moment;
mod roots;
#[cfg(test)]
mod standing_tests;
#[cfg(test)]
pub(super) mod testing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use kantoku_domain::{Id, Kind, Name, Namespace, NamespaceState, Specification, Standing};
use kantoku_projections::{
    document::{TaskDocument, TaskStatus},
    reader::Graph,
};
use kantoku_streams::{ServiceEntry, now};

pub(super) use self::moment::needs_of;
use self::{
    explain::Explanation,
    moment::{Moment, Pauses, Present},
    roots::{FACTS_MAX, Roots},
};
use super::{Api, Module, shared::blocking};
use crate::{
    ApiError, Code,
    contract::{GetParams, TREE_TASKS_MAX, TaskWhy, Why, WhySource},
};

/// How long an answer of the scheduler is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Questions that are under way at once.
const AT_ONCE: usize = 16;

pub(super) fn register(module: &mut Module) {
    module.register::<TaskWhy>(why);
}

async fn why(api: Arc<Api>, params: GetParams) -> Result<Why, ApiError> {
    let (namespace, id) = api.named::<TaskDocument>(params).await?;
    let task = api.reader.record::<TaskDocument>(&namespace, id).await?.document;
    let graph = api.reader.graph(&namespace, task.context_id, TREE_TASKS_MAX).await?;
    let Some(status) = graph.tasks.get(&id).map(|asked| asked.status) else {
        let message = format!("its context has more than {TREE_TASKS_MAX} tasks");
        return Err(ApiError::new(Code::Limit, message));
    };
    let moment = Moment {
        graph,
        standings: BTreeMap::new(),
        pauses: Pauses::default(),
        present: present(&api).await,
        now: now(),
    };
    let waits = status == TaskStatus::Initialized;
    let (moment, source) = if waits {
        ask(&api, &namespace, id, moment).await?
    } else {
        (moment, WhySource::ReadModel)
    };
    let as_of_seq = moment.graph.as_of_seq;
    let explained = blocking(move || moment.explain(&moment.graph.tasks[&id])).await?;
    let Explanation { mut summary, facts } = explained;
    if waits && source == WhySource::ReadModel {
        summary = format!("no scheduler has answered, so this is what is stored: {summary}");
    }
    Ok(Why { task_id: id, status, summary, facts, source, as_of_seq })
}

/// Adds what the scheduler says of the task that waits, and of those that it waits for in the end;
/// or, if it says nothing, what is paused.
async fn ask(
    api: &Api,
    namespace: &Namespace,
    id: Id,
    moment: Moment,
) -> Result<(Moment, WhySource), ApiError> {
    let (mut moment, ends) = blocking(move || {
        let ends = Roots::of(&moment, id).ends;
        (moment, ends)
    })
    .await?;
    let Some(of_asked) = standing(api, namespace, id).await else {
        moment.pauses = pauses(api, namespace, &moment.graph, &ends).await?;
        return Ok((moment, WhySource::ReadModel));
    };
    moment.standings.insert(id, of_asked);
    let others = ends.into_iter().filter(|end| *end != id).take(FACTS_MAX);
    let questions: Vec<_> =
        others.map(async |id| Some((id, standing(api, namespace, id).await?))).collect();
    let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        moment.standings.extend(answer);
    }
    Ok((moment, WhySource::Scheduler))
}

/// What the scheduler says; nothing if it does not answer.
async fn standing(api: &Api, namespace: &Namespace, id: Id) -> Option<Standing> {
    api.bus.ask(namespace, id, PATIENCE).await.unwrap_or_else(|fault| {
        tracing::warn!(%fault, "the scheduler could not be asked");
        None
    })
}

/// What is paused besides contexts and tasks.
async fn pauses(
    api: &Api,
    namespace: &Namespace,
    graph: &Graph,
    ends: &[Id],
) -> Result<Pauses, ApiError> {
    let id = Id::named(namespace, Kind::Namespace, namespace.as_str());
    let of_namespace = api.bus.ledger().load::<NamespaceState>(namespace, id).await?;
    let ends = ends.iter().filter_map(|id| graph.tasks.get(id)).take(FACTS_MAX);
    let names = ends.map(|task| task.specification.clone());
    let names: BTreeSet<Name> = names.collect();
    let loaded = api.load_named::<Specification>(namespace, names).await?;
    let paused = loaded.into_iter().filter_map(|(name, it)| Some((name, it.state.paused?)));
    Ok(Pauses { namespace: of_namespace.state.paused, specifications: paused.collect() })
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
