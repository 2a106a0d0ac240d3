//! One WebSocket connection: messages are carried out side by side, answers and notifications go
//! out through one bounded queue. A client that does not read is not read from, and neither is one
//! that there is no room for.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use futures::{StreamExt as _, stream::SplitStream};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use tokio_util::sync::CancellationToken;

use super::{
    Caller,
    dispatch::{Dispatcher, Peer},
    inlet::{Arriving, Inlet},
    message, metric,
    outlet::{FRAGMENT_BYTES, OUTGOING_MAX, Outgoing, SEND_TIMEOUT, write},
    room::{Held, Room},
    subscriptions::{Started, Subscriptions},
};
use crate::{ApiError, Code};

/// Messages are read in pieces of this size.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// How often it is looked whether a message is late.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) type Socket = WebSocketStream<Inlet<TokioIo<Upgraded>>>;

/// What is said of a message that is longer than `bytes_max`.
pub(super) fn too_large(bytes_max: usize) -> ApiError {
    let message = format!(
        "the message has more than {bytes_max} bytes, which is the limit; send less at once"
    );
    ApiError::new(Code::Limit, message).for_good()
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: Upgraded, dispatcher: Dispatcher, caller: Caller) {
    let _open = metric::Open::connection();
    let limits = Arc::clone(&dispatcher.limits);
    let arriving = Arc::new(Arriving::default());
    let inlet =
        Inlet::new(TokioIo::new(stream), Arc::clone(&arriving), Arc::clone(&dispatcher.rooms));
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.request_bytes_max))
        .max_frame_size(Some(limits.request_bytes_max))
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(FRAGMENT_BYTES);
    let socket = Socket::from_raw_socket(inlet, Role::Server, Some(config)).await;
    let peer = Arc::new(Peer {
        caller,
        subscriptions: Some(Subscriptions::new(
            limits.subscriptions_max,
            Arc::clone(&dispatcher.rooms),
        )),
        share: Room::new(limits.connection_bytes_max),
    });
    let (sink, stream) = socket.split();
    let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
    let writing = tokio::spawn(write(sink, queue, limits.ping_every));
    let (calls, pumps) = (JoinSet::new(), JoinSet::new());
    let connection =
        Connection { dispatcher, peer, arriving, outgoing, calls, pumps, is_crowded: false };
    let stream = connection.run(stream).await;
    match writing.await {
        Ok(sink) => {
            if let Some(Ok(socket)) = stream.map(|stream| sink.reunite(stream)) {
                socket.into_inner().hear_out().await;
            }
        }
        Err(error) => tracing::error!(%error, "the writer of a connection panicked"),
    }
}

struct Connection {
    dispatcher: Dispatcher,
    peer: Arc<Peer>,
    arriving: Arc<Arriving>,
    outgoing: mpsc::Sender<Outgoing>,
    /// Messages under way; each ends with the subscriptions that it began.
    calls: JoinSet<Vec<Started>>,
    /// Subscriptions.
    pumps: JoinSet<()>,
    /// There was no room for the last message: the next is not made to wait for some as well.
    is_crowded: bool,
}

