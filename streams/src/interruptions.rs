//! Whether a subscription may have missed something.

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::{Client, connection::State};

/// How often the client's own counter is looked at. Nothing is sent.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the answer to what was sent at the first moment of a connection may take.
const ANSWERED_WITHIN: Duration = Duration::from_millis(500);

/// Tells that the connection was lost: what was published until it was back did not arrive.
#[derive(Clone)]
pub(crate) struct Interruptions {
    client: Client,
    seen: u64,
}

impl Interruptions {
    /// Those from now on.
    pub(crate) fn of(client: &Client) -> Self {
        Self { client: client.clone(), seen: connects(client) }
    }

    /// Whether one has ended since the last call.
    pub(crate) fn take(&mut self) -> bool {
        let connects = connects(&self.client);
        std::mem::replace(&mut self.seen, connects) != connects
    }

    /// Waits until the client is connected: what is sent before lies in wait, and is done when nobody
    /// wants it any more.
    pub(crate) async fn connected(&self) {
        while self.client.connection_state() != State::Connected {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until no answer can come any more to what is sent now: the connection over which it
    /// goes was lost, and another was made in its place.
    pub(crate) async fn overtaken(mut self) {
        self.over().await;
        // What lay in wait meanwhile is sent over the new one.
        tokio::time::sleep(ANSWERED_WITHIN).await;
    }

    /// Waits for the end of one. May be dropped and called again.
    pub(crate) async fn over(&mut self) {
        while !self.take() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// How often the client has connected.
pub(crate) fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}
