//! `ktk events`

mod export;
mod list;
mod row;

use clap::Subcommand;

use crate::{error::CommandError, session::Session};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk events log task/0193a5c2           the history of one task
  ktk events log --context @last         that of an execution
  ktk events tail -f                     what happens now
  ktk events export --context @last -f run.jsonl";

/// What happened, event by event.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show events in the order of the stream, of one aggregate or of all
    Log(list::LogArgs),
    /// Show the last events, and with -f those that follow
    Tail(list::TailArgs),
    /// Write a stretch of the stream to a file: a header line, then an event a line
    Export(export::Args),
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::Log(args) => list::log(args, session).await,
        Command::Tail(args) => list::tail(args, session).await,
        Command::Export(args) => export::run(args, session).await,
    }
}
