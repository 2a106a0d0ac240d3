//! The thread that the private servers live on.
//!
//! The kernel sends the death signal when the *thread* that forked ends, so every server is forked by one
//! thread that lives as long as they are wanted. It has a runtime of its own and so outlives the
//! runtime of whoever asked for the servers.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use super::kept::{Kept, Order};
use super::nats::Nats;
use super::postgres::Postgres;
use super::process::until;
use super::servers::{ServersConfig, Source};
use super::state::{Ports, Secrets, StateDir};
use super::tools::Tools;
use super::{DevError, Server, logs};

/// How one kind of server is run.
pub(super) trait Program {
    const SERVER: Server;
    /// Ends it in good order.
    const STOP_SIGNAL: Signal;
    /// Ends it when its keeper dies.
    const DEATH_SIGNAL: Signal;

    /// Prepares a start on `port` and gives the command for it.
    fn command(&self, port: u16) -> Result<Command, DevError>;

    /// Looks once whether the process `pid` serves on `port`.
    async fn is_ready(&self, pid: u32, port: u16) -> bool;
}

/// The URLs of the servers that were started.
pub(super) struct Started {
    pub(super) nats_url: Option<String>,
    pub(super) database_url: Option<String>,
}

/// What the keeper's thread needs of one server.
pub(super) struct Line {
    pub(super) orders: mpsc::Receiver<Order>,
    /// 0 while the server is down.
    pub(super) pid: Arc<AtomicU32>,
}

/// Starts the thread. It answers once by `started`, and ends when both servers were stopped or the senders of
/// both lines are gone.
pub(super) fn spawn(
    config: ServersConfig,
    nats: Line,
    postgres: Line,
    started: oneshot::Sender<Result<Started, DevError>>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("ktk-servers".into()).spawn(move || {
        runtime.block_on(run(config, nats, postgres, started));
    })?;
    Ok(())
}

async fn run(
    config: ServersConfig,
    nats: Line,
    postgres: Line,
    mut started: oneshot::Sender<Result<Started, DevError>>,
) {
    let begun = tokio::select! {
        begun = start(config, &nats.pid, &postgres.pid) => begun,
        () = started.closed() => return,
    };
    let servers = match begun {
        Ok(servers) => servers,
        Err(error) => {
            started.send(Err(error)).ok();
            return;
        }
    };
    let urls = Started {
        nats_url: servers.nats.as_ref().map(|kept| kept.program().url(kept.port())),
        database_url: servers.postgres.as_ref().map(|kept| kept.program().url(kept.port())),
    };
    if started.send(Ok(urls)).is_err() {
        return;
    }
    let log_paths = Server::ALL.map(|server| servers.ground.state.log(server.name()));
    let keep_both = async {
        tokio::join!(keep(servers.nats, nats.orders), keep(servers.postgres, postgres.orders))
    };
    tokio::select! {
        _ = keep_both => {}
        () = logs::keep_small(&log_paths) => {}
    }
}

async fn keep<P: Program>(kept: Option<Kept<P>>, orders: mpsc::Receiver<Order>) {
    if let Some(kept) = kept {
        kept.keep(orders).await;
    }
}

struct Servers {
    ground: Ground,
    nats: Option<Kept<Nats>>,
    postgres: Option<Kept<Postgres>>,
}

async fn start(
    config: ServersConfig,
    nats_pid: &Arc<AtomicU32>,
    postgres_pid: &Arc<AtomicU32>,
) -> Result<Servers, DevError> {
    let ground = Ground::prepare(config).await?;
    match tokio::join!(ground.start_nats(nats_pid), ground.start_postgres(postgres_pid)) {
        (Ok(nats), Ok(postgres)) => {
            ground.remember_ports(nats.as_ref(), postgres.as_ref())?;
            Ok(Servers { ground, nats, postgres })
        }
        // One without the other is of no use.
        (nats, Err(error)) => {
            end(nats).await;
            Err(error)
        }
        (Err(error), postgres) => {
            end(postgres).await;
            Err(error)
        }
    }
}

async fn end<P: Program>(started: Result<Option<Kept<P>>, DevError>) {
    if let Ok(Some(mut kept)) = started {
        kept.kill().await;
    }
}

/// What both servers stand on.
struct Ground {
    config: ServersConfig,
    tools: Tools,
    state: StateDir,
    secrets: Secrets,
    ports: Ports,
    /// Held for as long as the servers use the directory.
    _lock: File,
}

impl Ground {
    async fn prepare(config: ServersConfig) -> Result<Self, DevError> {
        let tools = Tools::find_or_install(config.tools_dir.as_deref())?;
        let state = StateDir::at(&config.state_dir)?;
        state.create()?;
        let lock = lock(&state).await?;
        let secrets = state.secrets()?;
        let ports = state.ports()?;
        Ok(Self { config, tools, state, secrets, ports, _lock: lock })
    }

    async fn start_nats(&self, pid: &Arc<AtomicU32>) -> Result<Option<Kept<Nats>>, DevError> {
        let config = &self.config;
        if config.nats != Source::Private {
            return Ok(None);
        }
        let nats = Nats::new(
            config.launcher.clone(),
            self.tools.nats_server.clone(),
            &self.state,
            self.secrets.nats.clone(),
            config.sync,
            config.nats_extra.clone(),
        );
        let kept = Kept::start(nats, &self.state, self.ports.nats, Arc::clone(pid));
        kept.await.map(Some)
    }

    async fn start_postgres(
        &self,
        pid: &Arc<AtomicU32>,
    ) -> Result<Option<Kept<Postgres>>, DevError> {
        if self.config.postgres != Source::Private {
            return Ok(None);
        }
        let postgres = Postgres::prepare(
            self.config.launcher.clone(),
            self.tools.postgres_bin.clone(),
            &self.state,
            self.secrets.postgres.clone(),
        );
        let postgres = postgres.await?;
        let kept = Kept::start(postgres, &self.state, self.ports.postgres, Arc::clone(pid));
        kept.await.map(Some)
    }

    /// The next start asks for the same ports, so that URLs stay good.
    fn remember_ports(
        &self,
        nats: Option<&Kept<Nats>>,
        postgres: Option<&Kept<Postgres>>,
    ) -> Result<(), DevError> {
        self.state.remember_ports(Ports {
            nats: nats.map(Kept::port).or(self.ports.nats),
            postgres: postgres.map(Kept::port).or(self.ports.postgres),
        })
    }
}

/// A predecessor that was just told to go may need a moment.
async fn lock(state: &StateDir) -> Result<File, DevError> {
    const LIMIT: Duration = Duration::from_secs(15);
    let mut taken = Ok(None);
    until(LIMIT, || {
        taken = state.try_lock("servers.lock");
        !matches!(taken, Ok(None))
    })
    .await;
    taken?.ok_or_else(|| DevError::InUse(state.root().to_owned()))
}
