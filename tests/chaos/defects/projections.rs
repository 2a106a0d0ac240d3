//! Scenes of read models.

use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::scene::{Findings, Scene, task};
use crate::{
    ground::{DEADLINE, eventually},
    nats::DEAD,
    restored,
    roles::{API, PROJECTOR, Role},
    world::World,
};

/// Whoever waits for the table of events to write to it.
const WAITING: &str = "FROM pg_locks WHERE NOT granted AND relation = 'ktk.events'::regclass \
                       AND mode = 'RowExclusiveLock' AND database = \
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
const OTHER_PROJECTOR: Role = Role { id: "projector-2", ..PROJECTOR };

/// A projector is killed while it waits for a table that somebody else holds.
pub(super) async fn killed_in_a_batch(scene: Scene) -> Findings {
    amid_a_batch(scene, async |world, _| {
        world.kill(PROJECTOR.id).await;
    })
    .await
}

/// The database ends the connection in which there is something to write.
pub(super) async fn without_its_database(scene: Scene) -> Findings {
    amid_a_batch(scene, async |_, connection| {
        let end = format!("SELECT count(pg_terminate_backend(pid, 5000)) {WAITING}");
        sqlx::query(AssertSqlSafe(end)).execute(connection).await.expect("ended");
    })
    .await
}

/// Does something to a projector while it waits for a table that somebody else holds.
async fn amid_a_batch(
    scene: Scene,
    strike: impl AsyncFnOnce(&World, &mut PgConnection),
) -> Findings {
    scene.serve_all(&[PROJECTOR]).await;
    let mut client = scene.client("client").await;
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    let url = scene.world.database_url();
    let mut holder = PgConnection::connect(url).await.expect("connected");
    let mut held = holder.begin().await.expect("begun");
    let lock = "LOCK TABLE ktk.events IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *held).await.expect("locked");
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    let mut look = PgConnection::connect(url).await.expect("connected");
    let count = format!("SELECT count(*) {WAITING}");
    eventually("the projector writes", DEADLINE, async || {
        let waiting = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count.clone()));
        (waiting.fetch_one(&mut look).await.expect("counted") > 0).then_some(())
    })
    .await;
    // What is skipped comes again at once: it is lost for good only behind what has come meanwhile.
    let spawned = client.keyed("task.spawn", task("pass")).await.expect("accepted");
    let wait = json!({ "id": spawned["task_id"], "timeout": "30s" });
    scene.world.ask("task.wait", wait).await;
    strike(&scene.world, &mut look).await;
    held.rollback().await.expect("let go");
    if !scene.world.is_running(PROJECTOR.id).await {
        scene.serve_broken(PROJECTOR).await;
    }
    client.keyed("task.spawn", task("pass")).await.expect("accepted");
    scene.judge().await
}

/// Two projectors take turns, and one comes late to what the other has projected.
pub(super) async fn two_of_them(scene: Scene) -> Findings {
    scene.serve_all(&[]).await;
    let (world, mut client) = (&scene.world, scene.client("client").await);
    let mut database = PgConnection::connect(world.database_url()).await.expect("connected");
    eventually("all is projected", DEADLINE, async || {
        let position = "SELECT stream_seq FROM ktk.checkpoint";
        let position = sqlx::query_scalar::<_, i64>(position).fetch_one(&mut database).await;
        let head = scene.head().await.ok()?;
        (position.expect("there") as u64 == head).then_some(())
    })
    .await;
    scene.serve_broken(OTHER_PROJECTOR).await;
    // The one that goes on projects something first: it reads. The other finds it done.
    for (stopped, tasks) in [(PROJECTOR, 1), (OTHER_PROJECTOR, 10), (PROJECTOR, 1)] {
        halt(world, stopped, &mut database).await;
        for _ in 0..tasks {
            let spawned = client.keyed("task.spawn", task("pass")).await.expect("accepted");
            let id: Option<Uuid> = spawned["task_id"].as_str().and_then(|id| id.parse().ok());
            eventually("the end of a task is projected, or cannot be", DEADLINE, async || {
                let ended = "SELECT status = 'finished' FROM ktk.tasks WHERE id = $1";
                let ended = sqlx::query_scalar(ended).bind(id).fetch_optional(&mut database).await;
                let letters = world.nats().await.ok()?.last_seq(DEAD).await.ok()?;
                (ended.expect("looked for") == Some(true) || letters > 0).then_some(())
            })
            .await;
        }
        world.signal(stopped.id, Signal::SIGCONT).await;
    }
    scene.judge().await
}

/// Stops a projector where it does not hold the other up.
async fn halt(world: &World, role: Role, database: &mut PgConnection) {
    let held = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ShareRowExclusiveLock' \
                AND relation = 'ktk.checkpoint'::regclass";
    eventually("a projector has nothing in hand", DEADLINE, async || {
        world.signal(role.id, Signal::SIGSTOP).await;
        let held = sqlx::query_scalar::<_, i64>(held).fetch_one(&mut *database);
        if held.await.expect("counted") == 0 {
            return Some(());
        }
        world.signal(role.id, Signal::SIGCONT).await;
        None
    })
    .await;
}

/// An older state of the stream's store is put in its place, and the stream goes on from there.
pub(super) async fn a_stream_that_went_back(scene: Scene) -> Findings {
    scene.serve_all(&[PROJECTOR]).await;
    let found = restored::restore_and_look(&scene.world).await;
    scene.world.stop(false).await;
    found
}

/// Somebody asks for his own write before it is projected.
pub(super) async fn a_question_ahead(scene: Scene) -> Findings {
    scene.serve_all(&[API]).await;
    let mut client = scene.client("client").await;
    let before = client.keyed("task.spawn", task("pass")).await.expect("accepted");
    client.read("task.get", json!({"id": before["task_id"]})).await;
    scene.world.signal(PROJECTOR.id, Signal::SIGSTOP).await;
    let spawned = client.keyed("task.spawn", task("pass")).await.expect("accepted");
    let filter = json!({"context_id": spawned["context_id"]});
    client.read("task.list", json!({"filter": filter, "timeout": "500ms"})).await;
    client.read("task.get", json!({"id": spawned["task_id"], "timeout": "500ms"})).await;
    scene.world.signal(PROJECTOR.id, Signal::SIGCONT).await;
    scene.judge().await
}
