//! Running programs through the launcher.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::launch::Identity;
use super::{DevError, Server};

/// How a server's programs are launched.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The `ktk` binary.
    pub(super) launcher: PathBuf,
    /// For error messages.
    pub(super) server: Server,
    /// Who the program runs as.
    pub(super) identity: Identity,
    /// A directory that the identity must own.
    pub(super) own: Option<PathBuf>,
}

impl Launch {
    /// A command that becomes `program` and gets `death_signal` when the calling *thread* ends. It has
    /// almost no environment, no input, and a process group of its own, so that an interrupt at the terminal
    /// does not take the servers away from under the processors.
    pub(super) fn command(&self, program: &Path, death_signal: Signal) -> Command {
        let mut command = Command::new(&self.launcher);
        command
            .args(["launch", "--identity", self.identity.name()])
            .args(["--parent", &std::process::id().to_string()])
            .args(["--death-signal", death_signal.as_str()]);
        if let Some(dir) = &self.own {
            command.arg("--own").arg(dir);
        }
        command.arg("--").arg(program);
        command.env_clear().env("LC_ALL", "C");
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        command
    }

    /// Runs a program to its end with `input` on its stdin; an error unless it succeeds in a minute.
    pub(super) async fn run<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Result<(), DevError> {
        const LIMIT: Duration = Duration::from_secs(60);
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
        let failed = |reason: String, log_tail: String| DevError::Server {
            server: self.server,
            reason: format!("{name} {reason}"),
            log_tail,
        };

        let mut command = self.command(program, Signal::SIGKILL);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(DevError::file("run", &self.launcher))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading its input says why itself.
            stdin.write_all(input.as_bytes()).await.ok();
        }
        let output = tokio::time::timeout(LIMIT, child.wait_with_output())
            .await
            .map_err(|_| failed(format!("did not end within {LIMIT:?}"), String::new()))?
            .map_err(|error| failed(format!("could not be waited for: {error}"), String::new()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(failed(format!("ended with {}", output.status), said))
    }
}
