//! A context as a graph, for programs that draw: Graphviz, Mermaid, browsers.

mod dot;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use kantoku_api::contract::{Drawing, EdgeKind, GraphEdge, GraphNode, Place};
use kantoku_domain::Id;

pub(crate) use self::{dot::dot, mermaid::mermaid, svg::svg};
use super::{State, row::task_name};

/// Tasks and what joins them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Diagram {
    /// What all of it is.
    pub(super) title: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    layers: usize,
    rows: usize,
}

/// A task.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    name: String,
    /// What it does.
    specification: String,
    state: State,
    place: Place,
}

/// From a task to one that comes after it, by their places.
#[derive(Clone, Debug, PartialEq)]
struct Edge {
    from: usize,
    to: usize,
    link: Link,
    path: Vec<Place>,
}

/// What joins two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// The one waits for the other.
    Waits,
    /// The one was spawned by the other.
    Spawned,
}

impl Diagram {
    /// What was placed by who knows the context.
    pub(crate) fn new(drawing: &Drawing) -> Self {
        let places = drawing.nodes.iter().enumerate().map(|(at, node)| (node.task.id, at));
        let places: HashMap<Id, usize> = places.collect();
        let edge = |edge: &GraphEdge| {
            let link = match edge.kind {
                EdgeKind::Data | EdgeKind::After => Link::Waits,
                EdgeKind::Spawn => Link::Spawned,
            };
            let (from, to) = (*places.get(&edge.from)?, *places.get(&edge.to)?);
            Some(Edge { from, to, link, path: edge.path.clone() })
        };
        let node = |node: &GraphNode| Node {
            name: task_name(&node.task),
            specification: node.task.specification.to_string(),
            state: State::of(&node.task),
            place: node.place,
        };
        let pipeline = drawing.context.pipeline.as_ref().map(|it| format!("{} ", it.name));
        Self {
            title: format!("{}context/{}", pipeline.unwrap_or_default(), drawing.context.id),
            nodes: drawing.nodes.iter().map(node).collect(),
            edges: drawing.edges.iter().filter_map(edge).collect(),
            layers: drawing.layers,
            rows: drawing.rows,
        }
    }
}

impl Node {
    /// Its state in a sign and a word, so that colour only repeats it.
    fn status(&self) -> String {
        format!("{} {}", self.state.symbol(), self.state.word())
    }
}

impl State {
    /// What a box is filled with, and what its border is drawn in.
    const fn colours(self) -> (&'static str, &'static str) {
        match self {
            Self::Failed => ("#fde8e8", "#b42318"),
            Self::Running => ("#e0f2fe", "#026aa2"),
            Self::Ready => ("#f0f9ff", "#0086c9"),
            Self::Waiting => ("#ffffff", "#667085"),
            Self::Cancelled => ("#fef6e7", "#b54708"),
            Self::Skipped => ("#fffaeb", "#b54708"),
            Self::Ok => ("#e7f6ec", "#067647"),
        }
    }
}
