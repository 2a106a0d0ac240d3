//! `ktk dev` and its private servers, with real servers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ktk::dev::{Server, Servers, ServersConfig, Source, SyncPolicy, endpoints};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const KTK: &str = env!("CARGO_BIN_EXE_ktk");
const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn servers_come_up_ready_and_go_down() {
    let state = TempState::new();
    let servers = Servers::start(&state.config()).await.unwrap();
    let pids = [Server::Nats, Server::Postgres].map(|server| servers.pid(server).unwrap());
    let ports = [servers.nats_url(), servers.database_url()].map(|url| port_of(url.unwrap()));
    assert!(ports.into_iter().all(connects));
    assert!(servers.database_url().unwrap().ends_with("/kantoku"));

    servers.stop().await.unwrap();
    assert!(!pids.into_iter().any(is_alive));
    assert!(!ports.into_iter().any(connects));
}

#[tokio::test]
async fn urls_stay_the_same_from_start_to_start() {
    let state = TempState::new();
    let first = Servers::start(&state.config()).await.unwrap();
    let urls = (first.nats_url().unwrap().to_owned(), first.database_url().unwrap().to_owned());
    first.stop().await.unwrap();

    let second = Servers::start(&state.config()).await.unwrap();
    assert_eq!(second.nats_url(), Some(urls.0.as_str()));
    assert_eq!(second.database_url(), Some(urls.1.as_str()));
    second.stop().await.unwrap();

    let taken = [&urls.0, &urls.1]
        .map(|url| TcpListener::bind((Ipv4Addr::LOCALHOST, port_of(url))).unwrap());
    let third = Servers::start(&state.config()).await.unwrap();
    assert_ne!(third.nats_url(), Some(urls.0.as_str()));
    assert_ne!(third.database_url(), Some(urls.1.as_str()));
    third.stop().await.unwrap();
    drop(taken);
}

