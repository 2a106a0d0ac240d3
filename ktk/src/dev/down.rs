//! `ktk dev down` and `reset`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::args::{ResetArgs, StateArgs};
use super::process::ProcId;
use super::state::{StateDir, remove_file};
use super::supervisor::{self, DRAIN_LIMIT, NAME};
use super::{DevError, Server, note};

/// The drain, and what the servers may take after it.
const STOP_LIMIT: Duration = DRAIN_LIMIT.saturating_add(Duration::from_secs(15));
const KILL_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn down(args: &StateArgs) -> Result<(), DevError> {
    let state = args.dir()?;
    let was_running = stop(&state).await?;
    note(if was_running { "the stand is down" } else { "no stand is running here" });
    Ok(())
}

pub(super) async fn reset(args: &ResetArgs) -> Result<(), DevError> {
    let state = args.state.dir()?;
    if !state.exists() {
        note(&format!("there is no state in {}", state.root().display()));
        return Ok(());
    }
    if !args.yes && !confirm(&format!("Delete everything in {}?", state.root().display()))? {
        return Err(DevError::Usage("nothing was deleted".into()));
    }
    stop(&state).await?;
    std::fs::remove_dir_all(state.root()).map_err(DevError::file("delete", state.root()))?;
    note(&format!("deleted {}", state.root().display()));
    Ok(())
}

/// Stops whatever runs in the state directory; `false` when nothing did.
async fn stop(state: &StateDir) -> Result<bool, DevError> {
    if !state.exists() {
        return Ok(false);
    }
    let supervisor = supervisor::running(state);
    if let Some(supervisor) = &supervisor {
        stop_supervisor(state, supervisor).await?;
    }
    // Under the lock, so that a stand that is just being started is left alone.
    if let Some(_lock) = supervisor::lock(state).await? {
        for server in Server::ALL {
            end_server(state, server).await?;
        }
        // A supervisor that was killed leaves these behind.
        for stale in [state.ready(), state.proc_id(NAME), state.phase()] {
            remove_file(&stale)?;
        }
    }
    Ok(supervisor.is_some())
}

async fn stop_supervisor(state: &StateDir, supervisor: &ProcId) -> Result<(), DevError> {
    supervisor.signal(Signal::SIGTERM);
    if supervisor.wait_gone(STOP_LIMIT).await {
        return Ok(());
    }
    note(&format!("the supervisor did not end within {STOP_LIMIT:?} and is killed"));
    supervisor.signal(Signal::SIGKILL);
    if supervisor.wait_gone(KILL_LIMIT).await {
        Ok(())
    } else {
        Err(DevError::InUse(state.root().to_owned()))
    }
}

/// The servers end with their supervisor; this makes sure of it.
async fn end_server(state: &StateDir, server: Server) -> Result<(), DevError> {
    let path = state.proc_id(server.name());
    if let Some(id) = ProcId::read(&path)
        && !id.wait_gone(KILL_LIMIT).await
    {
        note(&format!("{server} outlived its supervisor and is killed"));
        id.signal(Signal::SIGKILL);
        id.wait_gone(KILL_LIMIT).await;
    }
    remove_file(&path)
}

fn confirm(question: &str) -> Result<bool, DevError> {
    if !io::stdin().is_terminal() {
        return Err(DevError::Usage(
            "nobody can be asked here: say --yes to delete the state".into(),
        ));
    }
    let ask = || {
        write!(io::stderr(), "{question} [y/N] ")?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    };
    ask().map_err(DevError::file("ask at", "/dev/tty".as_ref()))
}
