//! The pool of workers: bounded, lazy, and never reusing a doubtful one.

use std::{
    ffi::OsString,
    fmt,
    num::NonZeroU16,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::{
    Limits, ScriptError,
    error::LimitName,
    frame::{self, REPLY_SPARE_BYTES, REPLY_VALUE_BYTES, Reply},
    metric,
    process::{Death, Worker},
};

/// A worker is replaced after so many runs, which bounds whatever they may have left in it.
const RUNS_PER_WORKER_MAX: u32 = 10_000;

/// How a [`Pool`] starts its workers, and how many.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// The executable that calls [`worker_main`](crate::worker_main). Workers start in `/` with an
    /// empty environment, so give an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What the process list shows as the program.
    pub name: OsString,
    /// Workers at most.
    pub workers_max: NonZeroU16,
    /// Runs waiting for a worker at most; the next is told to come back later.
    pub waiting_max: usize,
    /// What each script may take.
    pub limits: Limits,
}

impl PoolConfig {
    /// Workers run `program args…`; one per processor, the default [`Limits`].
    pub fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let program = program.into();
        Self {
            name: program.clone().into(),
            program,
            args: args.into_iter().map(Into::into).collect(),
            workers_max: processors(),
            waiting_max: 1024,
            limits: Limits::default(),
        }
    }

    /// Workers run the program that is running, with `args`, even if its file was replaced by a
    /// newer one meanwhile.
    pub fn this_program(args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { name: "ktk".into(), ..Self::new("/proc/self/exe", args) }
    }
}

fn processors() -> NonZeroU16 {
    let processors = thread::available_parallelism().ok();
    processors.and_then(|count| count.try_into().ok()).unwrap_or(NonZeroU16::MIN)
}

/// Runs scripts in child processes. Cheap to clone; all clones share the workers.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

struct Shared {
    config: PoolConfig,
    /// One permit per worker that may run.
    slots: Semaphore,
    /// One permit per run, running or waiting.
    places: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

impl Pool {
    /// A pool without workers: they are started as runs need them, on the runtime of the run.
    pub fn new(config: PoolConfig) -> Self {
        let workers_max = config.workers_max.get().into();
        Self {
            shared: Arc::new(Shared {
                slots: Semaphore::new(workers_max),
                places: Semaphore::new(workers_max.saturating_add(config.waiting_max)),
                idle: Mutex::new(Vec::new()),
                config,
            }),
        }
    }

    /// What each script may take.
    pub fn limits(&self) -> &Limits {
        &self.shared.config.limits
    }

    /// The value of `script` with the entries of `scope` as its variables.
    ///
    /// Returns within the wall clock limit, counted from when a worker is free and started. One
    /// that somebody else kills costs a second try, from the start. Dropping the future stops the
    /// script.
    ///
    /// # Errors
    /// See [`ScriptError`]; only [`ScriptError::Unavailable`] is worth a retry.
    pub async fn run(
        &self,
        script: &str,
        scope: &Map<String, Value>,
    ) -> Result<Value, ScriptError> {
        let started = Instant::now();
        let result = self.shared.run(script, scope).await;
        metric::run(&result, started.elapsed());
        if result.is_err() {
            // Why is told to whoever runs it: it may quote what the script was given.
            tracing::debug!("a script gave no value");
        }
        result
    }

    /// Lets the runs that have begun or wait come to their end, then stops all workers and
    /// waits until they are gone. Runs that come later are refused.
    pub async fn close(&self) {
        self.shared.places.close();
        let all = self.shared.config.workers_max.get().into();
        let _all_slots = self.shared.slots.acquire_many(all).await;
        let idle = std::mem::take(&mut *self.shared.idle());
        for worker in idle {
            worker.stop("closed").await;
        }
    }
}

impl Shared {
    async fn run(&self, script: &str, scope: &Map<String, Value>) -> Result<Value, ScriptError> {
        let request = self.request(script, scope)?;
        let _place = self.places.try_acquire().map_err(|_| {
            ScriptError::unavailable(if self.places.is_closed() {
                "the pool is closed".to_owned()
            } else {
                format!("{} runs are waiting already", self.config.waiting_max)
            })
        })?;
        let _slot = self.slots.acquire().await.expect("the semaphore of slots is never closed");

        let idle = self.idle().pop();
        let worker = match idle {
            Some(worker) => worker,
            None => Worker::start(&self.config).await?,
        };
        match self.attempt(worker, &request).await {
            Ok(result) => result,
            // It may have been killed while it was idle, and scripts are pure: once more.
            Err(death) if death.is_from_outside() => {
                tracing::warn!(%death, "a script worker was killed; running the script again");
                let worker = Worker::start(&self.config).await?;
                let again = self.attempt(worker, &request).await;
                again.unwrap_or_else(|death| Err(death.into_error(&self.config.limits)))
            }
            Err(death) => Err(death.into_error(&self.config.limits)),
        }
    }

    /// The two frames of a run.
    fn request(&self, script: &str, scope: &Map<String, Value>) -> Result<Vec<u8>, ScriptError> {
        let limits = &self.config.limits;
        crate::engine::check_size(script, limits)?;
        let mut request = Vec::new();
        frame::push(&mut request, script.as_bytes());
        frame::push_json(&mut request, scope, limits.scope_bytes).map_err(|_too_long| {
            ScriptError::limit(
                LimitName::ScopeBytes,
                format!(
                    "the values given to it have more than {} bytes as JSON",
                    limits.scope_bytes
                ),
            )
        })?;
        Ok(request)
    }

    /// One run on `worker`, which goes back to the idle ones if it is none the worse for it.
    async fn attempt(
        &self,
        mut worker: Worker,
        request: &[u8],
    ) -> Result<Result<Value, ScriptError>, Death> {
        let wall_ms = self.config.limits.wall_ms;
        let reply_bytes_max =
            (self.config.limits.result_bytes + REPLY_VALUE_BYTES).max(REPLY_SPARE_BYTES);
        let exchange = worker.exchange(request, reply_bytes_max);
        let reply = match timeout(Duration::from_millis(wall_ms), exchange).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_broken_off)) => return Err(worker.bury().await),
            Err(_elapsed) => {
                worker.stop("timed_out").await;
                return Ok(Err(ScriptError::TimedOut { wall_ms }));
            }
        };
        match serde_json::from_slice(&reply) {
            Ok(reply) => {
                self.keep(worker).await;
                Ok(match reply {
                    Reply::Value(value) => Ok(value),
                    Reply::Error(error) => Err(error),
                })
            }
            Err(error) => {
                worker.stop("broke_protocol").await;
                Ok(Err(ScriptError::Crashed {
                    message: format!("its reply cannot be read: {error}"),
                }))
            }
        }
    }

    async fn keep(&self, worker: Worker) {
        if self.places.is_closed() {
            worker.stop("closed").await;
        } else if worker.runs() >= RUNS_PER_WORKER_MAX {
            worker.stop("worn_out").await;
        } else {
            self.idle().push(worker);
        }
    }

    /// Nothing panics while it is held, and a list of workers is never half changed.
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
