//! An older state of the stream's store takes the place of the present one, as from a backup: events
//! are gone, and their positions are used again.

use std::{fs, io, path::Path, time::Duration};

use ktk::dev::Server;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    ground::{DEADLINE, eventually},
    nats::EVENTS,
    quiet::quiet,
    roles::{API, EXECUTOR, NODE, PROJECTOR},
    rpc,
    verdict::unequal_tables,
    world::World,
};

const REST_MAX: Duration = Duration::from_secs(60);
const TASKS: u64 = 5;

/// Restores an older store under a read model that is ahead of it. The projector, which has run
/// all the time, has to halt, and a rebuild has to mend the tables. What is wrong with that.
pub(crate) async fn restore_and_look(world: &World) -> Vec<String> {
    spawn(world, "before").await;
    quiet(world, REST_MAX).await.expect("at rest");
    let store = world.dir.join("nats/store");
    let older = world.dir.join("older");
    exchange(world, async || copy(&store, &older)).await;
    spawn(world, "gone").await;
    let ahead = quiet(world, REST_MAX).await.expect("at rest");
    // Whoever keeps state of the stream is started anew, as after any restore; not the projector.
    for role in [NODE, EXECUTOR, API] {
        world.kill(role.id).await;
    }
    let restored = exchange(world, async || {
        fs::remove_dir_all(&store)?;
        fs::rename(&older, &store)
    })
    .await;
    assert!(restored < ahead, "{restored} of {ahead} events were to be left");
    for role in [NODE, EXECUTOR, API] {
        world.serve(role, &[]).await;
    }
    // Until all that the tables hold is overtaken.
    let mut round = 0;
    while last_seq(world).await <= ahead + TASKS {
        spawn(world, &format!("after-{round}")).await;
        round += 1;
    }
    let mut found = Vec::new();
    if let Some(why) = halted(world).await {
        eprintln!("the projector has halted: {why}");
        rebuild(world).await;
        world.kill(PROJECTOR.id).await;
        world.serve(PROJECTOR, &[]).await;
        found.extend(quiet(world, REST_MAX).await.err());
    } else {
        found.push("the projector goes on, on a stream that went back".to_owned());
    }
    found.extend(unequal_tables(world).await);
    found
}

async fn spawn(world: &World, key: &str) {
    for number in 0..TASKS {
        let params = json!({
            "specification": "pass", "inputs": {"x": {"value": number}},
            "idempotency_key": format!("{key}-{number}"),
        });
        world.ask("task.spawn", params).await;
    }
}

/// Does something to the store while nobody uses it; the last position afterwards.
async fn exchange(world: &World, work: impl AsyncFnOnce() -> io::Result<()>) -> u64 {
    world.servers().kill(Server::Nats).await.expect("killed");
    work().await.expect("files are moved");
    world.servers().restart(Server::Nats).await.expect("it starts again");
    last_seq(world).await
}

async fn last_seq(world: &World) -> u64 {
    eventually("the stream answers", DEADLINE, async || {
        world.nats().await.ok()?.last_seq(EVENTS).await.ok()
    })
    .await
}

/// Why the projector has halted; `None` when it goes on to the end of the stream.
async fn halted(world: &World) -> Option<String> {
    let port = world.port(PROJECTOR.id).await;
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Ok((503, why)) = rpc::get(port, "/readyz").await
            && why.contains("stream")
        {
            return Some(why);
        }
        let head = last_seq(world).await;
        let projections = world.ask("projection.list", json!({})).await;
        if projections["items"][0]["stream_seq"].as_u64() >= Some(head) {
            return None;
        }
        sleep(Duration::from_millis(100)).await;
    }
    None
}

async fn rebuild(world: &World) {
    let started = world.ask("projection.rebuild", json!({})).await;
    eventually("the tables are made anew", DEADLINE, async || {
        let operation = world.ask("operation.get", json!({"id": started["operation_id"]})).await;
        assert_ne!(operation["status"], Value::from("failed"), "{operation}");
        (operation["status"] == "done").then_some(())
    })
    .await;
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
