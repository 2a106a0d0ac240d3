//! `ktk why`

use kantoku_api::contract::{TaskWhy, Why, WhyFact};
use kantoku_projections::document::TaskStatus;

use crate::{
    error::CommandError,
    kind::Kind,
    output::{Format, Paint, print_document, print_line},
    render::one_line,
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk why 0193a5c2      why a task does not run, or how it ended
  ktk why @failed
  ktk why @last -o json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A task; the beginning of its id is enough
    #[arg(value_name = "TASK")]
    target: Target,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (_, id) = args.target.resolve(session, Kind::Task).await?;
    let why = session.call::<TaskWhy>(&session.get(id)).await?;
    match session.output() {
        Format::Table | Format::Wide => print_line(&text(&why, Paint::stdout())),
        Format::Name => print_line(&format!("task/{}", why.task_id)),
        Format::Jsonl => why.facts.iter().try_for_each(|fact| print_document(Format::Jsonl, fact)),
        format @ (Format::Json | Format::Yaml) => print_document(format, &why),
    }
}

fn text(why: &Why, paint: Paint) -> String {
    let mut lines = vec![paint.bold(&one_line(&why.summary))];
    lines.extend(why.facts.iter().map(fact_text));
    let logs = matches!(why.status, TaskStatus::Finished | TaskStatus::Received);
    let next = if logs { "logs" } else { "tree" };
    lines.push(paint.dim(&format!("as of position {}; ktk {next} {}", why.as_of_seq, why.task_id)));
    lines.join("\n")
}

/// A message may be several lines long: what a process wrote, for one.
fn fact_text(fact: &WhyFact) -> String {
    let mut lines = fact.message.trim_end().lines().map(one_line);
    let first = lines.next().unwrap_or_default();
    let at = fact.at.map(|at| format!(" ({at})")).unwrap_or_default();
    let rest: Vec<_> = lines.map(|line| format!("\n    {line}")).collect();
    format!("  {}: {first}{at}{}", fact.kind, rest.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_task_up_is_told_in_a_sentence_and_a_line_per_fact() {
        let fact = |kind: &str, message: &str| WhyFact {
            kind: kind.into(),
            message: message.into(),
            resource_id: None,
            task_id: None,
            at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        };
        let why = Why {
            task_id: "0193b0de-0000-7000-8000-00000000002a".parse().unwrap(),
            status: TaskStatus::Initialized,
            summary: "It waits for an input.".into(),
            facts: vec![
                fact("input", "page comes from task fetch, which has not run"),
                fact("failed", "exit code 1\nTraceback\x1b[2J\n"),
            ],
            as_of_seq: 7,
        };
        assert_eq!(
            text(&why, Paint::OFF),
            "It waits for an input.\n  \
             input: page comes from task fetch, which has not run (2026-01-02T03:04:05Z)\n  \
             failed: exit code 1 (2026-01-02T03:04:05Z)\n    Traceback[2J\n\
             as of position 7; ktk tree 0193b0de-0000-7000-8000-00000000002a"
        );
    }
}
