//! The private nats-server: its configuration, and when it is ready.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::keeper::Program;
use super::launch::Identity;
use super::spawn::Launch;
use super::state::{StateDir, write_private};
use super::{DevError, Server, SyncPolicy};

/// The user that clients log in as.
const USER: &str = "ktk";
const SERVER_NAME: &str = "ktk-dev";
/// The part of the disk that streams may fill, in percent: a full stream refuses with an error, a full
/// disk only lets appends time out.
const STORE_PERCENT_MAX: u64 = 80;

/// The private nats-server of one state directory.
pub(super) struct Nats {
    launch: Launch,
    program: PathBuf,
    dir: PathBuf,
    password: String,
    sync: SyncPolicy,
    extra: String,
}

impl Nats {
    pub(super) fn new(
        launcher: PathBuf,
        program: PathBuf,
        state: &StateDir,
        password: String,
        sync: SyncPolicy,
        extra: String,
    ) -> Self {
        let server = Server::Nats;
        let launch = Launch { launcher, server, identity: Identity::Keep, own: None };
        Self { launch, program, dir: state.server(server), password, sync, extra }
    }

    /// Where clients connect, with user and password.
    pub(super) fn url(&self, port: u16) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{port}", self.password)
    }

    /// Here the server notes its real ports, in a file named after its pid.
    fn ports_dir(&self) -> PathBuf {
        self.dir.join("ports")
    }

    fn configuration(&self, port: u16) -> String {
        let store = self.dir.join("store");
        let sync = match self.sync {
            SyncPolicy::Always => "always".to_owned(),
            SyncPolicy::Interval => format!("\"{}ms\"", SyncPolicy::INTERVAL.as_millis()),
        };
        let mut text = String::new();
        let mut line = |line: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            writeln!(text, "{line}").ok();
        };
        line(format_args!("server_name: {SERVER_NAME}"));
        line(format_args!("listen: \"127.0.0.1:{port}\""));
        line(format_args!("ports_file_dir: {}", quoted(&self.ports_dir())));
        line(format_args!("max_payload: 8MB"));
        line(format_args!("authorization {{ user: {USER}, password: \"{}\" }}", self.password));
        line(format_args!("jetstream {{"));
        line(format_args!("  store_dir: {}", quoted(&store)));
        line(format_args!("  sync_interval: {sync}"));
        line(format_args!("  max_memory_store: 256MB"));
        line(format_args!("  max_file_store: {}", store_bytes_max(&self.dir, &store)));
        line(format_args!("}}"));
        line(format_args!("{}", self.extra));
        text
    }
}

impl Program for Nats {
    const SERVER: Server = Server::Nats;
    const STOP_SIGNAL: Signal = Signal::SIGTERM;
    /// Certain, and harmless: what was acknowledged survives it.
    const DEATH_SIGNAL: Signal = Signal::SIGKILL;

    fn command(&self, port: u16) -> Result<Command, DevError> {
        let ports_dir = self.ports_dir();
        if ports_dir.exists() {
            std::fs::remove_dir_all(&ports_dir).map_err(DevError::file("remove", &ports_dir))?;
        }
        std::fs::create_dir_all(&ports_dir).map_err(DevError::file("make", &ports_dir))?;
        let config = self.dir.join("nats.conf");
        write_private(&config, self.configuration(port).as_bytes())?;
        let mut command = self.launch.command(&self.program, Self::DEATH_SIGNAL);
        command.arg("-c").arg(config);
        Ok(command)
    }

    /// Ready is a server that has noted its ports, under the pid of our child, and greets.
    async fn is_ready(&self, pid: u32, port: u16) -> bool {
        let noted = self.ports_dir().join(format!("nats-server_{pid}.ports"));
        noted.is_file() && greets(port).await
    }
}

/// Whether the INFO line, with which a server greets, is that of a private server with `JetStream`.
async fn greets(port: u16) -> bool {
    const LIMIT: Duration = Duration::from_secs(1);
    const LINE_BYTES_MAX: u64 = 64 << 10;
    #[derive(serde::Deserialize)]
    struct Info {
        server_name: String,
        #[serde(default)]
        jetstream: bool,
    }
    let greeting = async {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line).await.ok()?;
        serde_json::from_str::<Info>(line.strip_prefix("INFO ")?).ok()
    };
    matches!(
        tokio::time::timeout(LIMIT, greeting).await,
        Ok(Some(info)) if info.jetstream && info.server_name == SERVER_NAME
    )
}

/// What the streams may take: a part of what is free, plus what they have already.
fn store_bytes_max(dir: &Path, store: &Path) -> u64 {
    const LEAST: u64 = 1 << 30;
    let free = statvfs(dir).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    (free / 100 * STORE_PERCENT_MAX + bytes_in(store)).max(LEAST)
}

fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// A path as a string of nats-server's configuration language.
fn quoted(path: &Path) -> String {
    let escaped = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_configuration() {
        assert_eq!(quoted(Path::new("/a b/\"c\"\\")), r#""/a b/\"c\"\\""#);
    }

    #[tokio::test]
    async fn a_stranger_on_the_port_is_not_taken_for_the_server() {
        use tokio::io::AsyncWriteExt as _;
        let stranger = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = stranger.local_addr().unwrap().port();
        for (greeting, ours) in [
            ("INFO {\"server_name\":\"other\",\"jetstream\":true}\r\n", false),
            ("HTTP/1.1 400\r\n", false),
            ("INFO {\"server_name\":\"ktk-dev\",\"jetstream\":true}\r\n", true),
        ] {
            let answer = async {
                let (mut stream, _) = stranger.accept().await.unwrap();
                stream.write_all(greeting.as_bytes()).await.unwrap();
            };
            let (greeted, ()) = tokio::join!(greets(port), answer);
            assert_eq!(greeted, ours, "{greeting}");
        }
    }
}
