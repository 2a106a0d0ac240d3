//! A stream whose other end has to take what it is sent.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// Fails when nothing that is to be sent goes out for some time: a client that asks and does not read
/// would hold for ever what it asked for.
pub(super) struct Paced<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to go out.
    stuck: Pin<Box<Sleep>>,
    is_stuck: bool,
}

impl<S> Paced<S> {
    /// Over `stream`, with so much patience.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, stuck: Box::pin(sleep(patience)), is_stuck: false }
    }

    /// What has become of an attempt to send.
    fn pace<T>(
        &mut self,
        sent: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.is_stuck = false;
            return sent;
        }
        if !self.is_stuck {
            self.is_stuck = true;
            self.stuck.as_mut().reset(Instant::now() + self.patience);
        }
        self.stuck.as_mut().poll(context).map(|()| {
            let message = "the client takes nothing of what it is sent";
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pace(sent, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.pace(sent, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(context);
        self.pace(sent, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_shutdown(context);
        self.pace(sent, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_is_slow_is_not() {
        const PATIENCE: Duration = Duration::from_secs(30);
        let (mut client, server) = duplex(4);
        let mut server = Paced::new(server, PATIENCE);
        let reader = tokio::spawn(async move {
            for _ in 0..4 {
                sleep(PATIENCE.saturating_sub(Duration::from_secs(1))).await;
                client.read_exact(&mut [0; 4]).await.expect("read");
            }
            client
        });
        server.write_all(&[0; 20]).await.expect("each piece goes out in time");
        let _client = reader.await.expect("no panic");
        let error = server.write_all(&[0; 5]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
