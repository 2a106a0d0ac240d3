//! One small context in all languages.

use kantoku_api::contract::TreeTask;
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

#[test]
fn links_are_drawn_that_were_asked_for() {
    let links = |by| {
        let edges = Diagram::new(&sample(), by).edges.into_iter();
        edges.map(|edge| (edge.from, edge.to, edge.link)).collect::<Vec<_>>()
    };
    let waits = [(0, 1, Link::Waits), (1, 3, Link::Waits), (0, 3, Link::Waits)];
    assert_eq!(links(Some(By::Data)), waits);
    assert_eq!(links(Some(By::Parent)), [(0, 2, Link::Spawned)]);
    assert_eq!(links(None).len(), 4);
}

#[test]
fn graphviz_reads_it() {
    insta::assert_snapshot!(dot(&Diagram::new(&sample(), None)));
}

#[test]
fn mermaid_reads_it() {
    insta::assert_snapshot!(mermaid(&Diagram::new(&sample(), None)));
}

#[test]
fn a_browser_reads_it() {
    let svg = svg(&Diagram::new(&sample(), None));
    assert!(!svg.contains("<words>") && !svg.contains('\u{7}'), "{svg}");
    insta::assert_snapshot!(svg);
}

#[test]
fn an_empty_context_is_a_picture_too() {
    assert!(svg(&Diagram::new(&tree(Vec::new()), None)).ends_with("</svg>\n"));
}
