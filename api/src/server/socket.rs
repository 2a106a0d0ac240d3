//! One WebSocket connection: messages are carried out side by side, answers and notifications go
//! out through one bounded queue. A client that does not read is not read from.

use std::{error::Error as _, sync::Arc, time::Duration};

use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, close_code};
use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::{
    Caller,
    dispatch::{Dispatcher, Peer},
    message, metric,
    subscriptions::{Started, Subscriptions},
};
use crate::{ApiError, Code};

/// Messages that wait to be sent.
const OUTGOING_MAX: usize = 64;

/// A client that takes no message for this long is given up.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// What is said of a message that is longer than `bytes_max`.
pub(super) fn too_large(bytes_max: usize) -> String {
    format!("the message has more than {bytes_max} bytes, which is the limit; send less at once")
}

/// Serves a connection to its end.
pub(super) async fn serve(socket: WebSocket, dispatcher: Dispatcher, caller: Caller) {
    let _open = metric::Open::connection();
    let limits = &dispatcher.api.config.limits;
    let subscriptions = Some(Subscriptions::new(limits.subscriptions_max));
    let peer = Arc::new(Peer { caller, subscriptions });
    let (sink, stream) = socket.split();
    let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
    let writing = tokio::spawn(write(sink, queue, limits.ping_every));
    let (calls, pumps) = (JoinSet::new(), JoinSet::new());
    Connection { dispatcher, peer, outgoing, calls, pumps }.run(stream).await;
    if let Err(error) = writing.await {
        tracing::error!(%error, "the writer of a connection panicked");
    }
}

struct Connection {
    dispatcher: Dispatcher,
    peer: Arc<Peer>,
    outgoing: mpsc::Sender<Message>,
    /// Messages under way; each ends with the subscriptions that it began.
    calls: JoinSet<Vec<Started>>,
    /// Subscriptions.
    pumps: JoinSet<()>,
}

/// Why the server ends a connection.
struct Goodbye(CloseCode, &'static str);

impl Connection {
    async fn run(mut self, stream: SplitStream<WebSocket>) {
        if let Some(Goodbye(code, reason)) = self.read(stream).await {
            self.drain().await;
            let frame = CloseFrame { code, reason: reason.into() };
            // A client that takes nothing any more does not hear it either.
            drop(timeout(SEND_TIMEOUT, self.outgoing.send(Message::Close(Some(frame)))).await);
        }
    }

    /// Reads until one side ends it; `None` when the client is gone.
    async fn read(&mut self, mut stream: SplitStream<WebSocket>) -> Option<Goodbye> {
        let api = Arc::clone(&self.dispatcher.api);
        let limits = &api.config.limits;
        let mut heard = Instant::now();
        loop {
            let may_read = self.calls.len() < limits.in_flight_max;
            let message = tokio::select! {
                () = api.stop.cancelled() => {
                    return Some(Goodbye(close_code::AWAY, "the server stops"));
                }
                () = self.outgoing.closed() => return None,
                Some(ended) = self.calls.join_next() => {
                    self.start(ended.unwrap_or_default());
                    continue;
                }
                Some(_) = self.pumps.join_next() => continue,
                () = sleep_until(heard + limits.silence_max), if may_read => {
                    return Some(Goodbye(close_code::POLICY, "nothing was heard for too long"));
                }
                message = stream.next(), if may_read => message?,
            };
            heard = Instant::now();
            match message {
                Ok(Message::Text(text)) => self.take(text.into()),
                Ok(Message::Binary(bytes)) => self.take(bytes),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Err(error) if is_too_large(&error) => {
                    self.refuse(too_large(limits.request_bytes_max)).await;
                    return Some(Goodbye(close_code::SIZE, "the message is too large"));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
            }
        }
    }

    /// Carries out a message beside the others.
    fn take(&mut self, message: axum::body::Bytes) {
        let (dispatcher, peer) = (self.dispatcher.clone(), Arc::clone(&self.peer));
        let outgoing = self.outgoing.clone();
        self.calls.spawn(async move {
            let answer = dispatcher.answer(&message, &peer).await;
            if let Some(text) = answer.text {
                // Without a reader it is not sent, and the connection ends.
                outgoing.send(Message::Text(text.into())).await.ok();
            }
            answer.started
        });
    }

    /// Begins subscriptions whose ids are on their way.
    fn start(&mut self, started: Vec<Started>) {
        for subscription in started {
            let outgoing = self.outgoing.clone();
            self.pumps.spawn(subscription.run(async move |text: String| {
                outgoing.send(Message::Text(text.into())).await.is_ok()
            }));
        }
    }

    /// There is no telling what was asked: the id is null.
    async fn refuse(&self, message: String) {
        metric::refused("size");
        let error = ApiError::new(Code::Limit, message);
        let text = message::response(None, &Err(error));
        self.outgoing.send(Message::Text(text.into())).await.ok();
    }

    /// Lets the calls under way end.
    async fn drain(&mut self) {
        let ended = async { while self.calls.join_next().await.is_some() {} };
        let patience = self.dispatcher.api.config.limits.drain_timeout;
        if timeout(patience, ended).await.is_err() {
            tracing::info!(left = self.calls.len(), "calls were still under way at the end");
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(tungstenite::Error::Capacity(_)))
}

/// Sends what is queued, together where there is more than one; and pings.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<Message>,
    ping_every: Duration,
) {
    let mut ping = interval(ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            message = queue.recv() => message,
            _ = ping.tick() => Some(Message::Ping(axum::body::Bytes::new())),
        };
        let Some(first) = first else { break };
        let mut is_last = matches!(first, Message::Close(_));
        let sent = async {
            sink.feed(first).await?;
            while !is_last && let Ok(next) = queue.try_recv() {
                is_last = matches!(next, Message::Close(_));
                sink.feed(next).await?;
            }
            sink.flush().await
        };
        let sent = timeout(SEND_TIMEOUT, sent).await;
        if !matches!(sent, Ok(Ok(()))) || is_last {
            return;
        }
    }
}
