//! `context.graph`
//!
//! What is drawn is what `task.tree` tells, less what others took the place of; where it stands says
//! [`layout`].

mod layout;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kantoku_domain::Id;
use kantoku_projections::reader::Graph;

use super::{Api, Module, shared::blocking, tree};
use crate::{
    ApiError, Code,
    contract::{
        ContextGraph, Drawing, EdgeKind, GRAPH_TASKS_MAX, GraphBy, GraphEdge, GraphNode,
        GraphParams, ReadParams, Tree, TreeTask,
    },
};
use layout::layout;

pub(super) fn register(module: &mut Module) {
    module.register::<ContextGraph>(graph);
}

async fn graph(api: Arc<Api>, params: GraphParams) -> Result<Drawing, ApiError> {
    let GraphParams { id, by, namespace, at_seq, at, min_seq, timeout } = params;
    let params = ReadParams { id, namespace, at_seq, at, min_seq, timeout };
    let graph = tree::graph(&api, params).await?;
    blocking(move || draw(graph, by)).await?
}

/// Places what is current of a context, and what joins it.
fn draw(graph: Graph, by: Option<GraphBy>) -> Result<Drawing, ApiError> {
    let read = read(&graph);
    let Tree { context, tasks, truncated, as_of_seq } = tree::draw(graph).current();
    if truncated || tasks.len() > GRAPH_TASKS_MAX {
        let message = format!(
            "{} tasks are too many to draw: {GRAPH_TASKS_MAX} can be; task.tree tells of them all",
            tasks.len()
        );
        return Err(ApiError::new(Code::Limit, message).reason("too_many_tasks").for_good());
    }
    let links = links(&tasks, &read);
    let layers = layers(tasks.len(), &links);
    let drawn = links.into_iter().filter(|link| match by {
        None => true,
        Some(GraphBy::Parent) => link.kind == EdgeKind::Spawn,
        Some(GraphBy::Data) => link.kind != EdgeKind::Spawn,
    });
    let drawn: Vec<Link> = drawn.collect();
    let ends: Vec<(usize, usize)> = drawn.iter().map(|link| (link.from, link.to)).collect();
    let laid = layout(&layers, &ends);
    let edge = |(link, path): (Link, _)| GraphEdge {
        from: tasks[link.from].id,
        to: tasks[link.to].id,
        kind: link.kind,
        path,
    };
    let edges = drawn.into_iter().zip(laid.edges).map(edge).collect();
    let nodes = tasks.into_iter().zip(laid.nodes);
    let nodes = nodes.map(|(task, place)| GraphNode { task, place }).collect();
    Ok(Drawing { context, nodes, edges, layers: laid.layers, rows: laid.rows, as_of_seq })
}

/// For each task, those whose values it reads.
fn read(graph: &Graph) -> BTreeMap<Id, BTreeSet<Id>> {
    let of_task = |ids: &BTreeMap<String, Id>| {
        ids.values().filter_map(|id| tree::waited_for(graph, *id)).collect()
    };
    graph.tasks.values().map(|task| (task.id, of_task(&task.reads))).collect()
}

/// What joins two tasks, by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    from: usize,
    to: usize,
    kind: EdgeKind,
}

/// Each leads to a later task of the list: what is named before it comes does not count.
fn links(tasks: &[TreeTask], read: &BTreeMap<Id, BTreeSet<Id>>) -> Vec<Link> {
    let mut places: BTreeMap<Id, usize> = BTreeMap::new();
    let mut links = Vec::new();
    for (to, task) in tasks.iter().enumerate() {
        let reads = |id: &Id| read.get(&task.id).is_some_and(|read| read.contains(id));
        let kind = |id: &Id| if reads(id) { EdgeKind::Data } else { EdgeKind::After };
        let waits = task.waits_for.iter().map(|id| (id, kind(id)));
        let all = waits.chain(task.parent_id.iter().map(|id| (id, EdgeKind::Spawn)));
        links.extend(all.filter_map(|(id, kind)| Some(Link { from: *places.get(id)?, to, kind })));
        places.insert(task.id, to);
    }
    links
}

