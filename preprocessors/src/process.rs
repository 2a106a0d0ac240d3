//! One worker process, seen from its parent.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::{Limits, PoolConfig, ScriptError, error::LimitName, frame, metric};

/// How long a worker may take to start. It has no script yet, so this is the machine's fault.
const START_MAX: Duration = Duration::from_secs(10);

/// How long a worker that closed its pipes may take to be gone. It needs microseconds.
const END_MAX: Duration = Duration::from_secs(1);

/// Bytes kept of what a dying worker wrote to stderr.
const LAST_WORDS_BYTES_MAX: u64 = 2048;

/// A running worker. It is killed when this is dropped: whoever gives up a run, for instance by
/// dropping the future, gives up the worker with it.
pub(crate) struct Worker {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    stderr: ChildStderr,
    runs: u32,
    /// Why it is being stopped, for the metrics.
    stopped_for: &'static str,
}

impl Worker {
    /// Starts a worker and waits until it is ready.
    pub(crate) async fn start(config: &PoolConfig) -> Result<Self, ScriptError> {
        let mut child = Command::new(&config.program)
            .args(&config.args)
            .arg0(&config.name)
            .env_clear()
            .current_dir("/")
            // A Ctrl-C at the terminal is for the parent to act on.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = config.program.display();
                ScriptError::unavailable(format!("no worker: starting {program}: {error}"))
            })?;
        metric::worker_started();
        let mut worker = Self {
            requests: child.stdin.take().expect("stdin is piped"),
            replies: BufReader::new(child.stdout.take().expect("stdout is piped")),
            stderr: child.stderr.take().expect("stderr is piped"),
            child,
            runs: 0,
            stopped_for: "cancelled",
        };

        let mut hello = Vec::new();
        let limits = serde_json::to_vec(&config.limits).expect("numbers are always JSON");
        frame::push(&mut hello, &limits);
        match timeout(START_MAX, worker.exchange(&hello, 0)).await {
            Ok(Ok(_ready)) => {
                worker.runs = 0;
                Ok(worker)
            }
            Ok(Err(error)) => {
                let death = worker.bury().await;
                Err(ScriptError::unavailable(format!("the worker did not start: {error}: {death}")))
            }
            Err(_elapsed) => {
                worker.stop("late").await;
                Err(ScriptError::unavailable(format!(
                    "the worker was not ready within {} s",
                    START_MAX.as_secs()
                )))
            }
        }
    }

    /// Sends `frames`, returns the one frame that answers them, of at most `bytes_max`.
    ///
    /// Not cancel-safe: the worker must not be used again unless this has returned `Ok`.
    pub(crate) async fn exchange(
        &mut self,
        frames: &[u8],
        bytes_max: usize,
    ) -> io::Result<Vec<u8>> {
        self.runs += 1;
        self.requests.write_all(frames).await?;
        let mut head = [0; frame::HEAD_BYTES];
        self.replies.read_exact(&mut head).await?;
        let mut reply = vec![0; frame::length(head, bytes_max)?];
        self.replies.read_exact(&mut reply).await?;
        Ok(reply)
    }

    /// Runs so far.
    pub(crate) fn runs(&self) -> u32 {
        self.runs
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn stop(mut self, reason: &'static str) {
        self.stopped_for = reason;
        if let Err(error) = self.child.kill().await {
            tracing::debug!(%error, "a script worker could not be killed");
        }
    }

    /// Finds out what a worker died of that broke off an exchange.
    pub(crate) async fn bury(mut self) -> Death {
        self.stopped_for = "died";
        let Ok(Ok(status)) = timeout(END_MAX, self.child.wait()).await else {
            self.stop("broke_protocol").await;
            return Death { status: None, last_words: String::new() };
        };
        let mut last_words = Vec::new();
        let mut stderr = (&mut self.stderr).take(LAST_WORDS_BYTES_MAX);
        // All that matters is in the pipe by now; an error leaves what was read.
        drop(timeout(END_MAX, stderr.read_to_end(&mut last_words)).await);
        let last_words = String::from_utf8_lossy(&last_words);
        Death {
            status: Some(status),
            // The rest is advice on backtraces.
            last_words: last_words.trim().lines().next().unwrap_or_default().to_owned(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        metric::worker_stopped(self.stopped_for);
    }
}

/// How a worker ended. Displays as a sentence.
#[derive(Debug)]
pub(crate) struct Death {
    /// `None` for one that lived on, but no longer kept to the protocol.
    status: Option<ExitStatus>,
    last_words: String,
}

impl Death {
    /// Whether somebody else killed it: an operator, or the kernel for want of memory. A script
    /// cannot make its worker die of these.
    pub(crate) fn is_from_outside(&self) -> bool {
        const FROM_OUTSIDE: [Signal; 4] =
            [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
        let signal = self.status.and_then(|status| status.signal());
        signal.is_some_and(|signal| FROM_OUTSIDE.iter().any(|one| *one as i32 == signal))
    }

    pub(crate) fn into_error(self, limits: &Limits) -> ScriptError {
        // The standard library's last words when an allocation fails.
        if self.last_words.contains("memory allocation of") {
            return ScriptError::limit(
                LimitName::MemoryBytes,
                format!("it may take {} bytes: {}", limits.memory_bytes, self.last_words),
            );
        }
        ScriptError::Crashed { message: self.to_string() }
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status {
            Some(status) => write!(f, "it ended with {status}")?,
            None => f.write_str("it answered with something that is no reply")?,
        }
        if !self.last_words.is_empty() {
            write!(f, ": {}", self.last_words)?;
        }
        Ok(())
    }
}
