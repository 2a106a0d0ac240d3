//! `ktk projections`

use std::time::Duration;

use clap::Subcommand;
use kantoku_api::contract::{
    NoParams, Operation, OperationGet, OperationParams, OperationStatus, ProjectionList,
    ProjectionRebuild, ProjectionVerify, Projections, Started,
};
use tokio::time::{Instant, sleep};

use crate::{
    error::{CommandError, Exit},
    output::{Format, Paint, Table, print_document, print_line, print_text},
    progress::Progress,
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk projections list
  ktk projections verify     compare the tables with tables made anew; exit 7 if they differ
  ktk projections rebuild    make the tables anew and put them in place, without a pause";

/// How often an operation is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The read models.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Show how far they have got
    List,
    /// Make the tables anew and compare the live ones with them
    Verify,
    /// Make the tables anew beside the live ones and swap them
    Rebuild,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::List => list(session).await,
        Command::Verify => {
            let started = session.call::<ProjectionVerify>(&NoParams {}).await?;
            verdict(&finish(started, "verifying", session).await?, session)
        }
        Command::Rebuild => {
            let started = session.call::<ProjectionRebuild>(&NoParams {}).await?;
            let operation = finish(started, "rebuilding", session).await?;
            if !session.output().is_table() {
                return print_document(session.output(), &operation);
            }
            let as_of = operation.as_of_seq.unwrap_or_default();
            print_line(&format!("rebuilt from {} positions, as of {as_of}", operation.done))
        }
    }
}

async fn list(session: &Session) -> Result<(), CommandError> {
    let answer: Projections = session.call::<ProjectionList>(&NoParams {}).await?;
    match session.output() {
        Format::Table | Format::Wide => {
            let mut table = Table::with_header(["NAME", "POSITION", "STREAM", "BEHIND"]);
            for item in &answer.items {
                let behind = item.head_seq.saturating_sub(item.stream_seq);
                let numbers = [item.stream_seq, item.head_seq, behind].map(|seq| seq.to_string());
                table.push([vec![item.name.clone()], numbers.to_vec()].concat());
            }
            print_text(&table.take_text())
        }
        Format::Name => answer
            .items
            .iter()
            .try_for_each(|item| print_line(&format!("projection/{}", item.name))),
        Format::Jsonl => {
            answer.items.iter().try_for_each(|item| print_document(Format::Jsonl, item))
        }
        format @ (Format::Json | Format::Yaml) => print_document(format, &answer),
    }
}

/// Waits for the end of an operation.
async fn finish(
    started: Started,
    doing: &str,
    session: &Session,
) -> Result<Operation, CommandError> {
    let id = started.operation_id;
    session.on_interrupt(format!("the operation {id} goes on in the server"));
    let progress = Progress::start(session, format!("{doing} the read model"));
    let start = Instant::now();
    loop {
        let operation = session.call::<OperationGet>(&OperationParams { id }).await?;
        match operation.status {
            OperationStatus::Done => return Ok(operation),
            OperationStatus::Failed => {
                let why = operation.error.as_deref().unwrap_or("no reason was given");
                return Err(CommandError::new(
                    Exit::Error,
                    format!("{} failed: {why}", operation.kind),
                ));
            }
            OperationStatus::Running => {}
        }
        if session.timeout().is_some_and(|limit| start.elapsed() >= limit) {
            let text =
                format!("{doing} is at {} of {} and goes on", operation.done, operation.total);
            return Err(CommandError::new(Exit::TimedOut, text));
        }
        if operation.total > 0 {
            progress.update(operation.done, operation.total, &format!("positions, {doing}"));
        }
        sleep(ASK_EVERY).await;
    }
}

fn verdict(operation: &Operation, session: &Session) -> Result<(), CommandError> {
    let different = operation.equal.values().filter(|equal| !**equal).count();
    match session.output() {
        Format::Table | Format::Wide => {
            let paint = Paint::stdout();
            for (table, equal) in &operation.equal {
                let word = if *equal { paint.green("equal") } else { paint.red("different") };
                print_line(&format!("{table:<16}  {word}"))?;
            }
        }
        Format::Name => {}
        format => print_document(format, operation)?,
    }
    let as_of_seq = operation.as_of_seq.unwrap_or_default();
    if different == 0 {
        let tables = operation.equal.len();
        session.note(&format!(
            "ktk: all {tables} tables equal a rebuild (as of position {as_of_seq})"
        ));
        return Ok(());
    }
    let text = format!("{different} of {} tables differ from a rebuild", operation.equal.len());
    Err(CommandError::new(Exit::Findings, text).as_of(as_of_seq).advise("ktk projections rebuild"))
}
