//! A whole stand on one machine, private to its user: NATS and Postgres as child processes in a state
//! directory, and every processor in the supervisor's process.
//!
//! - [`run`] carries out `ktk dev …`; [`launch_main`] is the hidden `ktk launch`.
//! - [`Servers`] are the private servers alone, for tests.
//! - [`endpoints`] tells clients where a running stand is.
//!
//! Whoever dies takes those below along: every server is bound to its keeper's life by the kernel
//! (`launch`), and every process is known by more than its number (`process`).

mod args;
mod down;
mod endpoints;
mod error;
mod follow;
mod keeper;
mod kept;
mod launch;
mod logs;
mod nats;
mod ports;
mod postgres;
mod process;
mod serve;
mod servers;
mod spawn;
mod state;
mod status;
mod supervisor;
#[cfg(test)]
pub(crate) mod testing;
mod tools;
mod up;

use std::io::{self, Write as _};

pub use args::{DevCommand, LogsArgs, ResetArgs, StateArgs, UpArgs};
pub use endpoints::{Endpoints, endpoints};
pub use error::{BoxError, DevError};
pub use launch::{LaunchArgs, launch_main};
pub use serve::{Listening, ReadySender, ServeContext};
pub use servers::{Server, Servers, ServersConfig, Source, SyncPolicy};
pub use state::default_state_dir;

/// How `ktk dev up` and `status` report on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevOutput {
    /// For people; passwords are hidden.
    Text,
    /// One JSON document on one line.
    Json,
}

/// Carries out `ktk dev …`. For `up`, `serve` runs the processors on the stand.
pub async fn run<S, SF>(command: DevCommand, output: DevOutput, serve: S) -> Result<(), DevError>
where
    S: FnOnce(ServeContext) -> SF,
    SF: Future<Output = Result<(), BoxError>>,
{
    match command {
        DevCommand::Up(args) => up::up(&args, output, serve).await,
        DevCommand::Tools => tools::show().await,
        DevCommand::Down(args) => down::down(&args).await,
        DevCommand::Status(args) => status::status(&args, output),
        DevCommand::Logs(args) => follow::show(&args).await,
        DevCommand::Reset(args) => down::reset(&args).await,
    }
}

/// Tells the user what is going on. That nobody listens is no reason to fail.
fn note(text: &str) {
    writeln!(io::stderr(), "ktk: {text}").ok();
}

/// Prints data on stdout.
fn print(text: &str) -> Result<(), DevError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(DevError::Unread),
        written => written.map_err(DevError::file("write to", "/dev/stdout".as_ref())),
    }
}
