//! `ktk logs`

use std::{collections::VecDeque, pin::pin};

use futures::StreamExt as _;
use kantoku_api::contract::{LogEntry, LogsParams, TaskFollowLogs, TaskLogs};

use crate::{
    complete,
    error::CommandError,
    kind::Kind,
    output::{Format, Paint, print_document, print_line},
    rows::task_status,
    session::Session,
    target::Target,
    waiting::{self, timed_out},
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk logs 0193a5c2                what all attempts of a task wrote
  ktk logs @failed --tail 20
  ktk logs @last -f                until the task ends
  ktk logs 0193a5c2 --attempt 2 -o jsonl";

/// Lines that one call asks for.
const PAGE: u32 = 5_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A task; the beginning of its id is enough
    #[arg(value_name = "TASK", add = complete::of(Kind::Task))]
    target: Target,
    /// Go on with what is written from now on, until the task ends
    #[arg(short, long)]
    follow: bool,
    /// Only what one attempt wrote
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Begin with the last lines, as many as this
    #[arg(long, value_name = "LINES")]
    tail: Option<usize>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (_, id) = args.target.resolve(session, Kind::Task).await?;
    let mut params = LogsParams {
        id,
        attempt: args.attempt,
        after: None,
        limit: Some(PAGE),
        namespace: session.namespace(),
    };
    let mut printer = Printer { session, paint: Paint::stdout(), attempt: None };
    // What is followed from its first line on need not be read before.
    let known = match (args.follow, args.tail) {
        (true, None) => 0,
        (_, tail) => print_kept(&mut params, tail, &mut printer).await?,
    };
    if args.follow { Box::pin(follow(&params, known, &mut printer)).await } else { Ok(()) }
}

/// Prints what there is. Leaves in `params` where its last page begins, and gives the number of
/// lines on that.
async fn print_kept(
    params: &mut LogsParams,
    tail: Option<usize>,
    printer: &mut Printer<'_>,
) -> Result<usize, CommandError> {
    let mut last = VecDeque::new();
    loop {
        let page = printer.session.call::<TaskLogs>(params).await?;
        let known = page.lines.len();
        for line in page.lines {
            let Some(tail) = tail else {
                printer.print(&line)?;
                continue;
            };
            last.push_back(line);
            if last.len() > tail {
                last.pop_front();
            }
        }
        let Some(after) = page.next_after else {
            last.iter().try_for_each(|line| printer.print(line))?;
            return Ok(known);
        };
        params.after = Some(after);
    }
}

/// Prints what is written until the task ends, without the first `known` lines.
async fn follow(
    params: &LogsParams,
    known: usize,
    printer: &mut Printer<'_>,
) -> Result<(), CommandError> {
    let session = printer.session;
    let mut lines = session.subscribe::<TaskFollowLogs>(params).await?;
    let mut end = pin!(waiting::task(&params.id, session));
    let mut seen = 0;
    let mut total = usize::MAX;
    while seen < total {
        tokio::select! {
            line = lines.next() => {
                let line = line.ok_or_else(|| session.connection_lost())??;
                seen += 1;
                if seen > known {
                    printer.print(&line)?;
                }
            }
            ended = &mut end, if total == usize::MAX => {
                let ended = ended?;
                if !ended.done {
                    let status = task_status(ended.last.status, ended.last.sub_status);
                    let what = format!("task/{}", ended.last.task_id);
                    return Err(timed_out(&what, status, ended.last.stream_seq));
                }
                // All it wrote was kept before its end was; some of it may still be on its way.
                total = count(params, session).await?;
            }
        }
    }
    Ok(())
}

/// How many lines there are.
async fn count(params: &LogsParams, session: &Session) -> Result<usize, CommandError> {
    let mut params = params.clone();
    let mut count = 0;
    loop {
        let page = session.call::<TaskLogs>(&params).await?;
        count += page.lines.len();
        let Some(after) = page.next_after else { return Ok(count) };
        params.after = Some(after);
    }
}

/// How lines are shown.
struct Printer<'a> {
    session: &'a Session,
    paint: Paint,
    /// Of the last line.
    attempt: Option<u32>,
}

impl Printer<'_> {
    /// The text as it was written: it may be meant for a program.
    fn print(&mut self, line: &LogEntry) -> Result<(), CommandError> {
        let before = self.attempt.replace(line.attempt);
        match self.session.output() {
            Format::Table | Format::Name => {
                if before.is_some_and(|attempt| attempt != line.attempt) {
                    self.session.note(&format!("ktk: attempt {}", line.attempt));
                }
                // What the executor says is none of what the task wrote.
                if line.stream == "system" {
                    self.session.note(&line.text);
                    return Ok(());
                }
                print_line(&line.text)
            }
            Format::Wide => {
                let lead = format!("{} #{} {}", line.at, line.attempt, line.stream);
                print_line(&format!("{} {}", self.paint.dim(&lead), line.text))
            }
            format => print_document(format.of_stream(), line),
        }
    }
}
