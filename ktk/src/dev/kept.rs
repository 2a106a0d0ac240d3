//! One private server that is kept running.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};

use super::keeper::Program;
use super::process::ProcId;
use super::state::{StateDir, remove_file, write_json};
use super::{DevError, logs, ports};

/// Recovering a large store takes a while.
const READY_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const PORT_TRIES_MAX: usize = 10;
const LOG_TAIL_LINES: usize = 20;

/// What can be ordered of a kept server. The answers come when it is done.
pub(super) enum Order {
    /// Kill -9, and keep it down.
    Kill(oneshot::Sender<()>),
    /// Start it on its port, after a kill -9 if it runs.
    Restart(oneshot::Sender<Result<(), DevError>>),
    /// End it in good order, and keep it no more.
    Stop(oneshot::Sender<()>),
}

/// A server, its process, and how often it has failed lately.
pub(super) struct Kept<P> {
    program: P,
    state: StateDir,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
    /// The pid for others to see, 0 while the server is down.
    pid: Arc<AtomicU32>,
    /// Down by order: not to be revived.
    held: bool,
    backoff: Backoff,
}

impl<P: Program> Kept<P> {
    /// Starts the server on the port that it had last time if that is free, else on another.
    pub(super) async fn start(
        program: P,
        state: &StateDir,
        port: Option<u16>,
        pid: Arc<AtomicU32>,
    ) -> Result<Self, DevError> {
        let name = P::SERVER.name();
        end_leftover(state, name).await?;
        let mut kept = Self {
            program,
            state: state.clone(),
            log: state.log(name),
            port: 0,
            child: None,
            pid,
            held: false,
            backoff: Backoff::new(),
        };
        let mut wanted = port.filter(|port| ports::is_free(*port));
        for _ in 1..PORT_TRIES_MAX {
            kept.port = wanted.take().map_or_else(|| kept.other_port(), Ok)?;
            match kept.launch().await {
                Err(_) if !ports::is_free(kept.port) => {
                    tracing::debug!(
                        server = name,
                        port = kept.port,
                        "the port was taken meanwhile"
                    );
                }
                result => return result.map(|()| kept),
            }
        }
        kept.port = kept.other_port()?;
        kept.launch().await.map(|()| kept)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn program(&self) -> &P {
        &self.program
    }

    /// Keeps the server running and carries out orders until it is told to stop or nobody can order any more.
    pub(super) async fn keep(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let order = tokio::select! {
                biased;
                order = orders.recv() => order,
                () = self.watch() => continue,
            };
            match order {
                Some(Order::Kill(done)) => {
                    self.held = true;
                    self.kill().await;
                    done.send(()).ok();
                }
                Some(Order::Restart(done)) => {
                    self.held = false;
                    self.kill().await;
                    done.send(self.restart().await).ok();
                }
                Some(Order::Stop(done)) => {
                    self.stop().await;
                    done.send(()).ok();
                    return;
                }
                None => return self.kill().await,
            }
        }
    }

    /// Waits for the server to end and starts it again. May be cancelled at any point.
    async fn watch(&mut self) {
        match &mut self.child {
            Some(child) => {
                let status = child.wait().await;
                self.ended();
                let log_tail = logs::tail(&self.log, 0, 3);
                let status = status.map_or_else(|error| error.to_string(), |it| it.to_string());
                tracing::warn!(server = %P::SERVER, %status, log_tail, "server ended; starting it again");
            }
            None if self.held => std::future::pending().await,
            None => {}
        }
        tokio::time::sleep(self.backoff.next()).await;
        match self.launch().await {
            Ok(()) => tracing::info!(server = %P::SERVER, port = self.port, "server runs again"),
            Err(error) => tracing::warn!(%error, "server could not be started again"),
        }
    }

