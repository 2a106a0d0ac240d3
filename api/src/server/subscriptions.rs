//! The subscriptions of one connection.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    message::notification,
    metric,
    module::RawItems,
    room::{Held, try_take, wait_for},
    weight::Rooms,
};
use crate::{ApiError, Code};

/// Ids are unique in this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a subscription takes while nothing happens.
const SUBSCRIPTION_BYTES: usize = 8 * 1024;

/// The subscriptions of one connection.
pub(super) struct Subscriptions {
    free: Arc<Semaphore>,
    max: usize,
    rooms: Arc<Rooms>,
    open: Mutex<HashMap<u64, CancellationToken>>,
}

impl Subscriptions {
    /// At most `max` at once.
    pub(super) fn new(max: usize, rooms: Arc<Rooms>) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(max)), max, rooms, open: Mutex::default() })
    }

    /// Makes room for one more, before anything is begun for it.
    pub(super) fn reserve(self: &Arc<Self>, method: &'static str) -> Result<Reserved, ApiError> {
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let message = format!(
                "this connection has {} subscriptions already; end one, or open another connection",
                self.max
            );
            ApiError::new(Code::Limit, message)
        })?;
        let held = try_take(&[&self.rooms.lasting], SUBSCRIPTION_BYTES).ok_or_else(|| {
            let message = "the server has as many waits and subscriptions as it has memory for; \
                           end some, or subscribe again later";
            ApiError::new(Code::Limit, message).reason("busy")
        })?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let ended = CancellationToken::new();
        self.open().insert(id, ended.clone());
        Ok(Reserved {
            of: Arc::clone(self),
            id,
            method,
            ended,
            _permit: permit,
            _held: held,
            _open: metric::Open::subscription(method),
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, CancellationToken>> {
        // The map is whole even if a holder of the lock panicked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for a subscription, given back when this is dropped.
pub(super) struct Reserved {
    of: Arc<Subscriptions>,
    id: u64,
    method: &'static str,
    ended: CancellationToken,
    _permit: OwnedSemaphorePermit,
    _held: Held,
    _open: metric::Open,
}

impl Reserved {
    /// The subscription, to be begun when the client knows its id.
    pub(super) fn start(self, items: RawItems) -> Started {
        Started { reserved: self, items }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.of.open().remove(&self.id);
    }
}

/// A subscription whose id is on its way to the client.
pub(super) struct Started {
    reserved: Reserved,
    items: RawItems,
}

impl Started {
    /// What the client knows it by.
    pub(super) const fn id(&self) -> u64 {
        self.reserved.id
    }

    /// Hands notifications to `send`, one by one and each with the memory that it takes, until the
    /// client ends it, the items end, or `send` says that nobody listens any more.
    pub(super) async fn run(mut self, send: impl AsyncFn(String, Held) -> bool) {
        let Reserved { id, method, ended, .. } = &self.reserved;
        loop {
            let item = tokio::select! {
                () = ended.cancelled() => return,
                item = self.items.next() => item,
            };
            let Some(item) = item else { return };
            let is_last = item.is_err();
            let text = notification(method, *id, &item);
            drop(item);
            let held = wait_for(&[&self.reserved.of.rooms.notices], text.len()).await;
            if !send(text, held).await || is_last {
                return;
            }
        }
    }
}

/// Ends the subscription that `params` name; says whether there was one.
pub(super) fn unsubscribe(
    subscriptions: &Subscriptions,
    params: Option<&RawValue>,
) -> Result<bool, ApiError> {
    /// By name as everywhere, or as the one thing in an array, as clients of the wider world do.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Params {
        Named { subscription: u64 },
        Bare([u64; 1]),
    }
    let params = serde_json::from_str(params.map_or("null", RawValue::get)).map_err(|_| {
        ApiError::new(Code::InvalidParams, "write {\"subscription\": id}").field("subscription")
    })?;
    let (Params::Named { subscription: id } | Params::Bare([id])) = params;
    let ended = subscriptions.open().remove(&id);
    Ok(ended.inspect(CancellationToken::cancel).is_some())
}
