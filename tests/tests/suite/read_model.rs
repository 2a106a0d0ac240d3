//! The read model on real servers: it equals a rebuild, whatever became of the projectors.

use std::time::Duration;

use kantoku_domain::Namespace;
use kantoku_projections::{
    Reader,
    document::{ContextDocument, ContextStatus},
};
use serde_json::json;

use crate::{history::History, stand::Stand};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_read_model_equals_a_rebuild_after_projectors_crashed() {
    const STEPS: usize = 200;
    let mut stand = Stand::with_postgres().await;
    stand.apply_tree(STEPS, 3).await;
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let (context_id, _) = stand.open("tree", json!({})).await;

    let bus = stand.bus.clone();
    let history = tokio::spawn(async move { History::follow(&bus, context_id, DEADLINE).await });
    let reader = Reader::start(stand.database("ktk").await).await.expect("it listens");
    while !history.is_finished() {
        let projector = stand.projector("ktk").await;
        let before = reader.position();
        reader.wait_for(before + 1, DEADLINE).await.expect("each gets somewhere");
        projector.crash();
        if before >= stand.bus.head().await.expect("the stream answers") {
            break;
        }
    }
    history.await.expect("the history is sound");

    let live = stand.projector("ktk").await;
    let rebuild = stand.projector("ktk_rebuild").await;
    let head = stand.bus.head().await.expect("the stream answers");
    let other = Reader::start(stand.database("ktk_rebuild").await).await.expect("it listens");
    for reader in [&reader, &other] {
        reader.wait_for(head, DEADLINE).await.expect("caught up");
    }
    let found = reader.record::<ContextDocument>(&Namespace::default(), context_id).await;
    assert_eq!(found.expect("there").document.status, ContextStatus::Ok);
    let (kept, made) = (stand.database("ktk").await, stand.database("ktk_rebuild").await);
    let digests = kept.digests().await.expect("digested");
    assert_eq!(digests, made.digests().await.expect("digested"));

    live.stop().await;
    rebuild.stop().await;
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}