    /// Starts the server once, with patience for what a killed one leaves behind for a moment.
    async fn restart(&mut self) -> Result<(), DevError> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            match self.launch().await {
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(self.backoff.next()).await;
                }
                result => return result,
            }
        }
    }

    /// Starts the process and waits until it is ready.
    async fn launch(&mut self) -> Result<(), DevError> {
        let log = logs::open(&self.log)?;
        let mark = logs::len(&self.log);
        let mut command = self.program.command(self.port)?;
        command.stdout(log.try_clone().map_err(DevError::file("open the log", &self.log))?);
        command.stderr(log);
        let child = command.spawn().map_err(|error| self.failed(mark, &error.to_string()))?;
        let pid = child.id().unwrap_or(0);
        let child = self.child.insert(child);
        self.pid.store(pid, Ordering::Release);
        if let Some(id) = ProcId::of(pid) {
            write_json(&self.state.proc_id(P::SERVER.name()), &id)?;
        }

        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                self.ended();
                return Err(self.failed(mark, &format!("it ended with {status}")));
            }
            if self.program.is_ready(pid, self.port).await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                self.kill().await;
                return Err(self.failed(mark, &format!("it was not ready after {READY_LIMIT:?}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn stop(&mut self) {
        if let Some(child) = &mut self.child {
            signal(child, P::STOP_SIGNAL);
            if tokio::time::timeout(STOP_LIMIT, child.wait()).await.is_err() {
                tracing::warn!(server = %P::SERVER, "server did not end within {STOP_LIMIT:?}; killing it");
            }
        }
        self.kill().await;
        if let Err(error) = remove_file(&self.state.proc_id(P::SERVER.name())) {
            tracing::warn!(%error, "a stale file stays behind");
        }
    }

    /// Kill -9; returns when the process is gone.
    pub(super) async fn kill(&mut self) {
        if let Some(child) = &mut self.child
            && let Err(error) = child.kill().await
        {
            tracing::warn!(server = %P::SERVER, %error, "server could not be killed");
        }
        self.ended();
    }

    fn ended(&mut self) {
        self.child = None;
        self.pid.store(0, Ordering::Release);
    }

    fn other_port(&self) -> Result<u16, DevError> {
        ports::choose().map_err(DevError::file("find a loopback port for", self.state.root()))
    }

    fn failed(&self, mark: u64, reason: &str) -> DevError {
        DevError::Server {
            server: P::SERVER,
            reason: reason.to_owned(),
            log_tail: logs::tail(&self.log, mark, LOG_TAIL_LINES),
        }
    }
}

/// A server that outlived its keeper, which the death signal should have prevented, would share its store
/// with the new one.
async fn end_leftover(state: &StateDir, name: &str) -> Result<(), DevError> {
    let Some(old) = ProcId::read(&state.proc_id(name)).filter(ProcId::is_alive) else {
        return Ok(());
    };
    if old.wait_gone(Duration::from_secs(1)).await {
        return Ok(());
    }
    old.signal(Signal::SIGKILL);
    if old.wait_gone(STOP_LIMIT).await {
        Ok(())
    } else {
        Err(DevError::InUse(state.root().to_owned()))
    }
}

fn signal(child: &Child, signal: Signal) {
    // No id: it has ended and been waited for. An error: it has just ended.
    if let Some(pid) = child.id() {
        kill(Pid::from_raw(pid.cast_signed()), signal).ok();
    }
}

/// Full-jitter backoff, forgotten after a time without failures.
struct Backoff {
    failures: u32,
    last: Instant,
}

impl Backoff {
    const FIRST_MS: u64 = 50;
    const MOST_MS: u64 = 5_000;
    const FORGET_AFTER: Duration = Duration::from_secs(60);

    fn new() -> Self {
        Self { failures: 0, last: Instant::now() }
    }

    /// How long to wait after one more failure.
    fn next(&mut self) -> Duration {
        if self.last.elapsed() > Self::FORGET_AFTER {
            self.failures = 0;
        }
        self.last = Instant::now();
        let most_ms = Self::FIRST_MS.saturating_mul(1 << self.failures.min(10)).min(Self::MOST_MS);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(rand::random_range(0..=most_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_has_a_limit() {
        let mut backoff = Backoff::new();
        assert!(backoff.next() <= Duration::from_millis(Backoff::FIRST_MS));
        for _ in 0..100 {
            assert!(backoff.next() <= Duration::from_millis(Backoff::MOST_MS));
        }
    }
}
