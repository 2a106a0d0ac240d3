//! A context, and all its tasks as the ledger has them: what restarts are planned on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt as _, stream};
use kantoku_domain::{
    Context, Event, Id, Kind, Namespace, Reason, Recorded, Rejection, Task,
    restart::{Graph, Node},
    task::{Planned, Spawned, Status},
};
use kantoku_projections::{
    Error as ReadError,
    document::{ContextDocument, ContextStatus, TaskDocument},
};
use kantoku_streams::{Fault, Loaded};
use tokio::sync::OwnedSemaphorePermit;

use super::{Api, shared::patience};
use crate::{ApiError, Code};

/// How many tasks a context may have for all of them to be looked at, those included that others
/// took the place of.
const TASKS_MAX: usize = 100_000;

/// How many contexts are held in memory at once; other calls wait.
pub(super) const CONTEXTS_AT_ONCE: usize = 4;

/// Histories that are read at once.
const AT_ONCE: usize = 128;

/// All tasks of a context.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// As planners see them.
    pub(super) graph: Graph,
    /// Those that are spawned.
    pub(super) loaded: BTreeMap<Id, Loaded<Task>>,
    /// The event of the command that was looked for.
    pub(super) first: Option<Recorded>,
    /// The room that they take, until they are dropped.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Api {
    /// A context, which may have begun a moment ago: only the read model knows of contexts that a
    /// single task opened.
    pub(super) async fn context(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<ContextDocument, ApiError> {
        match self.reader.record::<ContextDocument>(namespace, id).await {
            Ok(found) => Ok(found.document),
            Err(ReadError::NotFound { .. }) => self.context_now(namespace, id).await,
            Err(error) => Err(for_order(error.into())),
        }
    }

    /// The same, for an order that one which has ended is refused: it may run again since a moment
    /// ago.
    pub(super) async fn live_context(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<ContextDocument, ApiError> {
        let mut document = self.context(namespace, id).await?;
        if document.status != ContextStatus::Running {
            document = self.context_now(namespace, document.id).await?;
        }
        if document.status != ContextStatus::Running && document.cancelled.is_none() {
            let rejection = Rejection::new(Reason::Terminal, "the context has ended already");
            return Err(rejection.current(document.status.name()).into());
        }
        Ok(document)
    }

    async fn context_now(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<ContextDocument, ApiError> {
        self.reader.wait_for(self.bus.head().await?, patience(None)?).await?;
        Ok(self.reader.record::<ContextDocument>(namespace, id).await?.document)
    }

    /// The context of the task `id`, for commands to it. A task that a plan or its parent names
    /// exists only once it is unfolded.
    pub(super) async fn context_of(&self, namespace: &Namespace, id: Id) -> Result<Id, ApiError> {
        let known = self.bus.ledger().load_recent::<Task>(namespace, id).await?;
        if let Some(spawned) = known.state.spawned {
            return Ok(spawned.context_id);
        }
        match self.reader.record::<TaskDocument>(namespace, id).await {
            Ok(_) => {
                let message = "the task is planned and will be spawned in a moment: try again";
                Err(ApiError::new(Code::Conflict, message).reason("planned"))
            }
            Err(ReadError::NotFound { .. }) => {
                Err(Rejection::new(Reason::NotFound, "there is no such task").into())
            }
            // It may be planned: nobody knows.
            Err(error) => Err(error.into()),
        }
    }

    /// All tasks of a context, as they are now or were a moment ago. Which there are is known once
    /// the read model has seen all that has happened by now; the rest is read from the ledger. On
    /// the way the event of the command `looked_for` is found, if there is one.
    pub(super) async fn tasks_of(
        &self,
        namespace: &Namespace,
        context_id: Id,
        looked_for: Option<Id>,
    ) -> Result<Tasks, ApiError> {
        self.all_tasks(namespace, context_id, looked_for).await.map_err(for_order)
    }

    async fn all_tasks(
        &self,
        namespace: &Namespace,
        context_id: Id,
        looked_for: Option<Id>,
    ) -> Result<Tasks, ApiError> {
        let room = Arc::clone(&self.contexts).acquire_owned().await;
        self.reader.wait_for(self.bus.head().await?, patience(None)?).await?;
        let (ids, _) = self.reader.task_ids(namespace, context_id, TASKS_MAX + 1).await?;
        let document = self.reader.record::<ContextDocument>(namespace, context_id).await?.document;
        let of_context = self.bus.ledger().history(namespace, Kind::Context, context_id, 0).await?;
        let mut found = Found { looked_for, ..Found::default() };
        found.tasks.room = room.ok();
        found.context(document, &of_context);
        found.look_for(ids);
        loop {
            if found.seen.len() > TASKS_MAX {
                let message = format!("the context has more than {TASKS_MAX} tasks");
                return Err(ApiError::new(Code::Limit, message));
            }
            let reads: Vec<_> = std::mem::take(&mut found.open)
                .into_iter()
                .map(async |id| {
                    let ledger = self.bus.ledger();
                    Ok::<_, Fault>((id, ledger.history(namespace, Kind::Task, id, 0).await?))
                })
                .collect();
            if reads.is_empty() {
                return Ok(found.tasks());
            }
            let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
            while let Some(read) = reads.next().await {
                let (id, history) = read?;
                found.task(id, &history);
            }
        }
    }
}

/// An order that is decided on what the read model knows of a context is not, without it.
fn for_order(error: ApiError) -> ApiError {
    if error.data.reason != ApiError::READ_MODEL {
        return error;
    }
    let message = "nothing was done: this order depends on what else is in the context, which the \
                   read model knows, and Postgres does not answer; give it again in a moment, or \
                   order something of a single task, which needs nothing of it";
    ApiError::new(Code::Unavailable, message).reason(ApiError::READ_MODEL)
}

/// Tasks as they are found.
#[derive(Default)]
struct Found {
    tasks: Tasks,
    looked_for: Option<Id>,
    /// Those that others named; whether they are spawned has to be seen.
    planned: BTreeMap<Id, Spawned>,
    seen: BTreeSet<Id>,
    /// Whose histories are to be read.
    open: Vec<Id>,
}

impl Found {
    fn look_for(&mut self, ids: impl IntoIterator<Item = Id>) {
        let (seen, open) = (&mut self.seen, &mut self.open);
        open.extend(ids.into_iter().filter(|id| seen.insert(*id)));
    }

    fn named(&mut self, planned: &[Planned]) {
        self.look_for(planned.iter().map(|planned| planned.id));
        let tasks = planned.iter().map(|planned| (planned.id, planned.task.clone()));
        self.planned.extend(tasks);
    }

    fn look_at(&mut self, history: &[Recorded]) {
        let Some(command_id) = self.looked_for else { return };
        let first = history.iter().find(|it| it.metadata.command_id == command_id);
        self.tasks.first = self.tasks.first.take().or_else(|| first.cloned());
    }

    fn context(&mut self, document: ContextDocument, history: &[Recorded]) {
        let mut context = Loaded::<Context>::default();
        self.look_at(history);
        for recorded in history {
            context.take(recorded);
            if let Event::ContextOpened(opened) = &recorded.event {
                self.named(&opened.plan);
            }
        }
        let graph = &mut self.tasks.graph;
        graph.context_id = document.id;
        graph.outputs = document.outputs;
        graph.cancelled = context.state.cancelled;
    }

    fn task(&mut self, id: Id, history: &[Recorded]) {
        self.look_at(history);
        let mut loaded = Loaded::<Task>::default();
        for recorded in history {
            match &recorded.event {
                Event::TaskFinished(finished) => self.named(&finished.children),
                Event::TaskRestarted(restarted) => {
                    self.named(std::slice::from_ref(&restarted.successor));
                }
                _ => {}
            }
            loaded.take(recorded);
        }
        if let Some(node) = Node::of(id, loaded.stream_seq, &loaded.state) {
            self.tasks.graph.nodes.insert(id, node);
            self.tasks.loaded.insert(id, loaded);
        }
    }

    fn tasks(self) -> Tasks {
        let Self { mut tasks, planned, .. } = self;
        for (id, spawned) in planned {
            tasks.graph.nodes.entry(id).or_insert_with(|| only_planned(id, spawned));
        }
        tasks
    }
}

fn only_planned(id: Id, spawned: Spawned) -> Node {
    Node {
        id,
        position: 0,
        spawned: Box::new(spawned),
        status: Status::Absent,
        outcome: None,
        skipped: None,
        delegated: BTreeMap::new(),
        restarted_as: None,
    }
}
