//! `ktk projections`

use clap::Subcommand;
use kantoku_api::contract::{
    NoParams, Operation, ProjectionList, ProjectionRebuild, ProjectionVerify, Projections,
};

use super::operation::finish;
use crate::{
    error::{CommandError, Exit},
    output::{Format, Paint, Table, print_document, print_line, print_text},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk projections list
  ktk projections verify     compare the tables with tables made anew; exit 7 if they differ
  ktk projections rebuild    make the tables anew and put them in place, without a pause";

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
    /// Make the tables anew beside the live ones and put them in their place
    Rebuild {
        /// Said or not, this is what is done: without a swap it would be `verify`
        #[arg(long)]
        swap: bool,
    },
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::List => list(session).await,
        Command::Verify => {
            let started = session.call::<ProjectionVerify>(&NoParams {}).await?;
            verdict(&finish(started, "verifying the read model", session).await?, session)
        }
        Command::Rebuild { .. } => {
            let started = session.call::<ProjectionRebuild>(&NoParams {}).await?;
            let operation = finish(started, "rebuilding the read model", session).await?;
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
        format => print_document(format, &answer),
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
