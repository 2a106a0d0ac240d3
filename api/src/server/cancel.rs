//! `task.cancel`, `context.cancel`

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use kantoku_domain::{Context, Id, Namespace, Reason, Rejection, Task, context, task};
use kantoku_projections::{
    Error as ReadError,
    document::{ContextDocument, ContextStatus, TaskDocument},
    reader::GraphTask,
};

use super::{
    Api, Caller, Module,
    shared::{new_id, patience},
};
use crate::{
    ApiError, Code,
    contract::{Accepted, CancelParams, ContextCancel, TREE_TASKS_MAX, TaskCancel},
};

/// Descendants that are cancelled at once.
const AT_ONCE: usize = 64;

pub(super) fn register(module: &mut Module) {
    module.register_command::<TaskCancel>(cancel_task);
    module.register_command::<ContextCancel>(cancel_context);
}

async fn cancel_task(
    api: Arc<Api>,
    caller: Caller,
    params: CancelParams,
) -> Result<Accepted, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    let cancel =
        Cancel { api: &api, caller: &caller, namespace: &namespace, reason: &params.reason };
    if params.cascade {
        return cancel.with_descendants(id).await;
    }
    Ok(Accepted { stream_seq: cancel.task(id).await? })
}

struct Cancel<'a> {
    api: &'a Api,
    caller: &'a Caller,
    namespace: &'a Namespace,
    reason: &'a str,
}

impl Cancel<'_> {
    async fn task(&self, id: Id) -> Result<u64, ApiError> {
        let known = self.api.bus.ledger().load::<Task>(self.namespace, id).await?;
        let context_id = known.state.spawned.map_or(id, |spawned| spawned.context_id);
        let envelope = self.api.envelope(self.caller, new_id(), id, context_id);
        let command = task::Command::Cancel { reason: self.reason.to_owned() };
        match self.api.execute::<Task>(self.namespace, &command, &envelope).await {
            Ok(outcome) => Ok(outcome.stream_seq),
            Err(error) if error.code == Code::NotFound && self.is_planned(id).await => {
                let message = "the task is planned and will be spawned in a moment: try again";
                Err(ApiError::new(Code::Conflict, message).reason("planned"))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a plan or its parent names the task, which exists only once it is unfolded.
    async fn is_planned(&self, id: Id) -> bool {
        self.api.reader.record::<TaskDocument>(self.namespace, id).await.is_ok()
    }

    /// A task that has ended has no need to be stopped, its descendants may.
    async fn with_descendants(&self, id: Id) -> Result<Accepted, ApiError> {
        let of_task = self.task(id).await;
        let ended = |error: &ApiError| error.data.reason == Reason::Terminal.to_string();
        let seq = match &of_task {
            Ok(seq) => *seq,
            Err(error) if ended(error) => self.api.bus.head().await?,
            Err(_) => return of_task.map(|stream_seq| Accepted { stream_seq }),
        };
        // Children that it named before it was stopped are known once its end is.
        self.api.reader.wait_for(seq, patience(None)?).await?;
        let document = self.api.reader.record::<TaskDocument>(self.namespace, id).await?.document;
        let graph =
            self.api.reader.graph(self.namespace, document.context_id, TREE_TASKS_MAX).await?;
        let live = descendants(&graph.tasks, id)
            .into_iter()
            .filter(|id| graph.tasks.get(id).is_some_and(|task| !task.status.is_terminal()));
        let cancels: Vec<_> = live.map(|id| self.task(id).boxed()).collect();
        let seqs =
            stream::iter(cancels).buffer_unordered(AT_ONCE).filter_map(
                async |result| match result {
                    Err(error) if ended(&error) => None,
                    other => Some(other),
                },
            );
        let seqs: Vec<u64> = seqs.try_collect().await?;
        match seqs.into_iter().max() {
            Some(last) => Ok(Accepted { stream_seq: last.max(of_task.unwrap_or_default()) }),
            None => of_task.map(|stream_seq| Accepted { stream_seq }),
        }
    }
}

/// The tasks that `ancestor` spawned, those that they spawned, and so on.
fn descendants(tasks: &BTreeMap<Id, GraphTask>, ancestor: Id) -> BTreeSet<Id> {
    let mut children: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for task in tasks.values() {
        if let Some(parent) = task.parent_id {
            children.entry(parent).or_default().push(task.id);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![ancestor];
    while let Some(id) = open.pop() {
        open.extend(
            children.remove(&id).into_iter().flatten().filter(|child| found.insert(*child)),
        );
    }
    found
}

async fn cancel_context(
    api: Arc<Api>,
    caller: Caller,
    params: CancelParams,
) -> Result<Accepted, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<ContextDocument>(&namespace, &params.id).await?;
    let document = context(&api, &namespace, id).await?;
    if document.cancelled.is_none() && document.status != ContextStatus::Running {
        let rejection = Rejection::new(Reason::Terminal, "the context has ended already");
        return Err(rejection.current(status_name(document.status)).into());
    }
    let envelope = api.envelope(&caller, new_id(), id, id);
    let command = context::Command::Cancel { reason: params.reason };
    let outcome = api.execute::<Context>(&namespace, &command, &envelope).await?;
    Ok(Accepted { stream_seq: outcome.stream_seq })
}

/// The context, which may have begun a moment ago: only the read model knows of contexts that a
/// single task opened.
async fn context(api: &Api, namespace: &Namespace, id: Id) -> Result<ContextDocument, ApiError> {
    match api.reader.record::<ContextDocument>(namespace, id).await {
        Ok(found) => return Ok(found.document),
        Err(ReadError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    api.reader.wait_for(api.bus.head().await?, patience(None)?).await?;
    Ok(api.reader.record::<ContextDocument>(namespace, id).await?.document)
}

const fn status_name(status: ContextStatus) -> &'static str {
    match status {
        ContextStatus::Running => "running",
        ContextStatus::Ok => "ok",
        ContextStatus::Failed => "failed",
        ContextStatus::Cancelled => "cancelled",
    }
}
