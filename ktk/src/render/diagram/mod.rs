//! A context as a graph, for programs that draw: Graphviz, Mermaid, browsers.

mod dot;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;

use kantoku_api::contract::Tree;

pub(crate) use self::{dot::dot, mermaid::mermaid, svg::svg};
use super::{By, State, graph::Graph, row::task_name};
use crate::current::current;

/// Tasks and what joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagram {
    /// What all of it is.
    pub(super) title: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    /// What it does.
    specification: String,
    state: State,
    /// The longest way from a task that waits for nothing, from 0.
    level: usize,
}

/// From a task to one that comes after it, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    link: Link,
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
    /// What is current of a context. `by` says which links are drawn; both unless given.
    pub(crate) fn new(all: &Tree, by: Option<By>) -> Self {
        let tree = &*current(all);
        let graph = Graph::new(&tree.tasks, By::Data);
        let mut edges = Vec::new();
        for (to, task) in tree.tasks.iter().enumerate() {
            // Each leads to a later level: what is named before it comes does not count.
            let mut link = |ids: &[kantoku_domain::Id], link| {
                let places = ids.iter().filter_map(|id| graph.place.get(id).copied());
                let earlier = places.filter(|from| graph.level[*from] < graph.level[to]);
                edges.extend(earlier.map(|from| Edge { from, to, link }));
            };
            if by != Some(By::Parent) {
                link(&task.waits_for, Link::Waits);
            }
            if by != Some(By::Data) {
                link(task.parent_id.as_slice(), Link::Spawned);
            }
        }
        let node = |(task, level): (_, &usize)| Node {
            name: task_name(task),
            specification: task.specification.to_string(),
            state: State::of(task),
            level: *level,
        };
        let nodes = tree.tasks.iter().zip(&graph.level).map(node).collect();
        let pipeline = tree.context.pipeline.as_ref().map(|it| format!("{} ", it.name));
        let title = format!("{}context/{}", pipeline.unwrap_or_default(), tree.context.id);
        Self { title, nodes, edges }
    }

    /// How many tasks there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
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
