//! `task.subscribe`, `context.subscribe`

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use futures::{StreamExt as _, stream, stream::BoxStream};
use kantoku_domain::Id;
use kantoku_projections::{
    document::{ContextDocument, TaskDocument},
    query::{Condition, Known},
    reader::{Filter, Mark},
};
use kantoku_streams::now;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Api, Module,
    module::Items,
    room::{Held, Room, try_take},
    shared::patience,
};
use crate::{
    ApiError, Code,
    contract::{ContextChanged, ContextSubscribe, SubscribeParams, TaskChanged, TaskSubscribe},
    feed::{Documents, Followed, Follower, Interest, Watcher},
};

/// Records that match a filter by something that changes, and are to be reported when they do not
/// match any more.
const MATCHING_MAX: usize = 100_000;
/// Memory for their ids is asked for by so many, each with so much.
const MATCHING_STEP: usize = 1_024;
const MATCHING_BYTES: usize = 48;

/// How many records are read at once.
const PAGE: u32 = 32;

pub(super) fn register(module: &mut Module) {
    module.register_subscription::<TaskSubscribe>(subscribe_tasks);
    module.register_subscription::<ContextSubscribe>(subscribe_contexts);
}

async fn subscribe_tasks(
    api: Arc<Api>,
    params: SubscribeParams,
) -> Result<Items<TaskSubscribe>, ApiError> {
    let tasks = api.feed.tasks.clone();
    let interest = |filter: &Filter| filter.context_id.map_or(Interest::All, Interest::Of);
    let changes = Following::start(api, &tasks, interest, params).await?;
    let item = |task: TaskDocument| TaskChanged { stream_seq: task.stream_seq, task };
    Ok(changes.map(move |task| task.map(item)).boxed())
}

async fn subscribe_contexts(
    api: Arc<Api>,
    params: SubscribeParams,
) -> Result<Items<ContextSubscribe>, ApiError> {
    let contexts = api.feed.contexts.clone();
    let changes = Following::start(api, &contexts, |_| Interest::All, params).await?;
    let item =
        |context: ContextDocument| ContextChanged { stream_seq: context.stream_seq, context };
    Ok(changes.map(move |context| context.map(item)).boxed())
}

/// Follows records that match a filter. Each change is read from the read model or from what was
/// read there, so what is sent is what a query would give; a record that changes faster than the
/// client reads is sent as it is then. A slow client costs no memory: what leaves the ring before
/// it was sent is read again from the read model.
struct Following<T: Followed> {
    api: Arc<Api>,
    follower: Follower<T>,
    interest: Interest,
    filter: Filter,
    /// What else they must be.
    rest: Condition,
    phase: Phase<T>,
    /// Everything before this was sent, or is among `queue`.
    after: Mark,
    queue: VecDeque<Arc<T>>,
    /// The right to hold what was read from the read model, until all of it was sent.
    page: Option<OwnedSemaphorePermit>,
    /// Those that were sent as matching, where that may change.
    matching: Option<Matching>,
}

/// Ids, and the memory that they take.
#[derive(Default)]
struct Matching {
    ids: HashSet<Id>,
    held: Held,
    held_for: usize,
}

impl Matching {
    fn insert(&mut self, id: Id, lasting: &Room) -> Result<(), ApiError> {
        self.ids.insert(id);
        if self.ids.len() > MATCHING_MAX {
            let message = format!("more than {MATCHING_MAX} match; narrow the filter");
            return Err(ApiError::new(Code::Limit, message).field("filter"));
        }
        if self.ids.len() > self.held_for {
            let more = try_take(&[lasting], MATCHING_STEP * MATCHING_BYTES).ok_or_else(|| {
                let message = "there is no memory left to keep in mind what matches; narrow the \
                               filter, or subscribe again later";
                ApiError::new(Code::Limit, message).reason("busy").field("filter")
            })?;
            self.held.add(more);
            self.held_for += MATCHING_STEP;
        }
        Ok(())
    }
}

enum Phase<T: Followed> {
    /// Reads what matches now. What changed meanwhile is read from `since` on.
    Snapshot { since: Option<u64> },
    /// Reads what has changed. Where it is not known what the client has seen, it is told of records
    /// that match no longer.
    CatchUp { told_all: bool },
    /// Is told what changes.
    Live(Watcher<T>),
}

