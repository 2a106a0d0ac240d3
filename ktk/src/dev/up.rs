//! `ktk dev up`: a stand in the foreground, or one that is left running.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::args::UpArgs;
use super::endpoints::Ready;
use super::serve::ServeContext;
use super::servers::ServersConfig;
use super::state::StateDir;
use super::supervisor::{self, NAME};
use super::tools::Tools;
use super::{BoxError, DevError, DevOutput, logs, note, print};

/// Installing is done before; this is for servers that recover a large store.
const READY_LIMIT: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOG_TAIL_LINES: usize = 20;

pub(super) async fn up<S, SF>(args: &UpArgs, output: DevOutput, serve: S) -> Result<(), DevError>
where
    S: FnOnce(ServeContext) -> SF,
    SF: Future<Output = Result<(), BoxError>>,
{
    let state = args.state.dir()?;
    state.create()?;
    let when_ready = async |ready: Ready| print(&ready.render(&state, output));

    match supervisor::lock(&state).await? {
        Some(lock) if args.supervise => {
            supervisor::supervise(&state, args.sync, lock, serve, async |_| Ok(())).await
        }
        None if args.supervise => Err(DevError::InUse(state.root().to_owned())),
        Some(lock) if !args.detach => {
            supervisor::supervise(&state, args.sync, lock, serve, when_ready).await
        }
        Some(lock) => {
            drop(lock);
            when_ready(start_detached(&state, args).await?).await
        }
        None => {
            let ready = wait_until_ready(&state, None, 0).await?;
            note(&format!("the stand is running already (pid {})", ready.pid()));
            if runs_replaced_binary(&ready) {
                note("it was started from an older build; `ktk dev down` first to run this one");
            }
            when_ready(ready).await
        }
    }
}

/// Starts a supervisor that outlives this process, and waits until its stand is ready.
async fn start_detached(state: &StateDir, args: &UpArgs) -> Result<Ready, DevError> {
    let config = ServersConfig::new(state.root())?.external_from_env();
    if config.any_private() {
        // Here and not in the supervisor, so that the user sees what takes so long, and what fails.
        tokio::task::spawn_blocking(move || Tools::find_or_install(config.tools_dir.as_deref()))
            .await
            .map_err(|error| DevError::Tools(error.to_string()))??;
    }
    let log_path = state.log(NAME);
    let mark = logs::len(&log_path);
    let log = logs::open(&log_path)?;
    let mut command = Command::new(&config.launcher);
    command
        .args(["launch", "--session", "--"])
        .arg(&config.launcher)
        .args(["dev", "up", "--supervise", "--state-dir"])
        .arg(state.root())
        .args(["--sync", args.sync.name()])
        .args(args.only.iter().map(|part| format!("--only={}", part.name())))
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(DevError::file("open the log", &log_path))?)
        .stderr(log);
    let supervisor = command.spawn().map_err(DevError::file("run", &config.launcher))?;
    wait_until_ready(state, Some(supervisor), mark).await
}

/// Waits for a stand that is starting, in `supervisor` or, without that, in somebody else's process.
async fn wait_until_ready(
    state: &StateDir,
    mut supervisor: Option<Child>,
    log_mark: u64,
) -> Result<Ready, DevError> {
    let deadline = Instant::now() + READY_LIMIT;
    let mut phase = String::new();
    loop {
        if let Some(ready) = Ready::of_running(state) {
            return Ok(ready);
        }
        let exit = supervisor.as_mut().and_then(|child| child.try_wait().ok().flatten());
        // Losing the race for the lock, ours ends too, but then there is another.
        if (exit.is_some() || supervisor.is_none()) && supervisor::running(state).is_none() {
            let log_tail = logs::tail(&state.log(NAME), log_mark, LOG_TAIL_LINES);
            return Err(DevError::Ended { code: exit_code(exit), log_tail });
        }
        if Instant::now() >= deadline {
            return Err(DevError::Unreachable(format!(
                "the stand is not ready after {READY_LIMIT:?}; see `ktk dev logs`, and `ktk dev \
                 down` to give up"
            )));
        }
        let now = std::fs::read_to_string(state.phase()).unwrap_or_default();
        if supervisor.is_some() && now != phase {
            note(&now);
            phase = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn exit_code(status: Option<ExitStatus>) -> u8 {
    status.and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The kernel marks the path of a program whose file is no longer there.
fn runs_replaced_binary(ready: &Ready) -> bool {
    std::fs::read_link(format!("/proc/{}/exe", ready.pid()))
        .is_ok_and(|path| path.to_string_lossy().ends_with(" (deleted)"))
}
