//! Scenes of nodes and executors.

use std::time::Duration;

use ktk::dev::Server;
use nix::sys::signal::Signal;
use serde_json::json;

use super::scene::{Findings, Scene, task};
use crate::{
    ground::{DEADLINE, eventually},
    proxy::Line,
    roles::{API, EXECUTOR, NODE, OTHER_EXECUTOR, PROJECTOR},
};

/// A pipeline is run while no node is there.
pub(super) async fn nobody_unfolds(scene: Scene) -> Findings {
    for role in [API, PROJECTOR, EXECUTOR] {
        scene.serve(role).await;
    }
    scene.apply().await;
    let mut client = scene.client("client").await;
    let params = json!({"name": "chain", "params": {"x": 1}});
    client.keyed("pipeline.run", params).await.expect("accepted");
    scene.serve_broken(NODE).await;
    scene.judge().await
}

/// An executor is killed after an announcement came to it, and before it could claim anything.
pub(super) async fn killed_before_the_claim(scene: Scene) -> Findings {
    scene.serve_all(&[EXECUTOR]).await;
    let mut client = scene.client("client").await;
    scene.world.ready(EXECUTOR.id).await;
    let durable = async || scene.durable("executor-default").await.ok();
    eventually("the executors have a durable", DEADLINE, async || durable().await).await;
    let before = scene.head().await.expect("the stream answers");
    let slow = Line::Slow(Duration::from_millis(300));
    scene.world.set_line(Some(EXECUTOR.id), Server::Nats, slow).await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    eventually("the announcement is acknowledged or claimed", DEADLINE, async || {
        let info = durable().await?;
        let is_acknowledged = info["ack_floor"]["consumer_seq"].as_u64() > Some(0);
        let is_claimed = scene.head().await.ok()? >= before + 3;
        (is_acknowledged || is_claimed).then_some(())
    })
    .await;
    scene.world.set_line(Some(EXECUTOR.id), Server::Nats, Line::Cut).await;
    scene.world.kill(EXECUTOR.id).await;
    scene.world.set_line(Some(EXECUTOR.id), Server::Nats, Line::Open).await;
    scene.serve_broken(EXECUTOR).await;
    scene.judge().await
}

/// An executor is killed at work, and is back under the same id before its lease is over.
pub(super) async fn killed_at_work(scene: Scene) -> Findings {
    scene.serve_all(&[NODE]).await;
    let mut client = scene.client("client").await;
    let before = scene.head().await.expect("the stream answers");
    client.keyed("task.spawn", task("long")).await.expect("accepted");
    scene.until_head(before + 3).await;
    scene.world.kill(EXECUTOR.id).await;
    scene.serve(EXECUTOR).await;
    scene.judge().await
}

/// An executor stands still until another has ended what it was at.
pub(super) async fn a_zombie(scene: Scene) -> Findings {
    scene.serve_all(&[EXECUTOR]).await;
    let mut client = scene.client("client").await;
    let before = scene.head().await.expect("the stream answers");
    client.keyed("task.spawn", task("long")).await.expect("accepted");
    // Spawned, ready, received.
    scene.until_head(before + 3).await;
    scene.world.signal(EXECUTOR.id, Signal::SIGSTOP).await;
    scene.serve_broken(OTHER_EXECUTOR).await;
    // Lost, ready, received, finished.
    scene.until_head(before + 7).await;
    scene.world.signal(EXECUTOR.id, Signal::SIGCONT).await;
    // It works again, and so has said what it had to say of the first task.
    scene.world.kill(OTHER_EXECUTOR.id).await;
    client.keyed("task.spawn", task("slow")).await.expect("accepted");
    scene.judge().await
}
