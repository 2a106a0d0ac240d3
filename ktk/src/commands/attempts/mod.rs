//! `ktk attempts`

mod diff;

use kantoku_api::contract::{Attempt, AttemptOutcome, Attempts, TaskAttempts};
use serde_json::json;

use self::diff::{Difference, differences};
use crate::{
    commands::failures::failure_line,
    complete,
    error::CommandError,
    kind::Kind,
    output::{Format, ShortIds, Table, View, print_document, print_line, print_text},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk attempts @failed             of the task and of all that it was restarted from and as
  ktk attempts @last/convert --diff
  ktk attempts 0193a5c2 -o json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A task; the beginning of its id is enough, and CONTEXT/STEP is a name, too
    #[arg(value_name = "TASK", add = complete::of(Kind::Task))]
    target: Target,
    /// Show what is different between each attempt and the one before it
    #[arg(long)]
    diff: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (kind, id) = args.target.resolve(session, Kind::Task).await?;
    if kind != Kind::Task {
        return Err(CommandError::usage(format!("a {kind} has no attempts: name a task")));
    }
    let attempts = session.call::<TaskAttempts>(&session.get(id)).await;
    let attempts = attempts.map_err(|error| error.or_list(Kind::Task))?;
    let differences = if args.diff { differences(&attempts.items) } else { Vec::new() };
    match session.output() {
        Format::Table | Format::Wide => {
            let view = View {
                ids: ShortIds::of(attempts.items.iter().map(|attempt| attempt.task_id)),
                ..View::of(session)
            };
            if attempts.items.is_empty() {
                session.note("no attempt has begun yet");
            } else {
                print_text(&table(&attempts.items, &view))?;
            }
            if attempts.truncated {
                session.note("ktk: there were more before these");
            }
            print_text(&differences.iter().map(|it| it.text(&view)).collect::<String>())
        }
        Format::Name => {
            let mut ids: Vec<_> = attempts.items.iter().map(|attempt| attempt.task_id).collect();
            ids.dedup();
            ids.iter().try_for_each(|id| print_line(&format!("task/{id}")))
        }
        Format::Jsonl if args.diff => {
            differences.iter().try_for_each(|it| print_document(Format::Jsonl, it))
        }
        Format::Jsonl => attempts.items.iter().try_for_each(|it| print_document(Format::Jsonl, it)),
        format => print_document(format, &document(&attempts, args.diff.then_some(&differences))),
    }
}

fn document(attempts: &Attempts, differences: Option<&Vec<Difference>>) -> serde_json::Value {
    let mut document = json!(attempts);
    if let Some(differences) = differences {
        document["differences"] = json!(differences);
    }
    document
}

fn table(attempts: &[Attempt], view: &View) -> String {
    let mut header =
        vec!["TASK", "ATTEMPT", "OUTCOME", "SPECIFICATION", "NODE", "STARTED", "TOOK", "ERROR"];
    if view.wide {
        header.extend(["FENCE", "BOOT"]);
    }
    let mut table = Table::with_header(header);
    for attempt in attempts {
        let specification = &attempt.specification;
        let error = attempt.error.as_ref().map(failure_line).unwrap_or_default();
        let mut row = vec![
            view.id(attempt.task_id),
            attempt.attempt.to_string(),
            view.status(outcome(attempt.outcome)),
            format!("{}@{}", specification.name, specification.version),
            attempt.node.clone().unwrap_or_default(),
            attempt.started_at.map(|at| at.to_string()).unwrap_or_default(),
            view.took(attempt.started_at, attempt.ended_at),
            view.long_text(&error),
        ];
        if view.wide {
            row.push(attempt.fence.map(|fence| fence.to_string()).unwrap_or_default());
            row.push(attempt.boot_id.map(|id| id.to_string()).unwrap_or_default());
        }
        table.push(row);
        if let Some(refused) = &attempt.refused {
            let refused = format!("refused later: {}", view.long_text(refused));
            let mut row = vec![String::new(); 7];
            row.push(view.paint.yellow(&refused));
            table.push(row);
        }
    }
    table.take_text()
}

/// The word for an end.
const fn outcome(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Running => "running",
        AttemptOutcome::Ok => "ok",
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::Lost => "lost",
        AttemptOutcome::Expired => "expired",
        AttemptOutcome::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests;
