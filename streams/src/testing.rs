//! Real servers for tests: private, on free ports, gone with the test.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use async_nats::{
    Client,
    jetstream::{self, Context},
};
use kantoku_domain::{Envelope, Id, NamedType, Namespace, Timestamp, Type, typename::Command};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command as Process},
};

use crate::{ExecuteError, Ledger, Settings, connect, setup};

const DEADLINE: Duration = Duration::from_secs(20);

/// A running nats-server.
pub(crate) struct Server {
    url: String,
    monitor_url: Option<String>,
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

    /// The same with a monitoring address, and `lines` in the configuration of `JetStream`.
    pub(crate) async fn start_with_monitor(lines: &str) -> Option<Self> {
        let directory = directory();
        let config = format!("http: \"127.0.0.1:-1\"\njetstream {{ {lines} }}\n");
        std::fs::write(directory.join("nats.conf"), config).unwrap();
        Self::launch(directory, "-1", true).await
    }

    async fn start_with(jetstream: bool) -> Option<Self> {
        Self::launch(directory(), "-1", jetstream).await
    }

    async fn launch(directory: PathBuf, port: &str, jetstream: bool) -> Option<Self> {
        let tools = std::env::var_os("KTK_TOOLS_DIR").map(PathBuf::from);
        let program = tools.map_or("nats-server".into(), |tools| tools.join("bin/nats-server"));
        let mut command = Process::new(&program);
        command.args(["-a", "127.0.0.1", "-p", port, "--ports_file_dir"]).arg(&directory);
        if jetstream {
            command.arg("-js").arg("-sd").arg(&directory);
        }
        let config = directory.join("nats.conf");
        if config.exists() {
            command.arg("-c").arg(config);
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
        let (url, monitor_url) = urls_from(&ports).await;
        Some(Self { url, monitor_url, process, directory })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn monitor_url(&self) -> Option<&str> {
        self.monitor_url.as_deref()
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

    /// Keeps a copy of what it has stored.
    pub(crate) fn keep(&self) -> PathBuf {
        let kept = self.0.directory.with_extension("kept");
        copy(&self.0.directory, &kept);
        kept
    }

    /// Puts a copy back in the place of what it has stored since, which removes the copy.
    pub(crate) fn put_back(&self, kept: &Path) {
        std::fs::remove_dir_all(&self.0.directory).unwrap();
        std::fs::rename(kept, &self.0.directory).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
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

fn directory() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("ktk-test-{:032x}", rand::random::<u128>()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Waits for the file in which the server tells its ports: of clients, and of whoever monitors it.
async fn urls_from(ports: &PathBuf) -> (String, Option<String>) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let json = std::fs::read(ports).unwrap_or_default();
        let found: Option<serde_json::Value> = serde_json::from_slice(&json).ok();
        let url = |of: &str| Some(found.as_ref()?[of][0].as_str()?.to_owned());
        if let Some(clients) = url("nats") {
            return (clients, url("monitoring"));
        }
        assert!(Instant::now() < deadline, "nats-server told no port in {}", ports.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Gives the type `page` its next definition, as command `number`.
pub(crate) async fn apply_type(ledger: &Ledger, number: u64) -> Result<u64, ExecuteError> {
    let command = Command::Apply {
        name: "page".parse().unwrap(),
        description: format!("version {number}"),
        definition: Type::String,
    };
    let envelope = Envelope {
        aggregate_id: id(1),
        command_id: id(100 + number),
        at: Timestamp::from_micros(1),
        actor: "test".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id: id(1),
    };
    let namespace = Namespace::default();
    Ok(ledger.execute::<NamedType>(&namespace, &command, &envelope).await?.stream_seq)
}

pub(crate) fn id(number: u64) -> Id {
    format!("0193b0de-0000-7000-8000-{number:012x}").parse().unwrap()
}
