//! `ktk graph`

use clap::ValueEnum;
use kantoku_api::contract::{TaskTree, Tree};

use crate::{
    complete,
    error::{CommandError, Exit},
    output::{Format, Paint, Picture, now, print_document, print_line, print_text},
    render::{self, Canvas, Diagram, dot, mermaid, stdout_width, svg, tree_lines},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk graph @last                       as lines of text
  ktk graph @last -o svg > graph.svg
  ktk graph @last -o dot --by data      what waits for what, for Graphviz
  ktk graph @last -o mermaid            for Markdown pages
  ktk graph @last -o json               what `ktk tree` prints, too";

/// Nobody finds a way through a drawing of more tasks.
const DRAWN_MAX: usize = 5_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A context, or one of its tasks; the beginning of an id is enough
    #[arg(value_name = "CONTEXT|TASK", add = complete::targets())]
    target: Target,
    /// What joins two tasks [default: both, and for text the data]
    #[arg(long, value_enum)]
    by: Option<By>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// One spawned the other
    Parent,
    /// One waits for the other
    Data,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (_, id) = args.target.resolve_either(session).await?;
    let tree = session.call::<TaskTree>(&session.get(id)).await?;
    let by = args.by.map(|by| match by {
        By::Parent => render::By::Parent,
        By::Data => render::By::Data,
    });
    match session.output() {
        Format::Table | Format::Wide | Format::Picture(Picture::Tree) => {
            let (width, paint) = (stdout_width(), Paint::stdout());
            let canvas = Canvas { width, height: usize::MAX, paint, now: now() };
            let by = by.unwrap_or(render::By::Data);
            print_line(&tree_lines(&tree, by, &canvas).join("\n"))
        }
        Format::Picture(picture) => print_text(&drawn(&tree, by, picture, session)?),
        Format::Name => {
            tree.tasks.iter().try_for_each(|task| print_line(&format!("task/{}", task.id)))
        }
        Format::Jsonl => tree.tasks.iter().try_for_each(|task| print_document(Format::Jsonl, task)),
        format => print_document(format, &tree),
    }
}

fn drawn(
    tree: &Tree,
    by: Option<render::By>,
    picture: Picture,
    session: &Session,
) -> Result<String, CommandError> {
    let diagram = Diagram::new(tree, by);
    if diagram.len() > DRAWN_MAX {
        let message = format!("{} tasks are too many to draw: {DRAWN_MAX} can be", diagram.len());
        let id = tree.context.id;
        return Err(CommandError::new(Exit::Refused, message)
            .as_of(tree.as_of_seq)
            .advise(format!("ktk graph context/{id} -o tree")));
    }
    if tree.truncated {
        session.note(&format!("ktk: only the first {} tasks are drawn", diagram.len()));
    }
    Ok(match picture {
        Picture::Tree | Picture::Dot => dot(&diagram),
        Picture::Mermaid => mermaid(&diagram),
        Picture::Svg => svg(&diagram),
    })
}
