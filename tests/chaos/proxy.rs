//! A line between a process and a server that can be cut, slowed down and held.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

const CHUNK_BYTES: usize = 64 * 1024;

/// How a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything passes.
    Open,
    /// Connections are closed, and new ones at once.
    Cut,
    /// Nothing passes, and nobody is told.
    Held,
    /// What the server answers does not pass.
    AnswersHeld,
    /// Each piece takes so long.
    Slow(Duration),
}

/// Listens on a port of its own for a server on another.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    line: watch::Sender<Line>,
    listening: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?)).await?;
        let port = listener.local_addr()?.port();
        let (line, state) = watch::channel(Line::Open);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, state.clone()));
            }
        });
        Ok(Self { port, line, listening })
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// A port that nobody listens on, below those that connections are given: whoever dials a port of
/// that range while nobody listens may be connected to himself.
pub(crate) fn free_port() -> io::Result<u16> {
    for _ in 0..100 {
        let port = rand::random_range(10_000..30_000);
        if std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

async fn carry(client: TcpStream, server: u16, state: watch::Receiver<Line>) {
    let mut cut = state.clone();
    let is_cut = cut.wait_for(|line| *line == Line::Cut);
    let both = async {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let asks = pump(from_client, to_server, state.clone(), |line| line != Line::Held);
        let answers = pump(from_server, to_client, state.clone(), |line| {
            line != Line::Held && line != Line::AnswersHeld
        });
        // The end of either is the end of both, as with a process that dies.
        tokio::select! {
            done = asks => done,
            done = answers => done,
        }
    };
    tokio::select! {
        _ = is_cut => {}
        // Whoever is connected sees the connection end.
        _ = both => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<Line>,
    passes: impl Fn(Line) -> bool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        let line = *state.wait_for(|line| passes(*line)).await.map_err(io::Error::other)?;
        if let Line::Slow(delay) = line {
            sleep(delay).await;
            state.wait_for(|line| passes(*line)).await.map_err(io::Error::other)?;
        }
        to.write_all(&chunk[..length]).await?;
    }
}
