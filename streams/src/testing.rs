//! Real servers for tests: private, on free ports, gone with the test.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use async_nats::{
    Client,
    jetstream::{self, Context},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{Settings, connect, setup};

const DEADLINE: Duration = Duration::from_secs(20);

/// A running nats-server.
pub(crate) struct Server {
    url: String,
    process: Child,
    directory: PathBuf,
}

impl Server {
    /// Starts one with `JetStream`. `None`, after a line that says so, when the machine has no
    /// nats-server: in `$KTK_TOOLS_DIR/bin` or on the path.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(true).await
    }

    /// The same without `JetStream`.
    pub(crate) async fn start_without_jetstream() -> Option<Self> {
        Self::start_with(false).await
    }

    async fn start_with(jetstream: bool) -> Option<Self> {
        let directory =
            std::env::temp_dir().join(format!("ktk-test-{:032x}", rand::random::<u128>()));
        std::fs::create_dir_all(&directory).unwrap();
        Self::launch(directory, "-1", jetstream).await
    }

    async fn launch(directory: PathBuf, port: &str, jetstream: bool) -> Option<Self> {
        let tools = std::env::var_os("KTK_TOOLS_DIR").map(PathBuf::from);
        let program = tools.map_or("nats-server".into(), |tools| tools.join("bin/nats-server"));
        let mut command = Command::new(&program);
        command.args(["-a", "127.0.0.1", "-p", port, "--ports_file_dir"]).arg(&directory);
        if jetstream {
            command.arg("-js").arg("-sd").arg(&directory);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.kill_on_drop(true).spawn() else {
            eprintln!(
                "SKIPPED: {} does not start; name the tools with KTK_TOOLS_DIR",
                program.display()
            );
            return None;
        };
        let ports = directory.join(format!("nats-server_{}.ports", process.id().unwrap()));
        let url = url_from(&ports).await;
        Some(Self { url, process, directory })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn connect(&self) -> (Client, Context) {
        let client = connect(&self.url, "test", DEADLINE).await.unwrap();
        (client.clone(), jetstream::new(client))
    }

    /// A connection, with all streams made.
    pub(crate) async fn ready(&self) -> (Client, Context) {
        let (client, context) = self.connect().await;
        setup(&client, &context, &Settings::default()).await.unwrap();
        (client, context)
    }

    /// Kills it for good.
    pub(crate) async fn stop(self) {
        drop(self.kill().await);
    }

    /// Kills it without warning; what it has stored stays.
    pub(crate) async fn kill(mut self) -> Killed {
        self.process.kill().await.unwrap();
        Killed(self)
    }
}

/// A server that was killed.
pub(crate) struct Killed(Server);

impl Killed {
    /// Starts it where it was, with what it had stored.
    pub(crate) async fn start_again(self) -> Server {
        let mut killed = self.0;
        let port = killed.url.rsplit(':').next().unwrap().to_owned();
        // Not to be removed with the old one.
        let directory = std::mem::take(&mut killed.directory);
        let started = Server::launch(directory, &port, true).await;
        started.expect("it has started before")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.start_kill().ok();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// Something that greets like a nats-server of `version` and answers pings; returns its URL.
pub(crate) async fn pretend_server(version: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let info = serde_json::json!({
        "server_id": "old", "version": version, "max_payload": 1_048_576, "headers": true,
    });
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        writer.write_all(format!("INFO {info}\r\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(reader).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == "PING" {
                writer.write_all(b"PONG\r\n").await.unwrap();
            }
        }
    });
    url
}

/// Waits for the file in which the server tells its port.
async fn url_from(ports: &PathBuf) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let json = std::fs::read(ports).unwrap_or_default();
        let found: Option<serde_json::Value> = serde_json::from_slice(&json).ok();
        if let Some(url) = found.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
            return url.to_owned();
        }
        assert!(Instant::now() < deadline, "nats-server told no port in {}", ports.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
