//! Whether NATS is there to be asked: a circuit breaker.
//!
//! While the connection is lost, or the server takes requests and answers none, whoever asks is told
//! so at once, instead of waiting for as long as an answer may take. A lost connection is made again
//! by the client; a server that is silent is asked something harmless now and then, and nobody
//! else's request is the one that tries.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_nats::{Client, client::Request, connection::State};
use tokio::time::{Instant, sleep};

use crate::{Fault, full_jitter, warn_missing};

/// An interruption counts once it has lasted for so long: a server that is replaced by another of
/// its cluster is missed for less.
const GRACE: Duration = Duration::from_secs(1);
/// So many requests in a row without an answer mean that there is none to be had.
const SILENT_AFTER: u32 = 3;
/// How often the state of the connection is looked at by those who wait. Nothing is sent.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// A server that is silent is asked so often.
const ASK_MIN: Duration = Duration::from_millis(250);
const ASK_MAX: Duration = Duration::from_secs(2);
const ASKED: &str = "$JS.API.INFO";

/// Whether NATS is there. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct Reach(Arc<Shared>);

struct Shared {
    client: Client,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Since when the connection is lost, as far as somebody looked.
    lost_at: Option<Instant>,
    /// Requests without an answer since the last that had one.
    unanswered: u32,
    /// Whether somebody asks until there is an answer.
    is_silent: bool,
}

impl Reach {
    pub(crate) fn of(client: Client) -> Self {
        Self(Arc::new(Shared { client, seen: Mutex::default() }))
    }

    /// Why NATS cannot be asked now; `None` if it can.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let is_connected = self.is_connected();
        let mut seen = self.0.lock();
        if !is_connected {
            seen.lost_at.get_or_insert_with(Instant::now);
            return Some("the connection is lost and is being made again");
        }
        seen.lost_at = None;
        seen.is_silent.then_some("the server takes requests and answers none")
    }

    /// Fails at once, with advice, where NATS has been missing for a while.
    pub(crate) async fn check(&self, what: &str) -> Result<(), Fault> {
        let Some(reason) = self.missing() else { return Ok(()) };
        if self.wait(self.grace_left()).await {
            return Ok(());
        }
        warn_missing("nats", what, &reason);
        Err(Fault::unreachable(what, reason))
    }

    /// Waits until NATS is there, at most for `limit`. Whether it is.
    pub(crate) async fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.missing().is_some() {
            if Instant::now() >= end {
                return false;
            }
            sleep(LOOK_EVERY).await;
        }
        true
    }

    /// A request was answered.
    pub(crate) fn answered(&self) {
        self.0.lock().unanswered = 0;
    }

    /// A request was not answered in time.
    pub(crate) fn unanswered(&self) {
        let mut seen = self.0.lock();
        seen.unanswered = seen.unanswered.saturating_add(1);
        if seen.unanswered >= SILENT_AFTER && !seen.is_silent {
            seen.is_silent = true;
            tokio::spawn(ask(Arc::downgrade(&self.0)));
        }
    }

    fn grace_left(&self) -> Duration {
        let seen = self.0.lock();
        if seen.is_silent {
            return Duration::ZERO;
        }
        seen.lost_at.map_or(GRACE, |at| GRACE.saturating_sub(at.elapsed()))
    }

    fn is_connected(&self) -> bool {
        self.0.client.connection_state() == State::Connected
    }
}

impl Shared {
    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks until there is an answer, or nobody is left who wants to know.
async fn ask(shared: Weak<Shared>) {
    for attempt in 0.. {
        sleep(full_jitter(attempt, ASK_MIN, ASK_MAX)).await;
        let Some(shared) = shared.upgrade() else { return };
        // What is asked over a lost connection is sent when nobody waits for it any more.
        if shared.client.connection_state() != State::Connected {
            continue;
        }
        let request = Request::new().timeout(Some(ASK_MAX));
        if shared.client.send_request(ASKED, request).await.is_ok() {
            let mut seen = shared.lock();
            seen.unanswered = 0;
            seen.is_silent = false;
            return;
        }
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
