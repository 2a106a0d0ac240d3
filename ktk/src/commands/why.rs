//! `ktk why`

use kantoku_api::contract::{TaskWhy, Why, WhyFact};
use kantoku_projections::document::TaskStatus;

use crate::{
    error::CommandError,
    kind::Kind,
    output::{Format, Paint, print_document, print_line},
    render::printable,
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
    let mut lines = block(&why.summary, "  ");
    if let Some(first) = lines.first_mut() {
        *first = paint.bold(first);
    }
    // Its own failure is what the summary tells.
    let others = why.facts.iter().filter(|fact| fact.task_id != Some(why.task_id));
    lines.extend(others.flat_map(fact_lines));
    let logs = matches!(why.status, TaskStatus::Finished | TaskStatus::Received);
    let next = if logs { "logs" } else { "tree" };
    lines.push(paint.dim(&format!("as of position {}; ktk {next} {}", why.as_of_seq, why.task_id)));
    lines.join("\n")
}

fn fact_lines(fact: &WhyFact) -> Vec<String> {
    let mut lines = block(&fact.message, "    ");
    if let Some(first) = lines.first_mut() {
        let at = fact.at.map(|at| format!(" ({at})")).unwrap_or_default();
        *first = format!("  {}: {first}{at}", fact.kind);
    }
    lines
}

/// A message may be several lines long: what a process wrote, for one.
fn block(text: &str, indent: &str) -> Vec<String> {
    let lines = text.trim_end().lines().map(printable).enumerate();
    lines
        .map(|(index, line)| if index == 0 { line.into_owned() } else { format!("{indent}{line}") })
        .collect()
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
        let mut why = Why {
            task_id: "0193b0de-0000-7000-8000-00000000002a".parse().unwrap(),
            status: TaskStatus::Initialized,
            summary: "It waits for an input.".into(),
            facts: vec![
                fact("input", "page comes from task fetch, which has not run"),
                fact("failed", "exit code 1\n  Traceback\x1b[2J\n"),
            ],
            as_of_seq: 7,
        };
        assert_eq!(
            text(&why, Paint::OFF),
            "It waits for an input.\n  \
             input: page comes from task fetch, which has not run (2026-01-02T03:04:05Z)\n  \
             failed: exit code 1 (2026-01-02T03:04:05Z)\n      Traceback[2J\n\
             as of position 7; ktk tree 0193b0de-0000-7000-8000-00000000002a"
        );
        why.facts[1].task_id = Some(why.task_id);
        assert!(!text(&why, Paint::OFF).contains("Traceback"), "the summary tells it");
    }
}
