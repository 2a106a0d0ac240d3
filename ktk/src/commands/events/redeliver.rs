//! `ktk events redeliver`

use kantoku_api::contract::{
    DeadLetterList, DeadLetterParams, DeadLetterRedeliver, DeadLettersParams, Redelivery,
};
use serde_json::json;

use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    output::{Format, print_document, print_line},
    session::Session,
    target::Target,
};

/// How many letters one call asks for.
const PAGE: u32 = 1_000;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Args {
    /// The numbers of dead letters, as `ktk get deadletters` shows them
    #[arg(value_name = "LETTER")]
    letters: Vec<Target>,
    /// All of them
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let letters = if args.all {
        all(session).await?
    } else {
        args.letters.iter().map(number).collect::<Result<_, _>>()?
    };
    let (mut kept, total) = (0, letters.len());
    for letter in letters {
        let params = DeadLetterParams { letter };
        let became = session.call::<DeadLetterRedeliver>(&params).await;
        let became = became.map_err(|error| error.or_list(Kind::DeadLetter))?;
        if became == Redelivery::NobodyReads {
            kept += 1;
        }
        tell(letter, became, session)?;
    }
    if total == 0 {
        session.note("ktk: there are no dead letters");
    }
    if kept == 0 {
        return Ok(());
    }
    let text = format!("{kept} of {total} letters were taken by nobody and are kept");
    Err(CommandError::new(Exit::Unreachable, text).advise(
        "ktk get services: start the service that reads through that durable; a node folds all \
         events anew when it starts, a read model is made anew by `ktk projections rebuild`",
    ))
}

fn number(target: &Target) -> Result<u64, CommandError> {
    let is_letter = target.kind.is_none_or(|kind| kind == Kind::DeadLetter);
    let number = target.name.parse().ok().filter(|_| is_letter);
    number.ok_or_else(|| {
        CommandError::usage(format!("{:?} is no number of a dead letter", target.name))
    })
}

/// Those that there are now: what fails again comes back with another number.
async fn all(session: &Session) -> Result<Vec<u64>, CommandError> {
    let (mut letters, mut after) = (Vec::new(), 0);
    loop {
        let params = DeadLettersParams { after, limit: Some(PAGE) };
        let page = session.call::<DeadLetterList>(&params).await?;
        let Some(last) = page.items.last() else { return Ok(letters) };
        after = last.letter;
        letters.extend(page.items.iter().map(|letter| letter.letter));
    }
}

fn tell(letter: u64, became: Redelivery, session: &Session) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => {
            let what = match became {
                Redelivery::Taken => "delivered again",
                Redelivery::NobodyReads => "kept: nobody who could take it is there",
            };
            print_line(&format!("deadletter/{letter} {what}"))
        }
        Format::Name => print_line(&format!("deadletter/{letter}")),
        Format::Yaml => {
            print_document(Format::Yaml, &json!({ "letter": letter, "became": became }))
        }
        format => {
            print_document(format.of_stream(), &json!({ "letter": letter, "became": became }))
        }
    }
}
