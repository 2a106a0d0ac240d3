//! `ktk tree`

use kantoku_api::contract::TaskTree;

use crate::{
    error::CommandError,
    output::{Format, Paint, now, print_document, print_line},
    render::{Canvas, stdout_width, tree_lines},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk tree @last                   what was started last from here
  ktk tree context/0193a5c2
  ktk tree task/0193a5c2 --full    every task on a line of its own
  ktk tree @failed -o json";

/// More tasks than this are put together by level and state.
const LINES_MAX: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A context, or one of its tasks; the beginning of an id is enough
    #[arg(value_name = "CONTEXT|TASK")]
    target: Target,
    /// Show every task on a line of its own, however many there are
    #[arg(long)]
    full: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (_, id) = args.target.resolve_either(session).await?;
    let tree = session.call::<TaskTree>(&session.get(id)).await?;
    match session.output() {
        Format::Table | Format::Wide => {
            let height = if args.full { usize::MAX } else { LINES_MAX };
            let canvas =
                Canvas { width: stdout_width(), height, paint: Paint::stdout(), now: now() };
            print_line(&tree_lines(&tree, &canvas).join("\n"))
        }
        Format::Name => {
            tree.tasks.iter().try_for_each(|task| print_line(&format!("task/{}", task.id)))
        }
        Format::Jsonl => tree.tasks.iter().try_for_each(|task| print_document(Format::Jsonl, task)),
        format @ (Format::Json | Format::Yaml) => print_document(format, &tree),
    }
}
