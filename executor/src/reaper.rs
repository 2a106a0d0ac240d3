//! The reaper: a process that outlives the executor by as long as it takes to end what that left.
//!
//! Its stdin is a pipe from the executor. When that is closed, however the executor ended, it ends
//! every process that was started with this executor's boot id in its environment. What takes that
//! out of its environment and leaves its process group, escapes.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    io::{self, BufRead as _},
    path::PathBuf,
    process::{ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use kantoku_service::Backoff;
use nix::sys::signal::{SigSet, Signal, kill};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{metric, proc};

/// The variable by which the processes of one run of an executor are known.
pub(crate) const BOOT_ID: &str = "KANTOKU_BOOT_ID";

/// How often what should be gone is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How many times in a row nobody is found: a process that was being started when the executor
/// died has its environment only a moment later.
const QUIET_LOOKS: u32 = 3;
/// What even SIGKILL does not end by then hangs in the kernel.
const GIVE_UP: Duration = Duration::from_secs(30);

/// How the reaper is started.
#[derive(Clone, Debug)]
pub struct ReaperConfig {
    /// The executable that calls [`reaper_main`]. It starts in `/` with an empty environment, so
    /// give an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What the process list shows as the program.
    pub name: OsString,
}

impl ReaperConfig {
    /// The reaper runs `program args…`.
    pub fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let program = program.into();
        let args = args.into_iter().map(Into::into).collect();
        Self { name: program.clone().into(), program, args }
    }

    /// The reaper runs the program that is running, with `args`, even if its file was replaced by a
    /// newer one meanwhile.
    pub fn this_program(args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { name: "ktk".into(), ..Self::new("/proc/self/exe", args) }
    }
}

/// What it has to do once the executor is gone: the first line on its stdin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) boot_id: Uuid,
    /// Between SIGTERM and SIGKILL.
    pub(crate) grace_ms: u64,
    /// Removed with all that is in it.
    pub(crate) dir: PathBuf,
}

/// Waits until the executor that started this process is gone, then ends what it left behind.
///
/// Call it first thing in `main`, before any thread is started: it blocks all signals, so that
/// whatever ends the executor does not end it.
pub fn reaper_main() -> ExitCode {
    SigSet::all().thread_block().ok();
    let mut stdin = io::stdin().lock();
    let mut line = String::new();
    if stdin.read_line(&mut line).is_err() || line.is_empty() {
        return ExitCode::SUCCESS;
    }
    let orders: Orders = match serde_json::from_str(&line) {
        Ok(orders) => orders,
        Err(error) => {
            eprintln!("the reaper cannot read its orders: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Ends with the last holder of the other end. An error ends it as well.
    io::copy(&mut stdin, &mut io::sink()).ok();
    let is_done = reap(&orders);
    // It was never made, if no attempt needed it.
    fs::remove_dir_all(&orders.dir).ok();
    if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `false` when somebody could not be ended.
fn reap(orders: &Orders) -> bool {
    let entry = [format!("{BOOT_ID}={}", orders.boot_id)];
    let start = Instant::now();
    let grace = Duration::from_millis(orders.grace_ms);
    let mut asked = HashSet::new();
    let mut quiet = 0;
    while quiet < QUIET_LOOKS {
        let found = proc::started_with(&entry);
        if start.elapsed() > grace + GIVE_UP {
            eprintln!("the reaper cannot end these processes: {found:?}");
            return false;
        }
        quiet = if found.is_empty() { quiet + 1 } else { 0 };
        for pid in found {
            // It may be gone already.
            if start.elapsed() >= grace {
                kill(pid, Signal::SIGKILL).ok();
            } else if asked.insert(pid) {
                kill(pid, Signal::SIGTERM).ok();
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    true
}

/// A running reaper. Dropped, it sets to work.
pub(crate) struct Reaper {
    child: Child,
    stdin: ChildStdin,
}

impl Reaper {
    /// Starts one and gives it its orders.
    pub(crate) async fn start(config: &ReaperConfig, orders: &Orders) -> io::Result<Self> {
        let mut child = Command::new(&config.program)
            .args(&config.args)
            .arg0(&config.name)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut stdin =
            child.stdin.take().ok_or_else(|| io::Error::other("the reaper has no stdin"))?;
        let mut line = serde_json::to_vec(orders)?;
        line.push(b'\n');
        stdin.write_all(&line).await?;
        metric::reaper_started();
        Ok(Self { child, stdin })
    }

    /// Starts one, again and again until it works. `None` once `stop` is cancelled.
    pub(crate) async fn start_patiently(
        config: &ReaperConfig,
        orders: &Orders,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            match Self::start(config, orders).await {
                Ok(reaper) => return Some(reaper),
                Err(error) => tracing::warn!(%error, "there is no reaper, so nothing is executed"),
            }
            stop.run_until_cancelled(tokio::time::sleep(backoff.next_wait())).await;
        }
        None
    }

    /// Keeps a reaper there until `stop` is cancelled, then waits until it has done its work.
    pub(crate) async fn keep(
        mut self,
        config: &ReaperConfig,
        orders: &Orders,
        stop: &CancellationToken,
    ) {
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                status = self.child.wait() => {
                    tracing::warn!(?status, "the reaper has ended and is started again");
                }
                () = stop.cancelled() => break,
            }
            tokio::time::sleep(backoff.next_wait()).await;
            match Self::start(config, orders).await {
                Ok(reaper) => self = reaper,
                Err(error) => tracing::warn!(%error, "there is no reaper"),
            }
        }
        drop(self.stdin);
        let limit = Duration::from_millis(orders.grace_ms) + GIVE_UP;
        if tokio::time::timeout(limit, self.child.wait()).await.is_err() {
            tracing::warn!("the reaper is still at work; it is left to it");
        }
    }
}

#[cfg(test)]
mod tests;
