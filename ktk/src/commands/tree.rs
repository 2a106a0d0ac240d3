//! `ktk tree`

use clap::ValueEnum;
use kantoku_api::contract::{TaskTree, Tree};

use crate::{
    complete,
    error::CommandError,
    output::{Format, Paint, now, print_document, print_line},
    render::{self, Canvas, chain_lines, stdout_width, tree_lines},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk tree @last                   what was started last from here
  ktk tree context/0193a5c2
  ktk tree task/0193a5c2 --full    every task on a line of its own
  ktk tree @last --by data         each task below the last of those that it waits for
  ktk tree @last --by restart      what was restarted, and as what
  ktk tree @last --at 10m          as it was ten minutes ago
  ktk tree @failed -o json";

/// More tasks than this are put together by level and state.
const LINES_MAX: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A context, or one of its tasks; the beginning of an id is enough
    #[arg(value_name = "CONTEXT|TASK", add = complete::targets())]
    target: Target,
    /// Show every task on a line of its own, however many there are
    #[arg(long)]
    full: bool,
    /// What stands below what
    #[arg(long, value_enum, default_value_t)]
    by: By,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum By {
    /// A task below the one that spawned it
    #[default]
    Parent,
    /// A task below the last of those that it waits for
    Data,
    /// A task below the one that it took the place of
    Restart,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (_, id) = args.target.resolve_either(session).await?;
    let tree = session.call::<TaskTree>(&session.get(id)).await?;
    match session.output() {
        Format::Table | Format::Wide => {
            let height = if args.full { usize::MAX } else { LINES_MAX };
            let canvas =
                Canvas { width: stdout_width(), height, paint: Paint::stdout(), now: now() };
            print_line(&lines(&tree, args.by, &canvas).join("\n"))
        }
        Format::Name => {
            tree.tasks.iter().try_for_each(|task| print_line(&format!("task/{}", task.id)))
        }
        Format::Jsonl => tree.tasks.iter().try_for_each(|task| print_document(Format::Jsonl, task)),
        format => print_document(format, &tree),
    }
}

fn lines(tree: &Tree, by: By, canvas: &Canvas) -> Vec<String> {
    match by {
        By::Parent => tree_lines(tree, render::By::Parent, canvas),
        By::Data => tree_lines(tree, render::By::Data, canvas),
        By::Restart => chain_lines(tree, canvas),
    }
}
