//! What a connection is read through: no more is read of a message than there is room for.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::{Instant, timeout},
};

use super::{
    room::{Held, wait_for},
    weight::{ARRIVING_BYTES, Rooms},
};

/// How long, and how much, a client that was told goodbye may go on sending.
const HEARD_OUT_TIME: Duration = Duration::from_secs(5);
const HEARD_OUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// One that sends nothing for this long has had time to read what it was told: a stop does not wait
/// for clients that keep their side open.
const HEARD_OUT_SILENCE: Duration = Duration::from_secs(1);
const HEARD_OUT_PIECE_BYTES: usize = 8 * 1024;

/// A stream of bytes that is read while there is room.
pub(super) struct Inlet<S> {
    stream: S,
    arriving: Arc<Arriving>,
    rooms: Arc<Rooms>,
    waiting: Option<BoxFuture<'static, Held>>,
}

/// The message that is on its way.
#[derive(Default)]
pub(super) struct Arriving(Mutex<State>);

#[derive(Default)]
struct State {
    bytes: usize,
    held: Held,
    held_bytes: usize,
    /// Since when memory is held for it.
    since: Option<Instant>,
}

impl Arriving {
    /// The memory that the message took that is there now, and how much it is. The next one begins.
    pub(super) fn take(&self) -> (Held, usize) {
        let State { held, held_bytes, .. } = std::mem::take(&mut *self.lock());
        (held, held_bytes)
    }

    /// Whether a message that takes memory has been on its way for longer than `patience`.
    pub(super) fn is_late(&self, patience: Duration) -> bool {
        self.lock().since.is_some_and(|since| since.elapsed() > patience)
    }

    /// Whether it takes memory to read `more` bytes.
    fn must_ask_for(&self, more: usize) -> bool {
        let mut state = self.lock();
        let must_ask = state.bytes + more > ARRIVING_BYTES + state.held_bytes;
        if must_ask {
            state.since.get_or_insert_with(Instant::now);
        }
        must_ask
    }

    fn grant(&self, held: Held) {
        let mut state = self.lock();
        state.held.add(held);
        state.held_bytes += ARRIVING_BYTES;
    }

    fn came(&self, bytes: usize) {
        self.lock().bytes += bytes;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Inlet<S> {
    /// Reads from `stream`, and says in `arriving` what for.
    pub(super) fn new(stream: S, arriving: Arc<Arriving>, rooms: Arc<Rooms>) -> Self {
        Self { stream, arriving, rooms, waiting: None }
    }

    /// Waits until there is room for `more` bytes.
    fn poll_room(&mut self, cx: &mut Context<'_>, more: usize) -> Poll<()> {
        while self.arriving.must_ask_for(more) {
            let rooms = &self.rooms;
            let waiting = self.waiting.get_or_insert_with(|| {
                let rooms = Arc::clone(rooms);
                Box::pin(async move { wait_for(&rooms.arrivals(), ARRIVING_BYTES).await })
            });
            let held = ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
            self.arriving.grant(held);
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inlet<S> {
    /// Ends what is sent, and throws away what still comes, for a while: if the connection were
    /// dropped with something unread in it, the client would lose what it was told last.
    pub(super) async fn hear_out(mut self) {
        // No message is on its way any more that memory would have to be held for.
        self.waiting = None;
        drop(self.arriving.take());
        let to_its_end = async {
            self.stream.shutdown().await?;
            let mut rest = (&mut self.stream).take(HEARD_OUT_BYTES_MAX);
            let mut thrown_away = vec![0; HEARD_OUT_PIECE_BYTES];
            while timeout(HEARD_OUT_SILENCE, rest.read(&mut thrown_away)).await?? > 0 {}
            io::Result::Ok(())
        };
        // Gone, or not: there is nothing more to say.
        drop(timeout(HEARD_OUT_TIME, to_its_end).await);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Inlet<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let more = buffer.remaining().min(ARRIVING_BYTES);
        ready!(self.poll_room(cx, more));
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(more));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let came = part.filled().len();
        buffer.advance(came);
        self.arriving.came(came);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Inlet<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;
    use crate::server::{Limits, room::try_take};

    #[tokio::test]
    async fn a_message_is_read_as_far_as_there_is_room_and_on_when_there_is() {
        let limits = Limits { calls_bytes_max: 256 * 1024, ..Limits::default() };
        let rooms = Arc::new(Rooms::new(&limits));
        let others = try_take(&rooms.arrivals(), 160 * 1024).expect("it is empty");
        let (mut client, server) = duplex(1024 * 1024);
        client.write_all(&vec![7; 100 * 1024]).await.expect("sent");
        let arriving = Arc::new(Arriving::default());
        let mut inlet = Inlet::new(server, Arc::clone(&arriving), Arc::clone(&rooms));
        let mut came = 0;
        let mut buffer = vec![0; 4096];
        while let Ok(read) =
            tokio::time::timeout(Duration::from_millis(50), inlet.read(&mut buffer)).await
        {
            came += read.expect("it is there");
        }
        // 16 without asking, and what 192 for reads less 160 leave.
        assert_eq!(came, 48 * 1024);
        assert!(arriving.is_late(Duration::ZERO));
        drop(others);
        while came < 100 * 1024 {
            came += inlet.read(&mut buffer).await.expect("there is room");
        }
        let (held, bytes) = arriving.take();
        assert_eq!(bytes, 96 * 1024);
        assert_eq!(rooms.calls.held_bytes(), 96 * 1024);
        drop(held);
        assert_eq!(rooms.calls.held_bytes(), 0);
        assert!(!arriving.is_late(Duration::ZERO));
    }
}
