//! Private NATS and Postgres servers, for a stand and for tests.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::DevError;
use super::keeper::{self, Line, Started};
use super::kept::Order;
use super::state::StateDir;

/// One of the servers that a stand consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Server {
    /// nats-server with `JetStream`.
    Nats,
    /// Postgres with an empty database `kantoku`.
    Postgres,
}

impl Server {
    pub(super) const ALL: [Self; 2] = [Self::Nats, Self::Postgres];

    /// The name of its directory and log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats => "nats-server",
            Self::Postgres => "Postgres",
        })
    }
}

/// When `JetStream` syncs what it was given to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SyncPolicy {
    /// Before every acknowledgement: nothing acknowledged is lost even when the power fails.
    Always,
    /// Every 100 ms: nothing acknowledged is lost when a process dies.
    #[default]
    Interval,
}

impl SyncPolicy {
    /// How often it syncs, unless always.
    pub const INTERVAL: Duration = Duration::from_millis(100);

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Interval => "interval",
        }
    }
}

/// Where a server comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A child process in the state directory.
    Private,
    /// The user's own, by URL; it is not touched.
    External(String),
    /// Not wanted.
    Off,
}

/// Which servers to run, where and how.
#[derive(Clone, Debug)]
pub struct ServersConfig {
    /// Everything the servers keep; empty, absent, or left by an earlier start.
    pub state_dir: PathBuf,
    /// Where NATS comes from.
    pub nats: Source,
    /// Where Postgres comes from.
    pub postgres: Source,
    /// When the private `JetStream` syncs.
    pub sync: SyncPolicy,
    /// Appended to the private nats-server's configuration, in its language.
    pub nats_extra: String,
    /// The `ktk` binary, by which the servers are launched.
    pub launcher: PathBuf,
    /// Where the server binaries are, or are to be installed; by default they are searched for.
    pub tools_dir: Option<PathBuf>,
}

impl ServersConfig {
    /// Both servers, private, in `state_dir`, launched by the running program.
    pub fn new(state_dir: impl Into<PathBuf>) -> Result<Self, DevError> {
        let launcher = std::env::current_exe().map_err(DevError::file(
            "find the running program in",
            std::path::Path::new("/proc"),
        ))?;
        Ok(Self {
            state_dir: state_dir.into(),
            nats: Source::Private,
            postgres: Source::Private,
            sync: SyncPolicy::default(),
            nats_extra: String::new(),
            launcher,
            tools_dir: None,
        })
    }

    /// With the servers that `KTK_NATS_URL` and `KTK_DATABASE_URL` name instead of private ones.
    #[must_use]
    pub fn external_from_env(mut self) -> Self {
        let external = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
        if let Some(url) = external("KTK_NATS_URL") {
            self.nats = Source::External(url);
        }
        if let Some(url) = external("KTK_DATABASE_URL") {
            self.postgres = Source::External(url);
        }
        self
    }

    /// Whether anything is to be started at all.
    pub(super) fn any_private(&self) -> bool {
        self.nats == Source::Private || self.postgres == Source::Private
    }
}

/// Running servers. They die with this value, and with the process however it ends; a server that dies
/// by itself is started again on the same port.
pub struct Servers {
    nats_url: Option<String>,
    database_url: Option<String>,
    nats: Handle,
    postgres: Handle,
}

impl Servers {
    /// Starts what is private and returns when all of it is ready. The first start in a directory takes a few
    /// seconds; if the server binaries have to be installed, a minute.
    pub async fn start(config: &ServersConfig) -> Result<Self, DevError> {
        let (nats, nats_line) = Handle::new(&config.nats);
        let (postgres, postgres_line) = Handle::new(&config.postgres);
        let mut started = Started { nats_url: None, database_url: None };
        if config.any_private() {
            let (send, receive) = oneshot::channel();
            keeper::spawn(config.clone(), nats_line, postgres_line, send)
                .map_err(DevError::file("start a thread for", &config.state_dir))?;
            started = receive.await.unwrap_or(Err(DevError::Stopped))?;
        } else {
            StateDir::at(&config.state_dir)?.create()?;
        }
        Ok(Self {
            nats_url: started.nats_url.or_else(|| external(&config.nats)),
            database_url: started.database_url.or_else(|| external(&config.postgres)),
            nats,
            postgres,
        })
    }

    /// The URL of NATS with user and password, never to be logged; `None` when it is off.
    pub fn nats_url(&self) -> Option<&str> {
        self.nats_url.as_deref()
    }

    /// The URL of the database with user and password, never to be logged; `None` when it is off.
    pub fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref()
    }

    /// The process id of a private server; `None` while it is down, or when it is not private.
    pub fn pid(&self, server: Server) -> Option<u32> {
        self.handle(server).pid()
    }

    /// Kills a private server with -9 and keeps it down until [`Self::restart`]. Returns when it is dead.
    pub async fn kill(&self, server: Server) -> Result<(), DevError> {
        self.handle(server).order(Order::Kill).await
    }

    /// Starts a private server on the same port and data, after a kill -9 if it runs. Returns when it is ready.
    pub async fn restart(&self, server: Server) -> Result<(), DevError> {
        self.handle(server).order(Order::Restart).await?
    }

    /// Ends the private servers in good order, and those that take more than ten seconds with -9.
    pub async fn stop(self) -> Result<(), DevError> {
        let (nats, postgres) = tokio::join!(self.nats.stop(), self.postgres.stop());
        nats.and(postgres)
    }

    fn handle(&self, server: Server) -> &Handle {
        match server {
            Server::Nats => &self.nats,
            Server::Postgres => &self.postgres,
        }
    }
}

/// The near end of the line to the keeper of one server.
struct Handle {
    /// Whether there is anything to keep.
    private: bool,
    orders: mpsc::Sender<Order>,
    pid: Arc<AtomicU32>,
}

impl Handle {
    /// One order at a time; whoever gives more waits.
    const ORDERS_MAX: usize = 1;

    fn new(source: &Source) -> (Self, Line) {
        let (send, receive) = mpsc::channel(Self::ORDERS_MAX);
        let pid = Arc::new(AtomicU32::new(0));
        let line = Line { orders: receive, pid: Arc::clone(&pid) };
        (Self { private: *source == Source::Private, orders: send, pid }, line)
    }

    fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    async fn stop(&self) -> Result<(), DevError> {
        if self.private { self.order(Order::Stop).await } else { Ok(()) }
    }

    /// Gives an order and waits until it was carried out.
    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, DevError> {
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| DevError::Stopped)?;
        answer.await.map_err(|_| DevError::Stopped)
    }
}

fn external(source: &Source) -> Option<String> {
    match source {
        Source::External(url) => Some(url.clone()),
        Source::Private | Source::Off => None,
    }
}
