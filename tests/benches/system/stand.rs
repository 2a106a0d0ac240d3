//! A private stand, started with the `ktk` binary of the same build.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use async_nats::jetstream;
use kantoku_api::{
    Client,
    contract::{Info, NoParams, SystemInfo},
};
use ktk::dev::{Endpoints, SyncPolicy, endpoints};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::proc::Cpu;

/// As long as one call may take.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(320);
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(10);

/// The directory of a stand, which may be up or down. It is taken down and removed when this is dropped.
pub(crate) struct Stand {
    pub(crate) dir: PathBuf,
    pub(crate) sync: SyncPolicy,
}

/// A stand that is up, and connections to it.
pub(crate) struct Up {
    /// The supervisor, from which all other processes descend.
    pub(crate) pid: u32,
    pub(crate) endpoints: Endpoints,
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    /// When the start was asked for.
    pub(crate) begun: Instant,
}

impl Stand {
    pub(crate) fn new(sync: SyncPolicy) -> Self {
        let dir = std::env::temp_dir().join(format!("ktk-bench-{}", Uuid::new_v4()));
        Self { dir, sync }
    }

    pub(crate) async fn up(&self) -> Up {
        let begun = Instant::now();
        let output = self
            .ktk(&["up", "--detach", "--sync", self.sync.name(), "-o", "json"])
            .stderr(Stdio::null())
            .output()
            .expect("ktk runs");
        assert!(output.status.success(), "the stand does not start: {}", output.status);
        let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        let pid = document["pid"].as_u64().expect("the supervisor's pid") as u32;
        let endpoints = endpoints(&self.dir).expect("it is up");
        let client = Client::connect(&endpoints.api, CALL_MAX).await.expect("the API answers");
        let nats = kantoku_streams::connect(&endpoints.nats, "bench", CONNECT_MAX).await;
        let jetstream = jetstream::new(nats.expect("NATS answers"));
        Up { pid, endpoints, client, jetstream, begun }
    }

    pub(crate) fn down(&self) {
        let status = self.ktk(&["down"]).stderr(Stdio::null()).status().expect("ktk runs");
        assert!(status.success(), "the stand does not stop: {status}");
    }

    fn ktk(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ktk());
        command.arg("dev").args(arguments).arg("--state-dir").arg(&self.dir);
        command
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if self.dir.exists() {
            self.ktk(&["down"]).stderr(Stdio::null()).status().ok();
            std::fs::remove_dir_all(&self.dir).ok();
        }
    }
}

impl Up {
    pub(crate) async fn info(&self) -> Info {
        self.client.call::<SystemInfo>(&NoParams {}).await.expect("answered")
    }

    pub(crate) async fn events(&self) -> jetstream::stream::Stream {
        let events = self.jetstream.get_stream(kantoku_streams::subject::EVENTS).await;
        events.expect("the stream of events")
    }

    /// Waits until the read model is where the stream is and nothing is done any more: seals, the clean-up
    /// of the database and the like go on behind what a client waits for.
    pub(crate) async fn at_rest(&self) {
        const EVERY: Duration = Duration::from_millis(500);
        const BUSY_MAX: f64 = 0.15;
        const QUIET: u32 = 3;
        let mut quiet = 0;
        while quiet < QUIET {
            let before = Cpu::now(self.pid);
            sleep(EVERY).await;
            let spent = Cpu::now(self.pid).since(before).of_stand();
            let info = self.info().await;
            let is_quiet = spent < BUSY_MAX * EVERY.as_secs_f64();
            quiet = if is_quiet && info.projected_seq >= info.head_seq { quiet + 1 } else { 0 };
        }
    }
}

/// The program that is measured.
pub(crate) fn ktk() -> PathBuf {
    let bench = std::env::current_exe().expect("a bench runs");
    let program = bench.ancestors().nth(2).expect("target directory").join("ktk");
    assert!(program.exists(), "{} is missing: use `make bench`", program.display());
    program
}
