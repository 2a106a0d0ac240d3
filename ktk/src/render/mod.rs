//! Pictures of contexts for people: a tree as text, whole or redrawn in place.
//!
//! Everything here is a function of documents, a width and a time; only [`Screen`] writes.

mod chains;
mod contexts;
mod diagram;
mod graph;
mod groups;
mod needs;
mod plan;
mod row;
mod screen;
mod state;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod tree;

pub(crate) use chains::chain_lines;
pub(crate) use contexts::{context_line, context_lines};
pub(crate) use diagram::{Diagram, dot, mermaid, svg};
pub(crate) use graph::By;
pub(crate) use needs::{approval_text, needs_text};
pub(crate) use plan::{PlanCounts, PlanView, plan_text, superseded_text};
pub(crate) use screen::{Screen, stdout_width};
pub(crate) use state::State;
pub(crate) use text::{duration, one_line, printable, short_id};
pub(crate) use tree::{Canvas, change_line, header_lines, name_width, tree_lines};
