//! One small context in all languages.

use kantoku_api::contract::{Tree, TreeTask};
use kantoku_domain::task::Outcome;
use kantoku_projections::document::TaskStatus;

use super::*;
use crate::render::testing::{id, task, tree};

fn sample() -> Tree {
    let ended = |task: TreeTask, sub_status| TreeTask {
        status: TaskStatus::Finished,
        sub_status: Some(sub_status),
        ..task
    };
    tree(vec![
        ended(task(1, "fetch", &[]), Outcome::Ok),
        ended(task(2, "<words> & \"more\"; #1 \\", &[1]), Outcome::Failed),
        TreeTask { parent_id: Some(id(1)), ..task(3, "child\u{7}", &[]) },
        task(4, "last", &[2, 1]),
    ])
}

/// As the server places it.
fn drawing(tree: Tree) -> Drawing {
    let places = [(0, 1.0), (1, 0.0), (1, 2.0), (2, 1.0)];
    let place = |(layer, row)| Place { layer, row };
    let edge = |from: usize, to: usize, kind, bends: &[(usize, f64)]| GraphEdge {
        from: id(from + 1),
        to: id(to + 1),
        kind,
        path: [&[places[from]], bends, &[places[to]]].concat().into_iter().map(place).collect(),
    };
    let nodes = tree.tasks.into_iter().zip(places);
    let edges = if nodes.len() == 0 {
        vec![]
    } else {
        vec![
            edge(0, 1, EdgeKind::Data, &[]),
            edge(0, 2, EdgeKind::Spawn, &[]),
            edge(1, 3, EdgeKind::After, &[]),
            edge(0, 3, EdgeKind::Data, &[(1, 1.0)]),
        ]
    };
    Drawing {
        context: tree.context,
        layers: 3,
        rows: 3,
        nodes: nodes.map(|(task, at)| GraphNode { task, place: place(at) }).collect(),
        edges,
        as_of_seq: 1,
    }
}

#[test]
fn links_are_those_of_the_drawing() {
    let diagram = Diagram::new(&drawing(sample()));
    let links: Vec<_> = diagram.edges.iter().map(|edge| (edge.from, edge.to, edge.link)).collect();
    let (waits, spawned) = (Link::Waits, Link::Spawned);
    assert_eq!(links, [(0, 1, waits), (0, 2, spawned), (1, 3, waits), (0, 3, waits)]);
}

#[test]
fn graphviz_reads_it() {
    insta::assert_snapshot!(dot(&Diagram::new(&drawing(sample()))));
}

#[test]
fn mermaid_reads_it() {
    insta::assert_snapshot!(mermaid(&Diagram::new(&drawing(sample()))));
}

#[test]
fn a_browser_reads_it() {
    let svg = svg(&Diagram::new(&drawing(sample())));
    assert!(!svg.contains("<words>") && !svg.contains('\u{7}'), "{svg}");
    insta::assert_snapshot!(svg);
}

#[test]
fn an_empty_context_is_a_picture_too() {
    assert!(svg(&Diagram::new(&drawing(tree(Vec::new())))).ends_with("</svg>\n"));
}
