//! `event.*`

use std::{collections::VecDeque, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kantoku_domain::{Event, Id, Namespace, Recorded, nearest};
use kantoku_projections::{
    query,
    reader::{EventQuery, Page},
};
use kantoku_streams::{Bus, Fault, Replay};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Api, Module, module::Items};
use crate::{
    ApiError, Code,
    contract::{EventList, EventSubscribe, EventSubscribeParams, EventsParams},
    feed::{Interest, Watcher},
};

/// How many events a page has unless it says otherwise.
const LIMIT: u32 = 100;

/// Events that are read one by one at once.
const READS_AT_ONCE: usize = 64;

pub(super) fn register(module: &mut Module) {
    module.register::<EventList>(list);
    module.register_subscription::<EventSubscribe>(subscribe);
}

/// The index says which, the stream what.
async fn list(api: Arc<Api>, params: EventsParams) -> Result<Page<Recorded>, ApiError> {
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = Some(params.namespace.unwrap_or_default());
    let (filter, also) = (&params.filter, params.condition.as_deref());
    let query = EventQuery {
        condition: api.condition(&query::EVENTS, namespace.clone(), filter, also).await?,
        namespace,
        id: params.id,
        context_id: params.context_id,
        type_: known_type(params.type_)?,
        after_seq: params.after_seq.unwrap_or_default(),
        until_seq: None,
        limit: params.limit.unwrap_or(LIMIT),
        cursor: params.cursor,
    };
    let page = api.reader.events(&query).await?;
    let positions: Vec<u64> = page.items.iter().map(|item| item.stream_seq).collect();
    let items = read(&api.bus, &positions).await?;
    Ok(Page { items, next_cursor: page.next_cursor, as_of_seq: page.as_of_seq })
}

/// The events at these positions, which ascend.
pub(super) async fn read(bus: &Bus, positions: &[u64]) -> Result<Vec<Recorded>, Fault> {
    let (Some(first), Some(last)) = (positions.first(), positions.last()) else {
        return Ok(Vec::new());
    };
    if last - first >= 2 * positions.len() as u64 {
        let reads = positions.iter().copied().map(|position| bus.event_at(position));
        let reads = stream::iter(reads).buffered(READS_AT_ONCE);
        return reads.map_ok(Arc::unwrap_or_clone).try_collect().await;
    }
    let mut replay = bus.replay(*first).await?;
    let mut events = Vec::with_capacity(positions.len());
    while events.len() < positions.len()
        && let Some(page) = replay.next_page().await?
    {
        for recorded in page {
            let is_wanted = |found: &Recorded| positions.binary_search(&found.stream_seq).is_ok();
            events.extend(event(recorded)?.filter(is_wanted));
        }
    }
    Ok(events)
}

fn known_type(type_: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(type_) = type_ else { return Ok(None) };
    if Event::NAMES.contains(&type_.as_str()) {
        return Ok(Some(type_));
    }
    let message = match nearest(&type_, Event::NAMES.iter().copied()) {
        Some(meant) => format!("there is no event {type_:?}; did you mean {meant:?}?"),
        None => format!("there is no event {type_:?}; there are {}", Event::NAMES.join(", ")),
    };
    Err(ApiError::new(Code::Invalid, message).field("type"))
}

/// What a message of the stream is; `None` when it is no event, and among the dead letters.
fn event(read: Result<Recorded, Fault>) -> Result<Option<Recorded>, Fault> {
    match read {
        Ok(recorded) => Ok(Some(recorded)),
        Err(Fault::Malformed(malformed)) => {
            tracing::warn!(%malformed, "a message of the stream is left out");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

async fn subscribe(
    api: Arc<Api>,
    params: EventSubscribeParams,
) -> Result<Items<EventSubscribe>, ApiError> {
    let interest = match (params.id, params.context_id) {
        (Some(id), _) | (None, Some(id)) => Interest::Of(id),
        (None, None) => Interest::All,
    };
    let after = params.from_seq.map_or_else(|| api.feed.events.head(), |seq| seq.max(1) - 1);
    let following = Following {
        watcher: api.feed.events.watch(interest, after),
        bus: api.bus.clone(),
        namespace: params.namespace.unwrap_or_default(),
        id: params.id,
        context_id: params.context_id,
        type_: known_type(params.type_)?,
        after,
        replay: None,
        queue: VecDeque::new(),
        pages: Arc::clone(&api.rooms.pages),
        page: None,
    };
    Ok(stream::try_unfold(following, |mut following| async move {
        let recorded = following.next().await?;
        Ok(Some((Recorded::clone(&recorded), following)))
    })
    .boxed())
}

/// Follows events from any position: by the feed where that has them, else by reading the stream.
struct Following {
    watcher: Watcher<Recorded>,
    bus: Bus,
    namespace: Namespace,
    id: Option<Id>,
    context_id: Option<Id>,
    type_: Option<String>,
    /// Everything up to here was looked at.
    after: u64,
    /// What reads the stream, while the feed is too far ahead.
    replay: Option<Replay>,
    queue: VecDeque<Arc<Recorded>>,
    /// Where the right comes from to hold a page of the stream until all of it was sent.
    pages: Arc<Semaphore>,
    page: Option<OwnedSemaphorePermit>,
}

impl Following {
    async fn next(&mut self) -> Result<Arc<Recorded>, ApiError> {
        let next = self.find().await;
        next.map_err(|fault| ApiError::from(fault).resume_from(self.after + 1))?.ok_or_else(|| {
            let message = format!(
                "the stream ends before position {}, which was sent: an older one is in its place; \
                 what was made of its events has to be made anew",
                self.after
            );
            ApiError::new(Code::Rejected, message).reason("went_back")
        })
    }

    /// `None`: the stream went back.
    async fn find(&mut self) -> Result<Option<Arc<Recorded>>, Fault> {
        loop {
            if let Some(next) = self.queue.pop_front() {
                return Ok(Some(next));
            }
            self.page = None;
            if self.replay.is_some() {
                self.read_page().await?;
                continue;
            }
            if let Ok(events) = self.watcher.next().await {
                for recorded in events {
                    self.take(recorded);
                }
                continue;
            }
            // Whatever it has missed is in the stream by now.
            let replay = self.bus.replay(self.after + 1).await?;
            if replay.last_seq() < self.after {
                return Ok(None);
            }
            self.replay = Some(replay);
        }
    }

    async fn read_page(&mut self) -> Result<(), Fault> {
        self.page = Arc::clone(&self.pages).acquire_owned().await.ok();
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let end = replay.last_seq();
        let Some(page) = replay.next_page().await? else {
            self.after = self.after.max(end);
            self.replay = None;
            return Ok(());
        };
        for recorded in page {
            match recorded {
                Ok(recorded) => self.take(Arc::new(recorded)),
                // As the feed would leave it out.
                Err(fault) => tracing::warn!(%fault, "a message of the stream is left out"),
            }
        }
        Ok(())
    }

    fn take(&mut self, recorded: Arc<Recorded>) {
        if recorded.stream_seq <= self.after {
            return;
        }
        self.after = recorded.stream_seq;
        if self.matches(&recorded) {
            self.queue.push_back(recorded);
        }
    }

    fn matches(&self, recorded: &Recorded) -> bool {
        recorded.namespace == self.namespace
            && self.id.is_none_or(|id| recorded.id == id)
            && self.context_id.is_none_or(|id| recorded.metadata.correlation_id == id)
            && self.type_.as_ref().is_none_or(|type_| recorded.event.name() == type_)
    }
}
