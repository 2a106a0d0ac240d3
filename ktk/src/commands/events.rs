//! `ktk events`

mod export;
mod import;
mod list;
mod redeliver;
mod replay;
mod row;
mod seals;
mod verify;

use clap::Subcommand;

use crate::{error::CommandError, session::Session};

pub(super) use seals::list as list_seals;

pub(crate) const EXAMPLES: &str = "Examples:
  ktk events log task/0193a5c2           the history of one task
  ktk events log --context @last         that of an execution
  ktk events tail -f                     what happens now
  ktk events verify --deep               whether everything is as it should be; exit 7 if not
  ktk events export history.jsonl        all of it, for keeping
  ktk events export --context @last run.jsonl
  ktk events verify --file run.jsonl     anywhere, without a server
  ktk events import history.jsonl        into an empty stream
  ktk events replay run.jsonl --to 42 --of task/0193a5c2
  ktk events redeliver --all             what nobody could digest, once that is mended";

const REPLAY: &str = "Nothing is done again: the events are folded, as the read model folds them, \
into what was known at a position, and that is shown. Where one thing is asked for \
(--of), its document is the one that the read model held then; what a task waits for is worked out \
when it is asked for, and is not in it.

Examples:
  ktk events replay --to 512                         all contexts as they were at position 512
  ktk events replay --of task/0193a5c2 --to 512 -o json
  ktk events replay --of task/0193a5c2 --from-seq 1  every change of it, one after another
  ktk events replay run.jsonl --of @last             from an export, without a server";

const IMPORT: &str = "Events keep their ids, their versions, their order and their positions: they \
name others by position, so the stream has to be empty, or to hold what an import before has put \
there. Positions that the export leaves out, as they hold no event, stay without one. An import that \
was interrupted is run again: what is there is compared and passed over.

While it runs nobody may append: let only api, projector and sealer run. What had not ended in the \
history goes on as soon as schedulers and executors are started, so end it there first, or cancel it.

Example, on this machine:
  ktk dev up --state-dir restored --detach --only api,projector,sealer
  ktk events import history.jsonl --api-url http://127.0.0.1:7300";

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
    /// Judge all events: gaps, guards, transitions, outputs resolved twice, the chain against its seals
    Verify(verify::Args),
    /// Write events to a file: a header, an event a line, a trailer with the hash of their chain
    Export(export::Args),
    /// Put an exported history into an empty stream
    #[command(after_help = IMPORT)]
    Import(import::Args),
    /// Show what there was at a position
    #[command(after_help = REPLAY)]
    Replay(replay::Args),
    /// Show the seals: what the chain over all events was, and when
    Seals(seals::Args),
    /// Begin the chain anew, when the stream is not the one any more that was sealed
    Reseal(seals::AnewArgs),
    /// Let what could not be digested be taken in again
    Redeliver(redeliver::Args),
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    if session.all_namespaces() && matches!(args.command, Command::Log(_) | Command::Tail(_)) {
        return Err(CommandError::usage("-A is not for log and tail: name one namespace with -n"));
    }
    match args.command {
        Command::Log(args) => list::log(args, session).await,
        Command::Tail(args) => list::tail(args, session).await,
        Command::Verify(args) => verify::run(args, session).await,
        Command::Export(args) => export::run(args, session).await,
        Command::Import(args) => import::run(args, session).await,
        Command::Replay(args) => replay::run(args, session).await,
        Command::Seals(seals::Args {}) => seals::list(session).await,
        Command::Reseal(args) => seals::anew(args, session).await,
        Command::Redeliver(args) => redeliver::run(args, session).await,
    }
}