#[tokio::test]
async fn a_server_that_dies_comes_back_on_its_port() {
    let state = TempState::new();
    let servers = Servers::start(&state.config()).await.unwrap();
    for (server, url) in [
        (Server::Nats, servers.nats_url().unwrap()),
        (Server::Postgres, servers.database_url().unwrap()),
    ] {
        let dead = servers.pid(server).unwrap();
        send(dead, Signal::SIGKILL);
        wait_until("a successor", || servers.pid(server).is_some_and(|pid| pid != dead)).await;
        wait_until("the same port", || connects(port_of(url))).await;
    }
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_killed_by_order_stays_down_until_it_is_restarted() {
    let state = TempState::new();
    let servers = Servers::start(&state.config()).await.unwrap();
    for (server, url) in [
        (Server::Nats, servers.nats_url().unwrap()),
        (Server::Postgres, servers.database_url().unwrap()),
    ] {
        let port = port_of(url);
        servers.kill(server).await.unwrap();
        assert_eq!(servers.pid(server), None);
        assert!(!connects(port));
        servers.restart(server).await.unwrap();
        assert!(connects(port));
        let before = servers.pid(server);
        servers.restart(server).await.unwrap();
        assert_ne!(servers.pid(server), before);
    }
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn dropped_servers_die() {
    let state = TempState::new();
    let servers = Servers::start(&state.config()).await.unwrap();
    let pids = [Server::Nats, Server::Postgres].map(|server| servers.pid(server).unwrap());
    drop(servers);
    wait_until("both to be gone", || !pids.into_iter().any(is_alive)).await;
}

#[tokio::test]
async fn only_what_is_wanted_and_private_is_started() {
    let state = TempState::new();
    let mut config = state.config();
    config.nats = Source::External("nats://10.0.0.1:4222".into());
    config.postgres = Source::Off;
    let servers = Servers::start(&config).await.unwrap();
    assert_eq!(servers.nats_url(), Some("nats://10.0.0.1:4222"));
    assert_eq!(servers.database_url(), None);
    assert_eq!(servers.pid(Server::Nats), None);
    assert!(servers.kill(Server::Nats).await.is_err());
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let state = TempState::new();
    let mut config = state.config();
    config.sync = SyncPolicy::Always;
    config.nats_extra = "no_such_option: true".into();
    let error = Servers::start(&config).await.err().unwrap().to_string();
    assert!(error.contains("nats-server did not start"), "{error}");
    assert!(error.contains("no_such_option"), "{error}");
}

#[tokio::test]
async fn up_is_idempotent_and_down_ends_all() {
    let state = TempState::new();
    let first = state.up();
    assert!(is_alive(pid_of(&first)));
    for key in ["api", "nats", "postgres", "metrics"] {
        assert!(first["endpoints"][key].is_string(), "{first}");
    }
    assert_eq!(endpoints(&state.dir()).unwrap().api, first["endpoints"]["api"].as_str().unwrap());
    assert_eq!(state.up(), first);
    let processes = state.processes();
    assert!(processes.len() >= 3, "{processes:?}");

    assert!(state.ktk(&["down"]).status.success());
    assert!(!processes.into_iter().any(is_alive));
    assert!(endpoints(&state.dir()).is_none());
    let again = state.ktk(&["down"]);
    assert!(again.status.success());
    assert!(text(&again.stderr).contains("no stand is running"));
}

#[tokio::test]
async fn nothing_outlives_a_killed_supervisor() {
    let state = TempState::new();
    let pid = pid_of(&state.up());
    let processes = state.processes();
    assert!(processes.len() >= 3, "{processes:?}");
    send(pid, Signal::SIGKILL);
    wait_until("everything to be gone", || !processes.iter().copied().any(is_alive)).await;
    assert!(endpoints(&state.dir()).is_none());

    assert_ne!(pid_of(&state.up()), pid);
    assert!(state.ktk(&["down"]).status.success());
}

#[tokio::test]
async fn of_two_supervisors_started_at_once_one_remains() {
    let state = TempState::new();
    let start = || state.command(&["up", "--detach", "-o", "json"]).spawn().unwrap();
    let document = |child: Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (one, other) = (start(), start());
    assert_eq!(document(one), document(other));
    assert!(state.ktk(&["down"]).status.success());
}

#[tokio::test]
async fn a_detached_stand_writes_to_the_disk_when_it_is_told_to() {
    let state = TempState::new();
    let output = state.ktk(&["up", "--detach", "--sync", "always"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let config = std::fs::read_to_string(state.dir().join("nats/nats.conf")).unwrap();
    assert!(config.contains("sync_interval: always"), "{config}");
    assert!(state.ktk(&["down"]).status.success());
}

#[tokio::test]
async fn a_stand_in_the_foreground_ends_by_an_interrupt() {
    let state = TempState::new();
    let child = state.command(&["up"]).spawn().unwrap();
    wait_until("readiness", || endpoints(&state.dir()).is_some()).await;
    let processes = state.processes();
    send(child.id(), Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary = text(&output.stdout);
    assert!(summary.contains("api") && summary.contains(":***@"), "{summary}");
    assert!(!processes.into_iter().any(is_alive));
}

#[tokio::test]
async fn reset_deletes_only_a_state_directory_and_only_when_told() {
    let state = TempState::new();
    state.up();
    let processes = state.processes();
    assert_eq!(state.ktk(&["reset"]).status.code(), Some(2), "without --yes and a terminal");
    assert!(endpoints(&state.dir()).is_some());
    assert!(state.ktk(&["reset", "--yes"]).status.success());
    assert!(!state.dir().exists());
    assert!(!processes.into_iter().any(is_alive));

    std::fs::create_dir(state.dir()).unwrap();
    std::fs::write(state.dir().join("thesis.tex"), "").unwrap();
    assert_eq!(state.ktk(&["up", "--detach"]).status.code(), Some(2));
    assert!(state.ktk(&["reset", "--yes"]).status.success());
    assert!(state.dir().join("thesis.tex").exists());
}

/// A place for a state directory, with a space in its path. What is left running in it is ended.
struct TempState(PathBuf);

impl TempState {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ktk dev test {} {count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn dir(&self) -> PathBuf {
        self.0.join("state")
    }

    fn config(&self) -> ServersConfig {
        let mut config = ServersConfig::new(self.dir()).unwrap();
        config.launcher = KTK.into();
        config
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(KTK);
        command.arg("dev").args(args).arg("--state-dir").arg(self.dir());
        command.env_remove("KTK_NATS_URL").env_remove("KTK_DATABASE_URL");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn ktk(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn up(&self) -> serde_json::Value {
        let output = self.ktk(&["up", "--detach", "-o", "json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The supervisor, the servers, and what those have forked.
    fn processes(&self) -> Vec<u32> {
        let output = self.ktk(&["status", "-o", "json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let supervisor = pid_of(&status);
        let servers = children_of(supervisor);
        let forked = servers.iter().flat_map(|server| children_of(*server)).collect();
        [vec![supervisor], servers, forked].concat()
    }
}

impl Drop for TempState {
    fn drop(&mut self) {
        self.ktk(&["down"]);
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn wait_until(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !fact() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn pid_of(document: &serde_json::Value) -> u32 {
    document["pid"].as_u64().unwrap().try_into().unwrap()
}

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// A zombie that nobody has waited for yet is dead.
fn is_alive(pid: u32) -> bool {
    stat_of(Path::new("/proc").join(pid.to_string()).as_path())
        .is_some_and(|(state, _)| state != "Z")
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            (stat_of(&path)?.1 == parent).then_some(pid)
        })
        .collect()
}

/// State and parent of a process.
fn stat_of(process: &Path) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn port_of(url: &str) -> u16 {
    let address = url.rsplit_once('@').unwrap().1;
    let port = address.rsplit_once(':').unwrap().1;
    port.split('/').next().unwrap().parse().unwrap()
}

fn connects(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
