//! Parts of a system as processes of their own, on the servers of a stand that is down.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use async_nats::jetstream;
use kantoku_api::Client;
use ktk::dev::{Endpoints, Servers};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    history::servers,
    proc::spent_by,
    stand::{CALL_MAX, CONNECT_MAX, Stand, Up, ktk},
};

/// What answers clients: the service, and the parts that it runs.
pub(crate) const API: (&str, &str) = ("api", "api");
/// What announces tasks, and all that goes with it.
pub(crate) const NODE: (&str, &str) = ("scheduler", "scheduler,unfolder,lease-keeper,timers");

/// Processes by the ids of their services. They are killed when this is dropped.
pub(crate) struct Services {
    servers: Servers,
    dir: PathBuf,
    port: u16,
    running: BTreeMap<&'static str, Child>,
    begun: Instant,
}

impl Services {
    /// The servers alone.
    pub(crate) async fn start(stand: &Stand) -> Self {
        let begun = Instant::now();
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let (servers, dir) = (servers(stand).await, stand.dir.join("bench"));
        Self { servers, dir, port, running: BTreeMap::new(), begun }
    }

    /// Starts service `service_id` with the parts `only`. The one with the API is what clients call.
    pub(crate) fn serve(&mut self, service_id: &'static str, only: &str) {
        let has_api = only.split(',').any(|part| part == API.1);
        let port = if has_api { self.port } else { 0 };
        let child = Command::new(ktk())
            .args(["serve", "--insecure", "--only", only, "--service-id", service_id])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--state-dir"])
            .arg(self.dir.join(service_id))
            .env("KTK_NATS_URL", self.servers.nats_url().expect("NATS"))
            .env("KTK_DATABASE_URL", self.servers.database_url().expect("Postgres"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("ktk runs");
        self.running.insert(service_id, child);
    }

    pub(crate) async fn kill(&mut self, service_id: &str) {
        let mut child = self.running.remove(service_id).expect("it runs");
        assert!(child.try_wait().expect("asked").is_none(), "{service_id} has ended by itself");
        child.kill().await.expect("killed");
    }

    /// Seconds of CPU that each service has spent.
    pub(crate) fn spent(&self) -> BTreeMap<&'static str, f64> {
        let of = |child: &Child| child.id().map_or(0.0, spent_by);
        self.running.iter().map(|(service_id, child)| (*service_id, of(child))).collect()
    }

    pub(crate) async fn client(&self) -> Client {
        let url = self.url();
        let end = Instant::now() + CALL_MAX;
        loop {
            match Client::connect(&url, CALL_MAX).await {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The same as a stand that is up; what it costs includes what the bench itself does.
    pub(crate) async fn up(&self) -> Up {
        let client = self.client().await;
        let nats = self.servers.nats_url().expect("NATS").to_owned();
        let connection = kantoku_streams::connect(&nats, "bench", CONNECT_MAX).await;
        let endpoints = Endpoints {
            api: self.url(),
            ui: None,
            nats,
            postgres: self.servers.database_url().expect("Postgres").to_owned(),
            metrics: format!("{}/metrics", self.url()),
        };
        let jetstream = jetstream::new(connection.expect("NATS answers"));
        Up { pid: std::process::id(), endpoints, client, jetstream, begun: self.begun }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills all services.
    pub(crate) async fn kill_all(&mut self) {
        let running: Vec<_> = self.running.keys().copied().collect();
        for service_id in running {
            self.kill(service_id).await;
        }
    }

    pub(crate) async fn stop(mut self) {
        self.kill_all().await;
        self.servers.stop().await.expect("stopped");
    }
}
