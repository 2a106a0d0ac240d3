//! The `process` executable: inputs on stdin, the result document on stdout, in a process group of
//! its own.
//!
//! An attempt ends with its first process. What that leaves in its group has a moment to close the
//! pipes, and is killed. Told to stop, the whole group gets SIGTERM, and SIGKILL after a grace; and
//! so does whoever has left the group.

mod group;
mod lookup;
mod pipes;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::Path,
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use kantoku_domain::task::Failure;
use serde_json::{Map, Value};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{
    group::Group,
    pipes::{Pipes, STDOUT_MAX, Said},
};
use crate::{failure, redact::Redactor};

/// How long the pipes may stay open after the first process has ended, and again after the rest of
/// its group was killed: what escaped from the group may hold them for ever.
const LINGER: Duration = Duration::from_secs(1);

/// Of the executor's own environment, what starts so is not for user code: it holds secrets.
const OWN_PREFIX: &str = "KTK_";

/// What to run, and how.
pub(crate) struct Program<'a> {
    /// The program and its arguments.
    pub(crate) command: &'a [String],
    /// Set over what is inherited.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// The entries of that (`NAME=value`) which no other attempt has all of: whoever has left the
    /// process group is known by them.
    pub(crate) mark: &'a [String],
    /// Where it runs.
    pub(crate) cwd: &'a Path,
    /// How long it may take to go, asked when it is told to.
    pub(crate) grace: &'a (dyn Fn() -> Duration + Sync),
    /// Keeps out of its stderr what must not be said.
    pub(crate) redactor: &'a Redactor,
}

impl Program<'_> {
    /// Runs it with `inputs` until it ends or `halt` is cancelled. What it writes to stderr is given
    /// to `on_stderr` as it comes.
    pub(crate) async fn run(
        &self,
        inputs: &Map<String, Value>,
        on_stderr: &mut (dyn FnMut(&[u8]) + Send),
        halt: &CancellationToken,
    ) -> Result<Value, Failure> {
        let mut child = self.start()?;
        let group = Group::of(&child, self.mark);
        let pipes = Pipes::of(&mut child)
            .ok_or_else(|| failure::infrastructure("the process has no pipes"))?;
        let mut said = Said::new(self.redactor.stream());
        let ended = {
            let mut pump = pin!(pipes.pump(inputs, &mut said, on_stderr));
            let mut end = pin!(wait(&mut child, &group, halt, self.grace));
            tokio::select! {
                () = &mut pump => end.await,
                ended = &mut end => {
                    if timeout(LINGER, &mut pump).await.is_err() {
                        group.kill();
                        timeout(LINGER, &mut pump).await.ok();
                    }
                    ended
                }
            }
        };
        drop(group);
        said.end(on_stderr);
        self.result(&said, ended)
    }

    fn start(&self) -> Result<Child, Failure> {
        let [program, arguments @ ..] = self.command else {
            return Err(failure::start("the command is empty"));
        };
        let inherited = || std::env::vars_os().filter(|(name, _)| is_inherited(name));
        let inherited_path = inherited().find(|(name, _)| name == "PATH").map(|(_, path)| path);
        let path = self.environment.get("PATH").map(OsString::from).or(inherited_path);
        let found = lookup::find(program, path.as_deref(), self.cwd);
        let started = Command::new(found.as_deref().unwrap_or(Path::new(program)))
            .arg0(program)
            .args(arguments)
            .env_clear()
            .envs(inherited())
            .envs(self.environment)
            .current_dir(self.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        started.map_err(|error| {
            let cwd = self.cwd.display();
            Failure {
                retryable: is_passing(&error),
                ..failure::start(format!("cannot start {program:?} in {cwd}: {error}"))
            }
        })
    }

    fn result(&self, said: &Said, ended: Ended) -> Result<Value, Failure> {
        let program = self.command.first().map(String::as_str).unwrap_or_default();
        let with_tail = |failure: Failure| Failure { stderr_tail: Some(said.tail()), ..failure };
        let status = match ended {
            Ended::ByItself(Ok(status)) => status,
            Ended::ByItself(Err(error)) => {
                return Err(failure::infrastructure(format!("{program:?} was lost: {error}")));
            }
            Ended::Stopped => return Err(with_tail(failure::stopped())),
        };
        if said.stdout.len() > STDOUT_MAX {
            let what = format!("stdout of {program:?} is over {STDOUT_MAX} bytes");
            return Err(with_tail(failure::result(what)));
        }
        if !status.success() {
            let how = status
                .code()
                .map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
            let what = format!("{program:?} failed: {how}");
            return Err(with_tail(failure::exit(what, status.code())));
        }
        if said.stdout.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(Map::new()));
        }
        serde_json::from_slice(&said.stdout).map_err(|error| {
            with_tail(failure::result(format!("stdout of {program:?} is not JSON: {error}")))
        })
    }
}

fn is_inherited(name: &OsStr) -> bool {
    !name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes())
}

/// How it came to its end.
enum Ended {
    ByItself(io::Result<ExitStatus>),
    Stopped,
}

async fn wait(
    child: &mut Child,
    group: &Group,
    halt: &CancellationToken,
    grace: &(dyn Fn() -> Duration + Sync),
) -> Ended {
    tokio::select! {
        biased;
        status = child.wait() => Ended::ByItself(status),
        () = halt.cancelled() => {
            if let Err(error) = group.end(child, grace()).await {
                tracing::warn!(%error, "a process that was stopped was lost");
            }
            Ended::Stopped
        }
    }
}

/// Whether the machine was short of something, rather than the command wrong.
fn is_passing(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::ArgumentListTooLong
    )
}

#[cfg(test)]
mod tests;
