//! The supervisor: one process that runs the private servers and all processors.

use std::fs::File;
use std::pin::Pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::endpoints::{Endpoints, Ready};
use super::process::{ProcId, until};
use super::serve::{Listening, ReadySender, ServeContext};
use super::servers::{Servers, ServersConfig, Source, SyncPolicy};
use super::state::{StateDir, remove_file, write_json, write_private};
use super::{BoxError, DevError, logs, note};

/// How long the processors may drain.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// Makes two supervisors of one stand impossible.
const LOCK: &str = "supervisor.lock";
/// The name of its log and identity.
pub(super) const NAME: &str = "ktk";

/// The supervisor that runs in this state directory.
pub(super) fn running(state: &StateDir) -> Option<ProcId> {
    ProcId::read(&state.proc_id(NAME)).filter(ProcId::is_alive)
}

/// Takes the lock; `None` when there is another supervisor. A lock that is held by nobody's supervisor is held
/// for a moment only, by somebody who is about to start one.
pub(super) async fn lock(state: &StateDir) -> Result<Option<File>, DevError> {
    let mut taken = Ok(None);
    until(Duration::from_secs(2), || {
        taken = state.try_lock(LOCK);
        !matches!(taken, Ok(None)) || running(state).is_some()
    })
    .await;
    taken
}

/// Runs a stand until a signal ends it, or it fails. `when_ready` runs beside the stand once it is ready.
pub(super) async fn supervise<S, SF, R, RF>(
    state: &StateDir,
    sync: SyncPolicy,
    lock: File,
    serve: S,
    when_ready: R,
) -> Result<(), DevError>
where
    S: FnOnce(ServeContext) -> SF,
    SF: Future<Output = Result<(), BoxError>>,
    R: FnOnce(Ready) -> RF,
    RF: Future<Output = Result<(), DevError>>,
{
    let mut signals = Signals::new()?;
    remove_file(&state.ready())?;
    if let Some(id) = ProcId::of(std::process::id()) {
        write_json(&state.proc_id(NAME), &id)?;
    }
    let log = [state.log(NAME)];
    let result = tokio::select! {
        result = run(state, sync, &mut signals, serve, when_ready) => result,
        () = logs::keep_small(&log) => Ok(()),
    };
    remove_file(&state.ready())?;
    remove_file(&state.proc_id(NAME))?;
    drop(lock);
    result
}

async fn run<S, SF, R, RF>(
    state: &StateDir,
    sync: SyncPolicy,
    signals: &mut Signals,
    serve: S,
    when_ready: R,
) -> Result<(), DevError>
where
    S: FnOnce(ServeContext) -> SF,
    SF: Future<Output = Result<(), BoxError>>,
    R: FnOnce(Ready) -> RF,
    RF: Future<Output = Result<(), DevError>>,
{
    let mut config = ServersConfig::new(state.root())?.external_from_env();
    config.sync = sync;
    if config.any_private() {
        enter_phase(state, "starting the private servers")?;
    }
    let servers = tokio::select! {
        servers = Servers::start(&config) => servers?,
        () = signals.any() => return Ok(()),
    };
    enter_phase(state, "starting the processors")?;
    let nats_sync = (config.nats == Source::Private).then_some(config.sync);
    let result = run_processors(state, &servers, nats_sync, signals, serve, when_ready).await;
    note("stopping the private servers");
    let stopped = servers.stop().await;
    result.and(stopped)
}

async fn run_processors<S, SF, R, RF>(
    state: &StateDir,
    servers: &Servers,
    nats_sync: Option<SyncPolicy>,
    signals: &mut Signals,
    serve: S,
    when_ready: R,
) -> Result<(), DevError>
where
    S: FnOnce(ServeContext) -> SF,
    SF: Future<Output = Result<(), BoxError>>,
    R: FnOnce(Ready) -> RF,
    RF: Future<Output = Result<(), DevError>>,
{
    let shutdown = CancellationToken::new();
    let (ready, listening) = ReadySender::new();
    let nats_url = servers.nats_url().unwrap_or_default().to_owned();
    let database_url = servers.database_url().unwrap_or_default().to_owned();
    let mut serving = std::pin::pin!(serve(ServeContext {
        nats_url: nats_url.clone(),
        database_url: database_url.clone(),
        nats_sync,
        state_dir: state.serve(),
        shutdown: shutdown.clone(),
        ready,
    }));

    let listening: Listening = tokio::select! {
        result = &mut serving => return Err(ended_early(result)),
        Ok(listening) = listening => listening,
        () = signals.any() => return drain(serving, &shutdown, signals).await,
    };
    let metrics = format!("{}/metrics", listening.api_url.trim_end_matches('/'));
    let ready = Ready::publish(
        state,
        Endpoints {
            api: listening.api_url,
            ui: listening.ui_url,
            nats: nats_url,
            postgres: database_url,
            metrics,
        },
    )?;

    let mut beside = std::pin::pin!(when_ready(ready));
    let mut beside_result = None;
    loop {
        tokio::select! {
            result = &mut serving => return Err(ended_early(result)),
            result = &mut beside, if beside_result.is_none() => {
                if let Err(error) = &result {
                    note(&error.to_string());
                }
                beside_result = Some(result);
            }
            () = signals.any() => break,
        }
    }
    let drained = drain(serving, &shutdown, signals).await;
    beside_result.unwrap_or(Ok(())).and(drained)
}

/// Ends the processors in good order; a second signal, or the deadline, drops them.
async fn drain(
    serving: Pin<&mut impl Future<Output = Result<(), BoxError>>>,
    shutdown: &CancellationToken,
    signals: &mut Signals,
) -> Result<(), DevError> {
    note("draining the processors");
    shutdown.cancel();
    tokio::select! {
        result = serving => result.map_err(DevError::Serve),
        () = tokio::time::sleep(DRAIN_LIMIT) => {
            note(&format!("the processors did not drain within {DRAIN_LIMIT:?} and are dropped"));
            Ok(())
        }
        () = signals.any() => {
            note("a second signal: the processors are dropped");
            Ok(())
        }
    }
}

fn ended_early(result: Result<(), BoxError>) -> DevError {
    DevError::Serve(match result {
        Ok(()) => "they ended although nobody asked them to".into(),
        Err(error) => error,
    })
}

/// Says what is being done, also to a foreground process that waits for this one.
fn enter_phase(state: &StateDir, phase: &str) -> Result<(), DevError> {
    note(phase);
    write_private(&state.phase(), phase.as_bytes())
}

/// The signals that end a stand.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, DevError> {
        let listen = |kind| {
            signal(kind).map_err(DevError::file("listen to signals of", "/proc/self".as_ref()))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