impl<T: Followed> Following<T> {
    async fn start(
        api: Arc<Api>,
        documents: &Documents<T>,
        interest: impl FnOnce(&Filter) -> Interest,
        params: SubscribeParams,
    ) -> Result<BoxStream<'static, Result<T, ApiError>>, ApiError> {
        let namespace = params.namespace.unwrap_or_default();
        let also = params.condition.as_deref();
        let condition =
            api.condition(T::FIELDS, Some(namespace.clone()), &params.filter, also).await?;
        if !condition.relations().is_empty() {
            let message = "what is related to another record changes without an event of its own; \
                           list it, or follow a context";
            return Err(ApiError::new(Code::Invalid, message).field("filter"));
        }
        let (filter, rest) = Filter::of(Some(&namespace), &condition);
        let patience = patience(params.timeout)?;
        if let Some(from_seq) = params.from_seq {
            api.reader.wait_for(from_seq, patience).await?;
        }
        let phase = match params.from_seq {
            Some(_) => Phase::CatchUp { told_all: true },
            None => Phase::Snapshot { since: None },
        };
        let changing = filter.lasting() != filter || rest != Condition::always();
        let following = Self {
            follower: documents.follow(),
            interest: interest(&filter),
            phase,
            after: params.from_seq.map_or_else(Mark::default, Mark::behind),
            queue: VecDeque::new(),
            page: None,
            matching: changing.then(Matching::default),
            filter,
            rest,
            api,
        };
        Ok(stream::try_unfold(following, |mut following| async move {
            let next = following.next().await.map_err(|error| following.resumable(error))?;
            Ok(Some((next, following)))
        })
        .boxed())
    }

    async fn next(&mut self) -> Result<T, ApiError> {
        loop {
            if let Some(next) = self.queue.pop_front() {
                return Ok(Arc::unwrap_or_clone(next));
            }
            self.page = None;
            match &mut self.phase {
                Phase::Snapshot { since } => {
                    let since = *since;
                    self.read_snapshot(since).await?;
                }
                Phase::CatchUp { told_all } => {
                    let told_all = *told_all;
                    self.catch_up(told_all).await?;
                }
                Phase::Live(watcher) => match watcher.next().await {
                    Ok(changes) => self.take(&changes)?,
                    // Too slow for the ring.
                    Err(_) => self.phase = Phase::CatchUp { told_all: false },
                },
            }
        }
    }

    /// Waits until a page may be read: others may hold what they have read and not sent yet.
    async fn take_page(&mut self) {
        let pages = Arc::clone(&self.api.rooms.pages);
        self.page = pages.acquire_owned().await.ok();
    }

    async fn read_snapshot(&mut self, since: Option<u64>) -> Result<(), ApiError> {
        self.take_page().await;
        let changes = T::changed(&self.api.reader, &self.filter, self.after, PAGE).await?;
        let since = since.unwrap_or(changes.as_of_seq);
        self.after = changes.next;
        for record in changes.items {
            self.send(Arc::new(record))?;
        }
        self.phase = match &self.matching {
            _ if !changes.is_complete => Phase::Snapshot { since: Some(since) },
            None => self.live(),
            Some(_) => {
                // What matched when it was read may not have any more, before the end was read.
                self.after = self.after.min(Mark::behind(since));
                self.live()
            }
        };
        Ok(())
    }

    async fn catch_up(&mut self, told_all: bool) -> Result<(), ApiError> {
        self.take_page().await;
        let lasting = self.filter.lasting();
        let changes = T::changed(&self.api.reader, &lasting, self.after, PAGE).await?;
        self.after = changes.next;
        for record in changes.items {
            if told_all && !self.matches(&record) {
                self.queue.push_back(Arc::new(record));
            } else {
                self.send(Arc::new(record))?;
            }
        }
        if changes.is_complete {
            self.phase = self.live();
        }
        Ok(())
    }

    fn live(&self) -> Phase<T> {
        Phase::Live(self.follower.watch(self.interest, self.after.stream_seq))
    }

    fn take(&mut self, changes: &[Arc<T>]) -> Result<(), ApiError> {
        for record in changes {
            let place = Mark { stream_seq: record.stream_seq(), id: record.id() };
            if place > self.after {
                self.after = place;
                self.send(Arc::clone(record))?;
            }
        }
        Ok(())
    }

    fn matches(&self, record: &T) -> bool {
        let is_rest = || {
            let known = Known { now: now(), ..Known::default() };
            serde_json::to_value(record).is_ok_and(|document| self.rest.matches(&document, &known))
        };
        self.filter.matches(record) && (self.rest == Condition::always() || is_rest())
    }

    /// Queues the record if it matches, or did when it was sent before.
    fn send(&mut self, record: Arc<T>) -> Result<(), ApiError> {
        let matches = self.matches(&record);
        let is_due = match &mut self.matching {
            None => matches,
            Some(matching) if matches => {
                matching.insert(record.id(), &self.api.rooms.lasting)?;
                true
            }
            Some(matching) => matching.ids.remove(&record.id()),
        };
        if is_due {
            self.queue.push_back(record);
        }
        Ok(())
    }

    /// Says where to go on. Everything at that position and below was sent.
    fn resumable(&self, error: ApiError) -> ApiError {
        if matches!(self.phase, Phase::Snapshot { .. }) {
            return error;
        }
        let first = self.queue.front().map_or(self.after.stream_seq, |first| first.stream_seq());
        error.resume_from(first.min(self.after.stream_seq).saturating_sub(1))
    }
}
