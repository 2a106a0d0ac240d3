//! In Graphviz' language.

use std::fmt::Write as _;

use super::{Diagram, Link};

/// A directed graph.
pub(crate) fn dot(diagram: &Diagram) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&[&diagram.title]));
    text.push_str("  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\"];\n");
    for (at, node) in diagram.nodes.iter().enumerate() {
        let label = quoted(&[&node.name, &node.specification, &node.status()]);
        let (fill, line) = node.state.colours();
        // Writing to a text cannot fail.
        writeln!(text, "  n{at} [label={label}, fillcolor=\"{fill}\", color=\"{line}\"];").ok();
    }
    for edge in &diagram.edges {
        let style = match edge.link {
            Link::Waits => "",
            Link::Spawned => " [style=dashed, label=\"spawned\"]",
        };
        writeln!(text, "  n{} -> n{}{style};", edge.from, edge.to).ok();
    }
    text.push_str("}\n");
    text
}

/// Lines in quotes.
fn quoted(lines: &[&str]) -> String {
    let escape = |line: &&str| {
        let plain: String = line.chars().filter(|c| !c.is_control()).collect();
        plain.replace('\\', "\\\\").replace('"', "\\\"")
    };
    format!("\"{}\"", lines.iter().map(escape).collect::<Vec<_>>().join("\\n"))
}
