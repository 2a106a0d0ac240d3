//! Scenes of what clients are told.

use std::time::Duration;

use ktk::dev::Server;
use tokio::time::sleep;

use super::scene::{Findings, Scene, task};
use crate::{
    ground::{DEADLINE, eventually},
    proxy::Line,
    quiet::quiet,
    roles::API,
};

const SLOW: Line = Line::Slow(Duration::from_millis(300));
/// After this long the API asks again.
const ASKS_AGAIN: Duration = Duration::from_millis(5_500);
/// After this long it gives up.
const GIVES_UP: Duration = Duration::from_secs(21);

/// The API dies the moment it has said that a task exists.
pub(super) async fn killed_after_its_word(scene: Scene) -> Findings {
    scene.serve_all(&[API]).await;
    let mut client = scene.client("client").await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    scene.world.set_line(Some(API.id), Server::Nats, SLOW).await;
    client.once("task.spawn", task("pass")).await.expect("accepted");
    scene.world.set_line(Some(API.id), Server::Nats, Line::Cut).await;
    scene.world.kill(API.id).await;
    scene.world.set_line(Some(API.id), Server::Nats, Line::Open).await;
    scene.serve(API).await;
    scene.judge().await
}

/// An event is stored and the answer is lost; when it is asked again, the server answers.
pub(super) async fn an_answer_is_lost(scene: Scene) -> Findings {
    lose_answers(scene, ASKS_AGAIN).await
}

/// An event is stored, and no answer ever comes.
pub(super) async fn answers_never_come(scene: Scene) -> Findings {
    lose_answers(scene, GIVES_UP).await
}

async fn lose_answers(scene: Scene, time: Duration) -> Findings {
    scene.serve_all(&[API]).await;
    let mut client = scene.client("client").await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    // The next event is that of the next command.
    let before = quiet(&scene.world, DEADLINE).await.expect("the first task ends");
    scene.world.set_line(Some(API.id), Server::Nats, SLOW).await;
    let told = client.once("task.spawn", task("pass"));
    let lose = async {
        eventually("the event is stored", DEADLINE, async || {
            (scene.head().await.ok()? > before).then_some(())
        })
        .await;
        scene.world.set_line(Some(API.id), Server::Nats, Line::AnswersHeld).await;
        sleep(time).await;
        scene.world.set_line(Some(API.id), Server::Nats, Line::Open).await;
    };
    let (told, ()) = tokio::join!(told, lose);
    eprintln!("the client was told: {told:?}");
    scene.judge().await
}

/// A client that heard no answer sends the same command again, later.
pub(super) async fn the_same_key_again(scene: Scene) -> Findings {
    scene.serve_all(&[API]).await;
    let mut client = scene.client("client").await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    sleep(Duration::from_millis(2_100)).await;
    client.again().await.expect("accepted");
    scene.judge().await
}
