//! In Mermaid's language.

use std::fmt::Write as _;

use super::{Diagram, Link};
use crate::render::State;

/// A flowchart.
pub(crate) fn mermaid(diagram: &Diagram) -> String {
    let mut text = format!("---\ntitle: \"{}\"\n---\nflowchart LR\n", escaped(&diagram.title));
    for (at, node) in diagram.nodes.iter().enumerate() {
        let label = [&node.name, &node.specification, &node.status()].map(|it| escaped(it));
        // Writing to a text cannot fail.
        writeln!(text, "  n{at}[\"{}\"]:::{}", label.join("<br/>"), node.state.word()).ok();
    }
    for edge in &diagram.edges {
        let arrow = match edge.link {
            Link::Waits => "-->",
            Link::Spawned => "-. spawned .->",
        };
        writeln!(text, "  n{} {arrow} n{}", edge.from, edge.to).ok();
    }
    for state in State::ALL {
        if diagram.nodes.iter().any(|node| node.state == state) {
            let (fill, line) = state.colours();
            writeln!(text, "  classDef {} fill:{fill},stroke:{line},color:#101828", state.word())
                .ok();
        }
    }
    text
}

/// What has a meaning in Mermaid or in HTML is written by its number.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().filter(|c| !c.is_control()) {
        match character {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                write!(escaped, "#{};", u32::from(character)).ok();
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
