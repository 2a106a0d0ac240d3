//! Processors as processes of their own on private servers, to be killed one by one.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use kantoku_api::Client;
use kantoku_streams::{Bus, Settings};
use ktk::dev::{Servers, ServersConfig};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};
use uuid::Uuid;

use crate::stand::ktk;

const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Processes {
    dir: PathBuf,
    servers: Servers,
    port: u16,
    running: BTreeMap<String, Child>,
}

impl Processes {
    /// The servers alone.
    pub(crate) async fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("ktk-processes-{}", Uuid::new_v4()));
        let mut config = ServersConfig::new(&dir).expect("a state directory");
        config.launcher = ktk();
        let servers = Servers::start(&config).await.expect("the servers start");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        Self { dir, servers, port, running: BTreeMap::new() }
    }

    /// Starts a service with the processors `only`. Not waited for: whoever needs it waits.
    pub(crate) fn serve(&mut self, service_id: &str, only: &str) {
        self.serve_with(service_id, only, &[]);
    }

    /// The same with `more` arguments of `ktk serve`.
    pub(crate) fn serve_with(&mut self, service_id: &str, only: &str, more: &[&str]) {
        let listen = if only.contains("api") { self.port } else { 0 };
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join(format!("{service_id}.log")))
            .expect("a log file");
        let child = Command::new(ktk())
            .args(["serve", "--insecure", "--only", only, "--service-id", service_id])
            .args(["--listen", &format!("127.0.0.1:{listen}"), "--state-dir"])
            .arg(self.dir.join(service_id))
            .args(more)
            .env("KTK_NATS_URL", self.servers.nats_url().expect("NATS"))
            .env("KTK_DATABASE_URL", self.servers.database_url().expect("Postgres"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("ktk runs");
        self.running.insert(service_id.to_owned(), child);
    }

    /// Kills a service with SIGKILL and waits until it is gone.
    pub(crate) async fn kill(&mut self, service_id: &str) {
        let mut child = self.running.remove(service_id).expect("it runs");
        if let Some(status) = child.try_wait().expect("asked") {
            let log = self.dir.join(format!("{service_id}.log"));
            panic!("{service_id} ended by itself: {status}; see {}", log.display());
        }
        child.kill().await.expect("killed");
    }

    /// Sends a signal to a service, and to nothing that it has started.
    pub(crate) fn signal(&self, service_id: &str, signal: Signal) {
        let id = self.running[service_id].id().expect("it runs");
        kill(Pid::from_raw(id.cast_signed()), signal).expect("it is ours");
    }

    /// The process of a service.
    pub(crate) fn pid(&self, service_id: &str) -> u32 {
        self.running[service_id].id().expect("it runs")
    }

    /// Where the API listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where Postgres is.
    pub(crate) fn database_url(&self) -> &str {
        self.servers.database_url().expect("Postgres")
    }

    /// A connection to the stream.
    pub(crate) async fn bus(&self) -> Bus {
        let url = self.servers.nats_url().expect("NATS");
        Bus::open(url, "test", DEADLINE, &Settings::default()).await.expect("opened")
    }

    /// A client, as soon as the API answers.
    pub(crate) async fn client(&self) -> Client {
        let url = format!("http://127.0.0.1:{}", self.port);
        let end = Instant::now() + DEADLINE;
        loop {
            match Client::connect(&url, Duration::from_secs(150)).await {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends everything and removes what it left.
    pub(crate) async fn stop(mut self) {
        let services: Vec<String> = self.running.keys().cloned().collect();
        for service_id in services {
            self.kill(&service_id).await;
        }
        self.servers.stop().await.expect("stopped");
        std::fs::remove_dir_all(&self.dir).expect("removed");
    }
}
