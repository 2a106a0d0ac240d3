//! What runs and is ordered to stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kantoku_domain::{Event, Id, Kind, Namespace};
use kantoku_projections::{document::TaskStatus, reader::GraphTask};
use kantoku_streams::LogAddress;

use super::Api;
use crate::{
    ApiError,
    contract::{ALIVE_MAX, Alive, Cancelled, TREE_TASKS_MAX},
};

/// How long the answer to an order waits for the read model to say what it reaches.
const PATIENCE: Duration = Duration::from_secs(5);

/// Histories that are read at once.
const AT_ONCE: usize = 64;

/// What an order to stop is for.
pub(super) enum Reach {
    /// All of a context.
    Context,
    /// A task with all that it spawned, and with these the same.
    Task { id: Id, dependents: Vec<Id> },
}

impl Reach {
    fn among(&self, tasks: &BTreeMap<Id, GraphTask>) -> BTreeSet<Id> {
        match self {
            Self::Context => tasks.keys().copied().collect(),
            Self::Task { id, dependents } => {
                with_descendants(tasks, dependents.iter().copied().chain([*id]))
            }
        }
    }
}

/// `ancestors`, the tasks that they spawned, those that these spawned, and so on.
fn with_descendants(
    tasks: &BTreeMap<Id, GraphTask>,
    ancestors: impl Iterator<Item = Id>,
) -> BTreeSet<Id> {
    let mut children: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for task in tasks.values() {
        if let Some(parent) = task.parent_id {
            children.entry(parent).or_default().push(task.id);
        }
    }
    let mut open: Vec<Id> = ancestors.collect();
    let mut found: BTreeSet<Id> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        let more = children.remove(&id).into_iter().flatten();
        open.extend(more.filter(|child| found.insert(*child)));
    }
    found
}

impl Api {
    /// The answer to an order to stop, which lies at `stream_seq`. The order stands whether or not
    /// it can be said what it reaches.
    pub(super) async fn cancelled(
        &self,
        namespace: &Namespace,
        context_id: Id,
        reach: &Reach,
        stream_seq: u64,
    ) -> Cancelled {
        // Whoever orders a stop need not wait for a read model that is away.
        if !self.reader.is_there() {
            return Cancelled { stream_seq, alive: vec![], alive_total: None };
        }
        match self.alive(namespace, context_id, reach, stream_seq).await {
            Ok(mut alive) => {
                let alive_total = Some(alive.len() as u64);
                alive.truncate(ALIVE_MAX);
                Cancelled { stream_seq, alive, alive_total }
            }
            Err(error) => {
                tracing::warn!(%error, "what an order to stop reaches is not known");
                Cancelled { stream_seq, alive: vec![], alive_total: None }
            }
        }
    }

    async fn alive(
        &self,
        namespace: &Namespace,
        context_id: Id,
        reach: &Reach,
        stream_seq: u64,
    ) -> Result<Vec<Alive>, ApiError> {
        self.reader.wait_for(stream_seq, PATIENCE).await?;
        let graph = self.reader.graph(namespace, context_id, TREE_TASKS_MAX).await?;
        let reached = reach.among(&graph.tasks);
        let tasks = graph.tasks.into_values().filter(|task| reached.contains(&task.id));
        let alive: Vec<_> = tasks
            .map(async |task| {
                let is_alive = match task.status {
                    TaskStatus::Received => true,
                    // The order may be carried out by now.
                    TaskStatus::Cancelled if task.node.is_some() => {
                        self.ran_until(namespace, task.id, stream_seq).await?
                            && !self.is_over(namespace, &task).await?
                    }
                    _ => false,
                };
                Ok::<_, ApiError>(is_alive.then(|| alive(task)))
            })
            .collect();
        stream::iter(alive)
            .buffered(AT_ONCE)
            .try_filter_map(async |alive| Ok(alive))
            .try_collect()
            .await
    }

    /// Whether the executor has said that nothing of the last attempt runs any more.
    async fn is_over(&self, namespace: &Namespace, task: &GraphTask) -> Result<bool, ApiError> {
        let address = LogAddress {
            namespace: namespace.clone(),
            context_id: task.context_id,
            task_id: task.id,
            attempt: task.attempt,
        };
        Ok(self.bus.logs().last(&address).await?.iter().any(|entry| entry.line.is_end()))
    }

    /// Whether an attempt ran until the task was stopped, at `stream_seq` or later.
    async fn ran_until(
        &self,
        namespace: &Namespace,
        id: Id,
        stream_seq: u64,
    ) -> Result<bool, ApiError> {
        let history = self.bus.ledger().history(namespace, Kind::Task, id, 0).await?;
        let is_order = |event: &Event| matches!(event, Event::TaskCancelled(_));
        let order = history.iter().rposition(|it| is_order(&it.event));
        Ok(order.is_some_and(|order| {
            let before = order.checked_sub(1).and_then(|before| history.get(before));
            history[order].stream_seq >= stream_seq
                && before.is_some_and(|it| matches!(it.event, Event::TaskReceived(_)))
        }))
    }
}

fn alive(task: GraphTask) -> Alive {
    Alive {
        task_id: task.id,
        step: task.step,
        attempt: task.attempt,
        node: task.node,
        started_at: task.started_at,
    }
}
