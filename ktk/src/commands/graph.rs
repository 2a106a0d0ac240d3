//! `ktk graph`

use clap::ValueEnum;
use kantoku_api::contract::{ContextGraph, Drawing, GraphBy, GraphParams, TaskTree};

use crate::{
    complete,
    error::CommandError,
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
  ktk graph @last -o svg --at-seq 4711  as it was at that position
  ktk graph @last -o json               with places, for who draws";

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
    match session.output() {
        Format::Table | Format::Wide | Format::Picture(Picture::Tree) => {
            let tree = session.call::<TaskTree>(&session.get(id)).await?;
            let (width, paint) = (stdout_width(), Paint::stdout());
            let canvas = Canvas { width, height: usize::MAX, paint, now: now() };
            let by = match args.by {
                Some(By::Parent) => render::By::Parent,
                Some(By::Data) | None => render::By::Data,
            };
            print_line(&tree_lines(&tree, by, &canvas).join("\n"))
        }
        Format::Picture(picture) => {
            print_text(&drawn(&drawing(id, args.by, session).await?, picture))
        }
        Format::Name => {
            let drawing = drawing(id, args.by, session).await?;
            let mut tasks = drawing.nodes.iter().map(|node| node.task.id);
            tasks.try_for_each(|id| print_line(&format!("task/{id}")))
        }
        Format::Jsonl => {
            let drawing = drawing(id, args.by, session).await?;
            drawing.nodes.iter().try_for_each(|node| print_document(Format::Jsonl, node))
        }
        format => print_document(format, &drawing(id, args.by, session).await?),
    }
}

async fn drawing(id: String, by: Option<By>, session: &Session) -> Result<Drawing, CommandError> {
    let advice = format!("ktk graph {id} -o tree");
    let by = by.map(|by| match by {
        By::Parent => GraphBy::Parent,
        By::Data => GraphBy::Data,
    });
    let params = GraphParams { by, ..session.get(id) };
    let drawing = session.call::<ContextGraph>(&params).await;
    drawing.map_err(|error| match error.api() {
        Some(api) if api.data.reason == "too_many_tasks" => error.advise(advice),
        _ => error,
    })
}

fn drawn(drawing: &Drawing, picture: Picture) -> String {
    let diagram = Diagram::new(drawing);
    match picture {
        Picture::Tree | Picture::Dot => dot(&diagram),
        Picture::Mermaid => mermaid(&diagram),
        Picture::Svg => svg(&diagram),
    }
}