/// For each task the longest way from one that nothing leads to, from 0.
fn layers(tasks: usize, links: &[Link]) -> Vec<usize> {
    let mut layers = vec![0; tasks];
    for link in links {
        layers[link.to] = layers[link.to].max(layers[link.from] + 1);
    }
    layers
}

#[cfg(test)]
mod tests {
    use kantoku_domain::Dependency;

    use super::*;
    use crate::server::why::testing::{graph, id_of, reads};

    fn told(drawing: &Drawing) -> Vec<(&str, &str, EdgeKind)> {
        let step = |id: &Id| {
            let node = drawing.nodes.iter().find(|node| node.task.id == *id).expect("a node");
            node.task.step.as_deref().expect("a step")
        };
        drawing.edges.iter().map(|edge| (step(&edge.from), step(&edge.to), edge.kind)).collect()
    }

    fn sample() -> Graph {
        let mut graph = graph(&[
            reads("a", &[]),
            reads("b", &["a"]),
            reads("child", &[]),
            reads("late", &[]),
            reads("old", &["a"]),
        ]);
        let set = |graph: &mut Graph, step: &str, change: fn(&mut _)| {
            change(graph.tasks.get_mut(&id_of(step)).expect("a step"));
        };
        set(&mut graph, "child", |task| task.parent_id = Some(id_of("a")));
        set(&mut graph, "late", |task| {
            let parts = ["a", "b"].map(|step| Dependency::Done(id_of(step)));
            task.depends_on = Some(Dependency::All(parts.into()));
        });
        set(&mut graph, "old", |task| task.restarted_as = Some(id_of("b")));
        graph
    }

    #[test]
    fn edges_say_what_joins_tasks_and_lead_from_layer_to_layer() {
        let drawing = draw(sample(), None).expect("drawn");
        let steps: Vec<_> = drawing
            .nodes
            .iter()
            .map(|node| (node.task.step.as_deref(), node.place.layer))
            .collect();
        assert_eq!(steps, [(Some("a"), 0), (Some("b"), 1), (Some("child"), 1), (Some("late"), 2)]);
        let mut edges = told(&drawing);
        edges.sort_unstable_by_key(|(from, to, _)| (*to, *from));
        assert_eq!(
            edges,
            [
                ("a", "b", EdgeKind::Data),
                ("a", "child", EdgeKind::Spawn),
                ("a", "late", EdgeKind::After),
                ("b", "late", EdgeKind::After),
            ]
        );
        for edge in &drawing.edges {
            let place =
                |id| drawing.nodes.iter().find(|node| node.task.id == id).map(|it| it.place);
            assert_eq!(edge.path.first().copied(), place(edge.from));
            assert_eq!(edge.path.last().copied(), place(edge.to));
            assert!(edge.path.windows(2).all(|pair| pair[0].layer + 1 == pair[1].layer));
        }
        assert_eq!((drawing.layers, drawing.as_of_seq), (3, 7));
    }

    #[test]
    fn edges_of_the_other_kind_are_left_out_and_nobody_moves_to_another_layer() {
        let all = draw(sample(), None).expect("drawn");
        let layers = |drawing: &Drawing| {
            drawing.nodes.iter().map(|node| node.place.layer).collect::<Vec<_>>()
        };
        let by_parent = draw(sample(), Some(GraphBy::Parent)).expect("drawn");
        assert_eq!(told(&by_parent), [("a", "child", EdgeKind::Spawn)]);
        assert_eq!(layers(&by_parent), layers(&all));
        let by_data = draw(sample(), Some(GraphBy::Data)).expect("drawn");
        assert_eq!(by_data.edges.len(), 3);
        assert!(told(&by_data).iter().all(|(_, _, kind)| *kind != EdgeKind::Spawn));
    }

    #[test]
    fn too_many_tasks_are_not_drawn() {
        let steps: Vec<String> = (0..=GRAPH_TASKS_MAX).map(|n| format!("s{n}")).collect();
        let steps: Vec<_> = steps.iter().map(|step| reads(step, &[])).collect();
        let drawn = |steps| draw(graph(steps), None).map_err(|error| error.code);
        assert_eq!(drawn(&steps).err(), Some(Code::Limit));
        assert_eq!(drawn(&steps[1..]).map(|drawing| drawing.nodes.len()), Ok(GRAPH_TASKS_MAX));
    }
}
