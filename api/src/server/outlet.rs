//! What goes out on a connection: queued, a bounded number of messages, each with the memory that
//! it takes until it is sent.

use std::time::Duration;

use axum::body::Bytes;
use futures::{SinkExt as _, stream::SplitSink};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::{room::Held, socket::Socket};

/// Messages that wait to be sent.
pub(super) const OUTGOING_MAX: usize = 64;

/// A client that takes no message for this long is given up.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// A longer text goes out in fragments of this length: the buffer that it goes through keeps for
/// good what the longest frame took.
pub(super) const FRAGMENT_BYTES: usize = 16 * 1024;

/// Something to send.
pub(super) enum Outgoing {
    /// An answer or a notification.
    Text(String, Held),
    /// The end.
    Close(CloseFrame),
}

type Sink = SplitSink<Socket, Message>;

/// Sends what is queued, together where there is more than one; and pings. Gives `sink` back when
/// there is nothing more to send, or nobody to send it to.
pub(super) async fn write(
    mut sink: Sink,
    mut queue: mpsc::Receiver<Outgoing>,
    ping_every: Duration,
) -> Sink {
    let mut ping = interval(ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            first = queue.recv() => match first {
                Some(first) => timeout(SEND_TIMEOUT, send(&mut sink, first, &mut queue)).await,
                None => return sink,
            },
            _ = ping.tick() => {
                let pinged = async {
                    sink.send(Message::Ping(Bytes::new())).await?;
                    Ok(false)
                };
                timeout(SEND_TIMEOUT, pinged).await
            }
        };
        if !matches!(sent, Ok(Ok(false))) {
            return sink;
        }
    }
}

/// Sends a message and what waits behind it. Says whether it was the last.
async fn send(
    sink: &mut Sink,
    first: Outgoing,
    queue: &mut mpsc::Receiver<Outgoing>,
) -> Result<bool, Error> {
    let mut unsent = Held::default();
    let behind = std::iter::from_fn(|| queue.try_recv().ok()).take(OUTGOING_MAX);
    for outgoing in std::iter::once(first).chain(behind) {
        match outgoing {
            Outgoing::Text(text, held) => {
                unsent.add(held);
                feed(sink, text).await?;
            }
            Outgoing::Close(frame) => {
                sink.send(Message::Close(Some(frame))).await?;
                return Ok(true);
            }
        }
    }
    sink.flush().await?;
    Ok(false)
}

async fn feed(sink: &mut Sink, text: String) -> Result<(), Error> {
    if text.len() <= FRAGMENT_BYTES {
        return sink.feed(Message::text(text)).await;
    }
    let mut rest = Bytes::from(text);
    let mut kind = Data::Text;
    while !rest.is_empty() {
        let fragment = rest.split_to(rest.len().min(FRAGMENT_BYTES));
        let frame = Frame::message(fragment, OpCode::Data(kind), rest.is_empty());
        sink.feed(Message::Frame(frame)).await?;
        kind = Data::Continue;
    }
    Ok(())
}