/// Why the server ends a connection.
struct Goodbye(CloseCode, &'static str);

impl Connection {
    /// Gives `stream` back when it is the server that says goodbye.
    async fn run(mut self, mut stream: SplitStream<Socket>) -> Option<SplitStream<Socket>> {
        let Goodbye(code, reason) = self.read(&mut stream).await?;
        self.drain().await;
        let frame = CloseFrame { code, reason: reason.into() };
        // A client that takes nothing any more does not hear it either.
        drop(timeout(SEND_TIMEOUT, self.outgoing.send(Outgoing::Close(frame))).await);
        Some(stream)
    }

    /// Reads until one side ends it; `None` when the client is gone.
    async fn read(&mut self, stream: &mut SplitStream<Socket>) -> Option<Goodbye> {
        let limits = Arc::clone(&self.dispatcher.limits);
        let stop = self.dispatcher.api.stop.clone();
        let key = self.peer.caller.key.as_ref();
        // One that is never cancelled where there is no key.
        let revoked = key.map_or_else(CancellationToken::new, |held| held.over.clone());
        let mut heard = Instant::now();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let may_read = self.calls.len() < limits.in_flight_max;
            let message = tokio::select! {
                () = stop.cancelled() => {
                    return Some(Goodbye(CloseCode::Away, "the server stops"));
                }
                () = revoked.cancelled() => {
                    return Some(Goodbye(CloseCode::Policy, "the key does not hold any more"));
                }
                () = self.outgoing.closed() => return None,
                Some(ended) = self.calls.join_next() => {
                    self.start(ended.unwrap_or_default());
                    continue;
                }
                Some(_) = self.pumps.join_next() => continue,
                () = sleep_until(heard + limits.silence_max), if may_read => {
                    return Some(Goodbye(CloseCode::Policy, "nothing was heard for too long"));
                }
                _ = look.tick(), if may_read => {
                    if self.arriving.is_late(limits.body_timeout) {
                        self.refuse("slow", late(limits.body_timeout)).await;
                        return Some(Goodbye(CloseCode::Again, "the message did not arrive"));
                    }
                    continue;
                }
                message = stream.next(), if may_read => message?,
            };
            heard = Instant::now();
            match message {
                Ok(Message::Text(text)) => self.take(text.into()).await,
                Ok(Message::Binary(bytes)) => self.take(bytes).await,
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                    drop(self.arriving.take());
                }
                Err(Error::Capacity(_)) => {
                    self.refuse("size", too_large(limits.request_bytes_max)).await;
                    return Some(Goodbye(CloseCode::Size, "the message is too large"));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
            }
        }
    }

    /// Carries out a message beside the others, if there is room for it.
    async fn take(&mut self, message: Bytes) {
        let (mut held, arrived_bytes) = self.arriving.take();
        let waits = self.dispatcher.limits.call_patience;
        let patience = if self.is_crowded { Duration::ZERO } else { waits };
        let admitted = self.dispatcher.admit(&message, arrived_bytes, &self.peer, patience).await;
        self.is_crowded = admitted.is_err();
        match admitted {
            Ok(more) => held.add(more),
            Err(refused) => {
                if let Some(text) = refused.text {
                    self.outgoing.send(Outgoing::Text(text, refused.held)).await.ok();
                }
                return;
            }
        }
        let (dispatcher, peer) = (self.dispatcher.clone(), Arc::clone(&self.peer));
        let outgoing = self.outgoing.clone();
        self.calls.spawn(async move {
            let mut answer = dispatcher.answer(&message, &peer).await;
            answer.held.add(held);
            if let Some(text) = answer.text {
                // Without a reader it is not sent, and the connection ends.
                outgoing.send(Outgoing::Text(text, answer.held)).await.ok();
            }
            answer.started
        });
    }

    /// Begins subscriptions whose ids are on their way.
    fn start(&mut self, started: Vec<Started>) {
        for subscription in started {
            let outgoing = self.outgoing.clone();
            self.pumps.spawn(subscription.run(async move |text: String, held| {
                outgoing.send(Outgoing::Text(text, held)).await.is_ok()
            }));
        }
    }

    /// There is no telling what was asked: the id is null.
    async fn refuse(&self, reason: &'static str, error: ApiError) {
        metric::refused(reason);
        let text = message::response(None, &Err(error));
        self.outgoing.send(Outgoing::Text(text, Held::default())).await.ok();
    }

    /// Lets the calls under way end.
    async fn drain(&mut self) {
        let ended = async { while self.calls.join_next().await.is_some() {} };
        let patience = self.dispatcher.limits.drain_timeout;
        if timeout(patience, ended).await.is_err() {
            tracing::info!(left = self.calls.len(), "calls were still under way at the end");
        }
    }
}

/// What is said of a message that takes too long to arrive.
fn late(patience: Duration) -> ApiError {
    let message = format!(
        "the message did not arrive within {patience:?}, or there was no room for it; connect again \
         and send it again, or less at once"
    );
    ApiError::new(Code::Limit, message).reason("busy")
}
