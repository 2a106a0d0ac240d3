//! The keys, as this process knows them: read again within a second of any change, and not trusted
//! when it cannot be known whether there was one.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use kantoku_streams::{Bus, Fault, KeyEntry, Keys, now, warn_missing};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Secret;
use crate::{ApiError, Code};

/// How often it is looked whether a key has changed, and how long that may take.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// For how long what is known is good: a key that was revoked is refused after that, come what may.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// A key that is in use.
pub(crate) struct Held {
    pub(crate) entry: KeyEntry,
    /// Cancelled when it holds no more.
    pub(crate) over: CancellationToken,
    pace: DefaultDirectRateLimiter,
}

impl Held {
    fn new(entry: KeyEntry) -> Self {
        let calls = NonZeroU32::new(entry.calls_per_second).unwrap_or(NonZeroU32::MIN);
        let (over, pace) =
            (CancellationToken::new(), RateLimiter::direct(Quota::per_second(calls)));
        Self { entry, over, pace }
    }

    fn has_expired(&self) -> bool {
        self.entry.expires_at.is_some_and(|at| at <= now())
    }
}

struct Known {
    keys: HashMap<String, Arc<Held>>,
    /// The last change that is known.
    position: u64,
    /// When that was known to be the last.
    at: Instant,
}

/// See the module.
pub(crate) struct Keyring {
    keys: Keys,
    known: RwLock<Known>,
}

impl Keyring {
    /// Reads all keys.
    pub(crate) async fn open(bus: &Bus) -> Result<Arc<Self>, Fault> {
        let keys = bus.keys().await?;
        let known = Known { keys: HashMap::new(), position: 0, at: Instant::now() };
        let ring = Self { keys, known: RwLock::new(known) };
        ring.look().await?;
        if ring.read(|known| known.keys.is_empty()) {
            tracing::warn!(
                "the API asks for keys, and there are none: `ktk serve --first-key FILE` makes one"
            );
        }
        Ok(Arc::new(ring))
    }

    /// Keeps to what there is until `stop` is cancelled.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            match timeout(LOOK_TIMEOUT, self.look()).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => warn_missing("nats", "look whether keys were revoked", &fault),
                Err(_) => warn_missing("nats", "look whether keys were revoked", &"no answer"),
            }
        }
    }

    /// The position is asked for first: a change meanwhile is found by the next look.
    async fn look(&self) -> Result<(), Fault> {
        let at = Instant::now();
        let position = self.keys.position().await?;
        if self.read(|known| known.position != position || at == known.at) {
            let entries = self.keys.list().await?;
            self.write(|known| known.take(entries));
        }
        self.write(|known| {
            known.drop_expired();
            (known.position, known.at) = (position, at);
        });
        Ok(())
    }

    /// The key that `secret` proves. That one is unknown, revoked or expired is all the same.
    pub(crate) fn find(&self, secret: &Secret) -> Result<Arc<Held>, ApiError> {
        let held = self.read(|known| known.keys.get(&secret.id).cloned());
        let held = held.filter(|held| secret.proves(&held.entry.digest) && !held.has_expired());
        held.ok_or_else(no_key)
    }

    /// Whether a key holds now, and may make one more call.
    pub(crate) fn check(&self, held: &Held) -> Result<(), ApiError> {
        if held.over.is_cancelled() || held.has_expired() {
            return Err(no_key());
        }
        if self.read(|known| known.at.elapsed()) > GOOD_FOR {
            let message = "NATS is away, so it is not known whether this key was revoked; nothing was \
                           done, try again in a second";
            return Err(ApiError::new(Code::Unavailable, message).reason("keys"));
        }
        held.pace.check().map_err(|_| {
            let message = format!(
                "this key may make {} calls a second; nothing was done, send it again a little later",
                held.entry.calls_per_second
            );
            ApiError::new(Code::Limit, message).reason("rate")
        })
    }

    fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Known)) {
        write(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Known {
    /// These are the keys now. One that is as it was goes on, with what it has used up.
    fn take(&mut self, entries: Vec<KeyEntry>) {
        let mut before = std::mem::take(&mut self.keys);
        for entry in entries {
            let same = before.remove(&entry.id).filter(|held| {
                let is_same = held.entry == entry;
                if !is_same {
                    held.over.cancel();
                }
                is_same
            });
            let held = same.unwrap_or_else(|| Arc::new(Held::new(entry)));
            self.keys.insert(held.entry.id.clone(), held);
        }
        for held in before.into_values() {
            held.over.cancel();
        }
    }

    fn drop_expired(&mut self) {
        self.keys.retain(|_, held| {
            let has_expired = held.has_expired();
            if has_expired {
                held.over.cancel();
            }
            !has_expired
        });
    }
}

fn no_key() -> ApiError {
    let message = "this key does not hold, or not any more; ask an admin for another";
    ApiError::new(Code::Unauthenticated, message)
}
