//! What the stand and the code that runs on it know of each other.

use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::SyncPolicy;

/// Given to the processors of a stand.
///
/// They are one future: it runs until `shutdown` is cancelled, drains and ends. An error, or an end that
/// nobody asked for, takes the stand down. It must leave signals to the supervisor.
pub struct ServeContext {
    /// NATS, with user and password: never to be logged.
    pub nats_url: String,
    /// The database, with user and password: never to be logged.
    pub database_url: String,
    /// When the private NATS writes to the disk; `None` where it is the user's own.
    pub nats_sync: Option<SyncPolicy>,
    /// A directory of their own for what they keep, such as service ids.
    pub state_dir: PathBuf,
    /// Cancelled when they shall drain and end; half a minute later they are dropped.
    pub shutdown: CancellationToken,
    /// To be used when everything is up.
    pub ready: ReadySender,
}

/// Tells the supervisor that the processors are up.
pub struct ReadySender(oneshot::Sender<Listening>);

impl ReadySender {
    pub(super) fn new() -> (Self, oneshot::Receiver<Listening>) {
        let (send, receive) = oneshot::channel();
        (Self(send), receive)
    }

    /// Says that everything is up, and where. Without effect when the stand is going down already.
    pub fn send(self, listening: Listening) {
        self.0.send(listening).ok();
    }
}

/// Where the processors are reached.
pub struct Listening {
    /// The root of the API, such as `http://127.0.0.1:7300`; the metrics are at `/metrics` below it.
    pub api_url: String,
    /// The user interface, if there is one.
    pub ui_url: Option<String>,
}
