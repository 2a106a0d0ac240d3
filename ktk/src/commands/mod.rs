//! The commands of a client, one module each: `Args` (clap) and
//! `async fn run(args, &Session) -> Result<(), CommandError>`.
//!
//! To add one: a module, a variant of [`ClientCommand`] with its help, and its arm in
//! [`ClientCommand::run`].

mod cancel;
mod version;

use clap::Subcommand;

use crate::{error::CommandError, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Stop a task, or all tasks of a context
    #[command(after_help = cancel::EXAMPLES)]
    Cancel(cancel::Args),
    /// Show the versions of this program and of the server
    #[command(after_help = version::EXAMPLES)]
    Version(version::Args),
}

impl ClientCommand {
    /// Carries out the command.
    pub(crate) async fn run(self, session: &Session) -> Result<(), CommandError> {
        match self {
            Self::Cancel(args) => cancel::run(args, session).await,
            Self::Version(args) => version::run(&args, session).await,
        }
    }
}
