//! `ktk why`

use kantoku_api::contract::{TaskWhy, Why, WhyFact, WhySource};
use kantoku_projections::document::TaskStatus;

use crate::{
    complete,
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
    #[arg(value_name = "TASK", add = complete::of(Kind::Task))]
    target: Target,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (_, id) = args.target.resolve(session, Kind::Task).await?;
    let why = session.call::<TaskWhy>(&session.get(id)).await?;
    match session.output() {
        Format::Table | Format::Wide => print_line(&text(&why, Paint::stdout())),
        Format::Name => print_line(&format!("task/{}", why.task_id)),
        Format::Jsonl => why.facts.iter().try_for_each(|fact| print_document(Format::Jsonl, fact)),
        format => print_document(format, &why),
    }
}

fn text(why: &Why, paint: Paint) -> String {
    let mut lines = block(&why.summary, "  ");
    if let Some(first) = lines.first_mut() {
        *first = paint.bold(first);
    }
    // Its own failure is what the summary tells.
    let is_told = |fact: &&WhyFact| {
        fact.task_id == Some(why.task_id) && matches!(fact.kind.as_str(), "failed" | "cancelled")
    };
    let others = why.facts.iter().filter(|fact| !is_told(fact));
    lines.extend(others.flat_map(|fact| fact_lines(fact, paint)));
    if why.status == TaskStatus::Initialized && why.source == WhySource::ReadModel {
        // The summary says that nobody has answered.
        lines.push(paint.dim("      try: ktk doctor"));
    }
    let logs = matches!(why.status, TaskStatus::Finished | TaskStatus::Received);
    let next = if logs { "logs" } else { "tree" };
    lines.push(paint.dim(&format!("as of position {}; ktk {next} {}", why.as_of_seq, why.task_id)));
    lines.join("\n")
}

fn fact_lines(fact: &WhyFact, paint: Paint) -> Vec<String> {
    let mut lines = block(&fact.message, "    ");
    if let Some(first) = lines.first_mut() {
        let at = fact.at.map(|at| format!(" ({at})")).unwrap_or_default();
        *first = format!("  {}: {first}{at}", fact.kind);
    }
    // Many messages say themselves what to do.
    if let Some(command) = way_out(fact).filter(|_| !fact.message.contains("ktk ")) {
        lines.push(paint.dim(&format!("      try: {command}")));
    }
    lines
}

/// A command that changes the fact, or says more about it.
fn way_out(fact: &WhyFact) -> Option<String> {
    let task = fact.task_id.map(|id| format!("task/{id}"));
    Some(match fact.kind.as_str() {
        "limit" => match fact.held_by.first() {
            Some(holder) => format!("ktk describe task/{holder}, ktk get policies"),
            None => "ktk get policies".into(),
        },
        "running" => format!("ktk logs {}", fact.task_id?),
        "failed" | "cancelled" | "skipped" => format!("ktk restart {} --dry-run", task?),
        "backoff" => format!("ktk attempts {}", task?),
        "busy" | "ready" | "no_executor" => "ktk get services".into(),
        "due" | "no_scheduler" | "no_unfolder" => "ktk doctor".into(),
        "approval" | "paused" | "time" | "event" | "probe" | "input" | "dependency" => {
            format!("ktk describe {}", task?)
        }
        _ => return None,
    })
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

    const TASK: &str = "0193b0de-0000-7000-8000-00000000002a";
    const OTHER: &str = "0193b0de-0000-7000-8000-000000000001";

    fn fact(kind: &str, message: &str) -> WhyFact {
        WhyFact {
            kind: kind.into(),
            message: message.into(),
            resource_id: None,
            task_id: None,
            at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            held_by: vec![],
        }
    }

    fn why(status: TaskStatus, facts: Vec<WhyFact>) -> Why {
        Why {
            task_id: TASK.parse().unwrap(),
            status,
            summary: "It waits for an input.".into(),
            facts,
            source: WhySource::Scheduler,
            as_of_seq: 7,
        }
    }

    #[test]
    fn what_holds_a_task_up_is_told_in_a_sentence_and_a_line_per_fact() {
        let mut why = why(
            TaskStatus::Initialized,
            vec![
                fact("input", "page comes from task fetch, which has not run"),
                fact("failed", "exit code 1\n  Traceback\x1b[2J\n"),
            ],
        );
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

    #[test]
    fn every_fact_comes_with_a_command_to_try() {
        let of_task = |kind: &str, message: &str| WhyFact {
            at: None,
            task_id: Some(TASK.parse().unwrap()),
            ..fact(kind, message)
        };
        let limit = WhyFact {
            held_by: vec![OTHER.parse().unwrap()],
            ..of_task("limit", "2 of 2 held by step \"a\"")
        };
        for (fact, command) in [
            (limit, format!("try: ktk describe task/{OTHER}, ktk get policies")),
            (of_task("limit", "the next may at noon"), "try: ktk get policies".into()),
            (of_task("running", "it runs"), format!("try: ktk logs {TASK}")),
            (of_task("time", "a window"), format!("try: ktk describe task/{TASK}")),
            (of_task("backoff", "it waits"), format!("try: ktk attempts task/{TASK}")),
            (of_task("skipped", "never"), format!("try: ktk restart task/{TASK} --dry-run")),
        ] {
            let kind = fact.kind.clone();
            let told = text(&why(TaskStatus::Initialized, vec![fact]), Paint::OFF);
            assert_eq!(told.lines().nth(2).map(str::trim), Some(command.as_str()), "{kind}");
        }
        let message = format!("it is paused. Let it go on: ktk resume task/{TASK}");
        let told =
            text(&why(TaskStatus::Initialized, vec![of_task("paused", &message)]), Paint::OFF);
        assert_eq!(told.matches("ktk resume").count(), 1, "{told}");
        assert!(!told.contains("try:"), "the message says it: {told}");
    }

    #[test]
    fn where_nobody_answered_a_look_at_the_services_is_advised() {
        let silent = Why { source: WhySource::ReadModel, ..why(TaskStatus::Initialized, vec![]) };
        assert!(text(&silent, Paint::OFF).contains("try: ktk doctor"));
        let ended = Why { status: TaskStatus::Finished, ..silent };
        assert!(!text(&ended, Paint::OFF).contains("doctor"), "none has to");
    }
}
