//! How long it takes until work goes on after a server was away, and how those who wait for it
//! behave meanwhile.

use std::{
    env, fs,
    net::Ipv4Addr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use ktk::dev::Server;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpListener,
    process::Command,
    time::{Instant, sleep},
};

use crate::{
    ground::{DEADLINE, eventually, ktk, new_dir},
    load::{Load, manifests},
    nats::EVENTS,
    proxy::free_port,
    roles::ALL,
    world::World,
};

/// What may pass until the next command is accepted once NATS is back.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(5);
/// What may pass until the read model has caught up once Postgres is back.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(30);
const PROCESSES: usize = 50;
const DIALS_MAX: usize = 20;
const WATCHED: Duration = Duration::from_secs(60);
/// In lock-step, nearly all of them would dial within one of these.
const TOGETHER: Duration = Duration::from_millis(100);
const TOGETHER_MAX: usize = 16;

/// `KTK_CHAOS_SECONDS` is there: it may take long.
fn is_long() -> bool {
    env::var("KTK_CHAOS_SECONDS").is_ok()
}

async fn serve_all(world: &World) {
    for role in ALL {
        world.serve(role, &[]).await;
    }
    world.ask("manifest.apply", json!({"documents": manifests()})).await;
}

fn spawn(key: &str) -> serde_json::Value {
    json!({
        "specification": "pass", "inputs": {"x": {"value": 1}}, "idempotency_key": key,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_accepted_soon_after_nats_is_back() {
    let world = World::start("outage").await;
    serve_all(&world).await;
    let mut took = Vec::new();
    for (round, down) in [200, 2_000, 6_000].into_iter().enumerate() {
        world.servers().kill(Server::Nats).await.expect("killed");
        sleep(Duration::from_millis(down)).await;
        world.servers().restart(Server::Nats).await.expect("it starts again");
        let back = Instant::now();
        world.ask("task.spawn", spawn(&format!("round-{round}"))).await;
        took.push(back.elapsed());
    }
    eprintln!("NATS is back: the next command was accepted after {took:?}");
    assert!(took.iter().all(|took| *took < ACCEPTED_WITHIN), "{took:?}");
    world.stop(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_accepted_without_postgres_and_projected_once_it_is_back() {
    let down = Duration::from_secs(if is_long() { 60 } else { 10 });
    let world = World::start("outage").await;
    serve_all(&world).await;
    let clients = Load { seed: 1, clients: 4 }.start(world.port("api").await, &world.dir);
    world.servers().kill(Server::Postgres).await.expect("killed");
    let gone = Instant::now();
    let mut accepted = 0;
    while gone.elapsed() < down {
        world.call("task.spawn", spawn(&format!("spawn-{accepted}"))).await.expect("accepted");
        accepted += 1;
        sleep(Duration::from_millis(200)).await;
    }
    world.servers().restart(Server::Postgres).await.expect("it starts again");
    let back = Instant::now();
    eventually("the read model has caught up", CAUGHT_UP_WITHIN, async || {
        let head = world.nats().await.ok()?.last_seq(EVENTS).await.ok()?;
        let projections = world.call("projection.list", json!({})).await.ok()?;
        (projections["items"][0]["stream_seq"].as_u64() >= Some(head)).then_some(())
    })
    .await;
    eprintln!(
        "Postgres was down for {down:?}: {accepted} commands accepted meanwhile, lag zero after {:?}",
        back.elapsed()
    );
    clients.stop().await;
    world.stop(false).await;
}

/// Takes every connection, and ends it at once; when it did.
async fn refuse(port: u16, dials: Arc<Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a port");
    loop {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        dials.lock().expect("not poisoned").push(Instant::now());
        stream.shutdown().await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_for_nats_dial_seldom_and_not_together() {
    let dir = new_dir("dials");
    fs::create_dir_all(&dir).expect("made");
    let mut refusing = Vec::new();
    let mut waiting = Vec::new();
    let all: Vec<Arc<Mutex<Vec<Instant>>>> = (0..PROCESSES).map(|_| Arc::default()).collect();
    for (number, dials) in all.iter().enumerate() {
        let port = free_port().expect("a port");
        refusing.push(tokio::spawn(refuse(port, Arc::clone(dials))));
        let child = Command::new(ktk())
            .args([
                "serve",
                "--insecure",
                "--only",
                "executor",
                "--service-id",
                &format!("waiting-{number}"),
            ])
            .args(["--listen", "127.0.0.1:0", "--state-dir"])
            .arg(&dir)
            .env("KTK_NATS_URL", format!("nats://user:password@127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        waiting.push(child.expect("ktk runs"));
    }
    eventually("all of them have dialled", DEADLINE, async || {
        all.iter().all(|dials| !dials.lock().expect("not poisoned").is_empty()).then_some(())
    })
    .await;
    // From when the slowest is there: how they start is the machine's doing.
    let start = Instant::now();
    sleep(WATCHED).await;
    for mut child in waiting {
        assert!(child.try_wait().expect("asked").is_none(), "one that waits has ended");
        child.kill().await.expect("killed");
    }
    refusing.iter().for_each(tokio::task::JoinHandle::abort);
    let dials = all.iter().map(|dials| {
        let dials = dials.lock().expect("not poisoned");
        dials.iter().filter(|at| **at >= start).copied().collect::<Vec<_>>()
    });
    let dials: Vec<Vec<Instant>> = dials.collect();
    let most = dials.iter().map(Vec::len).max().expect("some");
    let mut times = dials.concat();
    times.sort();
    let together = times
        .iter()
        .map(|first| times.iter().filter(|at| **at >= *first && **at < *first + TOGETHER).count())
        .max();
    let together = together.unwrap_or_default();
    eprintln!(
        "{PROCESSES} processes wait for NATS: {} dials in {WATCHED:?}, at most {most} each, at most \
         {together} within {TOGETHER:?}",
        times.len()
    );
    assert!(most <= DIALS_MAX, "one has dialled {most} times");
    assert!(together <= TOGETHER_MAX, "{together} have dialled at once");
    fs::remove_dir_all(&dir).expect("removed");
}
