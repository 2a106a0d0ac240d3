//! Scenes of streams.

use serde_json::Value;

use super::scene::{Findings, Scene, task};
use crate::{
    nats::EVENTS,
    roles::{API, EXECUTOR, NODE, PROJECTOR},
};

/// Somebody publishes what is no event.
pub(super) async fn garbage(mut scene: Scene) -> Findings {
    // The API reads the stream, too.
    scene.serve_all(&[API, PROJECTOR, NODE, EXECUTOR]).await;
    let mut nats = scene.world.nats().await.expect("connected");
    let task_subject = "evt.default.2a.task.0193b0de-0000-7000-8000-00000000002a";
    for subject in [task_subject, "ready.default.default.0"] {
        let published = nats.request(subject, &[("Ktk-Type", "TaskSpawned")], b"garbage").await;
        let said = published.and_then(|message| message.json()).expect("published");
        scene.poison.push(said["seq"].as_u64().expect("a position"));
    }
    let mut client = scene.client("client").await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    scene.judge().await
}

/// The executors' durable is deleted while none of them is there, and with it their place.
pub(super) async fn a_durable_is_deleted(scene: Scene) -> Findings {
    scene.serve_all(&[EXECUTOR]).await;
    let mut client = scene.client("client").await;
    let before = scene.head().await.expect("the stream answers");
    // For those that are first, the head is the place to begin.
    scene.world.ready(EXECUTOR.id).await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    scene.until_head(before + 4).await;
    scene.world.kill(EXECUTOR.id).await;
    let mut nats = scene.world.nats().await.expect("connected");
    let delete = format!("CONSUMER.DELETE.{EVENTS}.executor-default");
    nats.api(&delete, &Value::Null).await.expect("deleted");
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    scene.until_head(before + 6).await;
    scene.serve_broken(EXECUTOR).await;
    scene.judge().await
}
