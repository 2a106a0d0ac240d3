//! `ktk wait`

use clap::ValueEnum;
use kantoku_domain::task::Outcome;
use kantoku_projections::document::{ContextStatus, TaskStatus};
use serde::Serialize;

use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    output::{Format, View, print_document, print_line},
    rows::{context_status, task_status},
    session::Session,
    target::Target,
    waiting::{self, timed_out},
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk wait task/0193a5c2
  ktk wait context/@last --for=done --timeout 5m
The exit code is 5 if it did not end as wanted, 6 if --timeout was over first.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to wait for: task/ID or context/ID; the beginning of an id is enough
    #[arg(required = true, value_name = "KIND/NAME")]
    targets: Vec<Target>,
    /// Which end is wanted
    #[arg(long = "for", value_enum, default_value_t, value_name = "END")]
    end: End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum End {
    /// It has finished well
    #[default]
    Ok,
    /// It has finished, well or badly
    Finished,
    /// It has ended: finished, cancelled or skipped
    Done,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    for target in &args.targets {
        let (kind, id) = match target.kind {
            Some(_) => target.resolve(session, Kind::Task).await?,
            None => target.resolve_either(session).await?,
        };
        match kind {
            Kind::Task => task(&id, args.end, session).await,
            Kind::Context => context(&id, args.end, session).await,
            kind => {
                return Err(CommandError::usage(format!(
                    "a {kind} has no end: name a task or a context"
                )));
            }
        }
        .map_err(|error| error.or_list(kind))?;
    }
    Ok(())
}

async fn task(id: &str, end: End, session: &Session) -> Result<(), CommandError> {
    let waited = waiting::task(id, session).await?.last;
    let what = format!("task/{}", waited.task_id);
    let status = task_status(waited.status, waited.sub_status);
    print(&what, status, &waited, session)?;
    if !waited.done {
        return Err(timed_out(&what, status, waited.stream_seq));
    }
    let as_wanted = match end {
        End::Ok => waited.sub_status == Some(Outcome::Ok),
        End::Finished => waited.status == TaskStatus::Finished,
        End::Done => true,
    };
    if as_wanted { Ok(()) } else { Err(not_as_wanted(&what, status, waited.stream_seq)) }
}

async fn context(id: &str, end: End, session: &Session) -> Result<(), CommandError> {
    let waited = waiting::context(id, session).await?.last;
    let what = format!("context/{}", waited.context.id);
    let status = context_status(waited.context.status);
    print(&what, status, &waited, session)?;
    if !waited.done {
        return Err(timed_out(&what, status, waited.as_of_seq));
    }
    let as_wanted = match end {
        End::Ok => waited.context.status == ContextStatus::Ok,
        End::Finished => waited.context.status != ContextStatus::Cancelled,
        End::Done => true,
    };
    if as_wanted { Ok(()) } else { Err(not_as_wanted(&what, status, waited.as_of_seq)) }
}

fn not_as_wanted(what: &str, status: &str, as_of_seq: u64) -> CommandError {
    CommandError::new(Exit::TaskFailed, format!("{what} is {status}"))
        .as_of(as_of_seq)
        .advise(format!("ktk describe {what}"))
}

fn print<T: Serialize>(
    what: &str,
    status: &str,
    waited: &T,
    session: &Session,
) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!("{what} {}", View::of(session).status(status)))
        }
        Format::Name => print_line(what),
        format => print_document(format, waited),
    }
}
