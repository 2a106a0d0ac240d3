//! The commands of a client, one module each: `Args` (clap) and
//! `async fn run(args, &Session) -> Result<(), CommandError>`.
//!
//! To add one: a module, a variant of [`ClientCommand`] with its help, and its arm in
//! [`ClientCommand::run`].

mod apply;
mod cancel;
mod files;
mod get;
mod validate;
mod version;

use clap::Subcommand;
use kantoku_api::contract::{ContextList, ListParams};
use kantoku_domain::Millis;

use crate::{error::CommandError, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Make so what manifests declare: specifications, types, pipelines
    #[command(after_help = apply::EXAMPLES)]
    Apply(apply::Args),
    /// Show things: tasks, contexts, resources, definitions, events, services
    #[command(after_help = get::EXAMPLES)]
    Get(get::Args),
    /// Check manifests without applying them
    #[command(after_help = validate::EXAMPLES)]
    Validate(validate::Args),
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
            Self::Apply(args) => apply::run(args, session).await,
            Self::Get(args) => get::run(args, session).await,
            Self::Validate(args) => validate::run(args, session).await,
            Self::Cancel(args) => cancel::run(args, session).await,
            Self::Version(args) => version::run(&args, session).await,
        }
    }
}

/// How long to wait for the read model after a command, so that the next command sees what this one
/// did.
const VISIBLE_WITHIN: Millis = Millis(2_000);

/// Waits until reads show what was written at `stream_seq`. If that takes long the read model is
/// behind, which later reads will say: no reason to fail here.
async fn visible(session: &Session, stream_seq: u64) {
    let params = ListParams {
        limit: Some(1),
        namespace: session.namespace(),
        min_seq: Some(stream_seq),
        timeout: Some(VISIBLE_WITHIN),
        ..ListParams::default()
    };
    if let Err(error) = session.call::<ContextList>(&params).await {
        tracing::info!(%error, "the read model does not show it yet");
    }
}
