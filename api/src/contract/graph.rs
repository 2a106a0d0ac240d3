//! `context.graph`

use kantoku_domain::{Id, Millis, Namespace};
use kantoku_projections::document::ContextDocument;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ReadParams, TreeTask, methods};

methods! {
    /// A context as a drawing: its tasks with places, and what joins them.
    ContextGraph = "context.graph": GraphParams => Drawing;
}

/// How many tasks a drawing may have: nobody finds a way through more.
pub const GRAPH_TASKS_MAX: usize = 5_000;

/// Which context, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphParams {
    /// The id of the context, or of one of its tasks; or its beginning.
    pub id: String,
    /// What joins two tasks; whatever does unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<GraphBy>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// As it was at this position of the stream, from 1; as it is now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub at_seq: Option<u64>,
    /// The same by time: the last position at or before it. An RFC 3339 time such as
    /// `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

impl From<ReadParams> for GraphParams {
    fn from(params: ReadParams) -> Self {
        let ReadParams { id, namespace, at_seq, at, min_seq, timeout } = params;
        Self { id, by: None, namespace, at_seq, at, min_seq, timeout }
    }
}

/// What joins two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GraphBy {
    /// One spawned the other.
    Parent,
    /// One waits for the other.
    Data,
}

/// A context as a drawing, in layers from left to right. Tasks that others took the place of are
/// left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drawing {
    /// The context.
    pub context: ContextDocument,
    /// Its tasks, at most 5,000, in the order in which they can run.
    pub nodes: Vec<GraphNode>,
    /// What joins them: each edge leads to a later layer.
    pub edges: Vec<GraphEdge>,
    /// How many layers there are.
    pub layers: usize,
    /// How many rows the longest layer has.
    pub rows: usize,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// A task in a drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphNode {
    /// The task.
    pub task: TreeTask,
    /// Where it stands.
    pub place: Place,
}

/// A place in a drawing, without units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The layer, from 0.
    pub layer: usize,
    /// How far down in it, from 0. Neighbours are 1 apart, and shorter layers stand in the middle.
    pub row: f64,
}

/// From a task to one that comes after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphEdge {
    /// The task that comes first.
    pub from: Id,
    /// The other.
    pub to: Id,
    /// What joins them.
    pub kind: EdgeKind,
    /// The places that the line goes through, those of both tasks included. Where no task stands it
    /// goes straight to the next layer.
    pub path: Vec<Place>,
}

/// What joins two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// The later one reads what the earlier one resolves.
    Data,
    /// The later one waits for the earlier one, and reads nothing of it.
    After,
    /// The earlier one spawned the later one.
    Spawn,
}
