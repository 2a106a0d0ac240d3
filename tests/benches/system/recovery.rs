//! W9: a part of a running system is killed and started again: how long until it works.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use kantoku_api::{
    Client,
    contract::{GetParams, TaskGet},
};
use ktk::dev::Servers;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    history::servers,
    measured::Measured,
    stand::{CALL_MAX, Stand, ktk},
    workloads::{WAIT, result, singles, spawn},
};

/// What is restarted: the name, the parts that it runs, what is waited for.
const PARTS: [(&str, &str, &str); 3] = [
    (
        "W9 scheduler",
        "scheduler,unfolder,lease-keeper,timers",
        "killed; start of the process → result of a task that was spawned meanwhile",
    ),
    (
        "W9 executor",
        "executor",
        "killed; start of the process → result of a task that was spawned meanwhile",
    ),
    (
        "W9 projector",
        "projector",
        "killed; start of the process → the read model shows a task that was spawned meanwhile",
    ),
];
const API: &str = "api";

/// Restarts each part `runs` times, on the servers of a stand that is down.
pub(crate) async fn measure(stand: &Stand, runs: usize) -> Vec<(&'static str, Measured)> {
    let mut services = Services::start(stand).await;
    let client = services.client().await;
    // All of them have caught up.
    singles::one(&client).await;
    shown(&client).await;
    let mut measured = Vec::new();
    for (name, only, note) in PARTS {
        for _ in 0..runs {
            services.kill(only).await;
            let spawned = spawn(&client, None).await;
            let begun = Instant::now();
            services.serve(stand, only);
            if only == "projector" {
                read(&client, &spawned.task_id.to_string(), spawned.stream_seq).await;
            } else {
                result(&client, spawned.task_id).await;
            }
            let seconds = begun.elapsed().as_secs_f64();
            measured.push((name, Measured::new(1, seconds, note)));
        }
    }
    drop(client);
    services.stop().await;
    measured
}

async fn shown(client: &Client) {
    let spawned = spawn(client, None).await;
    read(client, &spawned.task_id.to_string(), spawned.stream_seq).await;
}

async fn read(client: &Client, id: &str, min_seq: u64) {
    let params = GetParams {
        id: id.to_owned(),
        min_seq: Some(min_seq),
        timeout: Some(WAIT),
        ..GetParams::default()
    };
    client.call::<TaskGet>(&params).await.expect("shown");
}

/// Every part as a process of its own.
struct Services {
    servers: Servers,
    port: u16,
    running: BTreeMap<&'static str, Child>,
}

impl Services {
    async fn start(stand: &Stand) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut services = Self { servers: servers(stand).await, port, running: BTreeMap::new() };
        services.serve(stand, API);
        for (_, only, _) in PARTS {
            services.serve(stand, only);
        }
        services
    }

    fn serve(&mut self, stand: &Stand, only: &'static str) {
        let port = if only == API { self.port } else { 0 };
        let service_id = only.split(',').next().unwrap_or(only);
        let child = Command::new(ktk())
            .args(["serve", "--only", only, "--service-id", service_id])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--state-dir"])
            .arg(stand.dir.join("bench").join(service_id))
            .env("KTK_NATS_URL", self.servers.nats_url().expect("NATS"))
            .env("KTK_DATABASE_URL", self.servers.database_url().expect("Postgres"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("ktk runs");
        self.running.insert(only, child);
    }

    async fn kill(&mut self, only: &str) {
        let mut child = self.running.remove(only).expect("it runs");
        assert!(child.try_wait().expect("asked").is_none(), "{only} has ended by itself");
        child.kill().await.expect("killed");
    }

    async fn client(&self) -> Client {
        let url = format!("http://127.0.0.1:{}", self.port);
        let end = Instant::now() + CALL_MAX;
        loop {
            match Client::connect(&url, CALL_MAX).await {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(mut self) {
        let running: Vec<_> = self.running.keys().copied().collect();
        for only in running {
            self.kill(only).await;
        }
        self.servers.stop().await.expect("stopped");
    }
}
