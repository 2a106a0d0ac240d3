//! `ktk wait`

mod status;

use std::str::FromStr;

use kantoku_domain::task::Outcome;
use kantoku_projections::document::{ContextStatus, TaskStatus};
use serde::Serialize;

use crate::{
    commands::visible,
    complete,
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
  ktk wait task/0193a5c2 --for status=received
The exit code is 5 if it did not end as wanted, 6 if --timeout was over first.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to wait for: task/ID or context/ID; the beginning of an id is enough
    #[arg(required = true, value_name = "KIND/NAME", add = complete::targets())]
    targets: Vec<Target>,
    /// What is wanted: ok (it has finished well), finished (well or badly), done (finished, cancelled
    /// or skipped), or of a task status=ready, status=received and so on
    #[arg(long = "for", default_value = "ok", value_name = "END|status=STATUS")]
    wanted: Wanted,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    End(End),
    /// A task has this status.
    Status(TaskStatus),
}

/// Which end is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It has finished well.
    Ok,
    /// It has finished, well or badly.
    Finished,
    /// It has ended: finished, cancelled or skipped.
    Done,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(status) = text.strip_prefix("status=") {
            let read = serde_json::from_value(status.into());
            return read.map(Self::Status).map_err(|_| {
                format!(
                    "{status:?} is no status: write initialized, ready, received, finished, \
                     cancelled or skipped"
                )
            });
        }
        match text {
            "ok" => Ok(Self::End(End::Ok)),
            "finished" => Ok(Self::End(End::Finished)),
            "done" => Ok(Self::End(End::Done)),
            _ => Err(format!("{text:?} is not ok, finished, done or status=STATUS")),
        }
    }
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    for target in &args.targets {
        let (kind, id) = match target.kind {
            Some(_) => target.resolve(session, Kind::Task).await?,
            None => target.resolve_either(session).await?,
        };
        match (kind, &args.wanted) {
            (Kind::Task, Wanted::End(end)) => task(&id, *end, session).await,
            (Kind::Task, Wanted::Status(status)) => status::wait(&id, *status, session).await,
            (Kind::Context, Wanted::End(end)) => context(&id, *end, session).await,
            (Kind::Context, Wanted::Status(_)) => {
                return Err(CommandError::usage(
                    "status= is for tasks: of a context wait for an end",
                ));
            }
            (kind, _) => {
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
    visible(session, waited.stream_seq).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_an_end_or_a_status() {
        assert_eq!("done".parse(), Ok(Wanted::End(End::Done)));
        assert_eq!("status=received".parse(), Ok(Wanted::Status(TaskStatus::Received)));
        for wrong in ["", "status", "status=", "status=running", "failed"] {
            assert!(wrong.parse::<Wanted>().is_err(), "{wrong}");
        }
    }
}
