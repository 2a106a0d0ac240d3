//! Private servers, and processes of `ktk serve` on them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use kantoku_api::Client;
use ktk::dev::{Servers, ServersConfig};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

pub(crate) const KTK: &str = env!("CARGO_BIN_EXE_ktk");
/// For a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// A directory that is removed at the end. Its path has a space in it.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ktk serve test {} {count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Private servers.
pub(crate) struct Ground {
    servers: Servers,
    dir: Dir,
}

impl Ground {
    /// `None` where there are no servers to start.
    pub(crate) async fn start() -> Option<Self> {
        if std::env::var_os("KTK_TOOLS_DIR").is_none() {
            eprintln!("SKIPPED: KTK_TOOLS_DIR does not say where the servers are");
            return None;
        }
        let dir = Dir::new();
        let mut config = ServersConfig::new(dir.path().join("servers")).unwrap();
        config.launcher = KTK.into();
        Some(Self { servers: Servers::start(&config).await.unwrap(), dir })
    }

    /// Where files of a test may lie.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `ktk serve` on these servers, with ids kept in the directory `name`.
    pub(crate) fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = serve(&self.dir.path().join(name), args);
        command
            .env("KTK_NATS_URL", self.servers.nats_url().unwrap())
            .env("KTK_DATABASE_URL", self.servers.database_url().unwrap());
        command
    }

    /// Starts it and waits until it says that it is up.
    pub(crate) async fn serve(&self, name: &str, args: &[&str]) -> Served {
        Served::start(name, self.command(name, args), self.dir.path()).await
    }

    pub(crate) async fn stop(self) {
        self.servers.stop().await.unwrap();
    }
}

/// `ktk serve`, told nothing about servers, on a free port.
pub(crate) fn serve(state_dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(KTK);
    command
        .args(["serve", "-o", "json", "--listen", "127.0.0.1:0", "--state-dir"])
        .arg(state_dir)
        .args(args)
        .args((!args.contains(&"--first-key")).then_some("--insecure"))
        .env_remove("KTK_NATS_URL")
        .env_remove("KTK_DATABASE_URL")
        .env_remove("KTK_SERVICE_ID")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A running process of `ktk serve`.
pub(crate) struct Served {
    child: Child,
    /// What it said when it was up.
    pub(crate) document: Value,
}

impl Served {
    async fn start(name: &str, mut command: Command, logs: &Path) -> Self {
        let log = logs.join(format!("{name}.log"));
        let mut child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(DEADLINE, stdout.next_line()).await;
        let Ok(Ok(Some(line))) = line else {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            panic!("{name} did not come up: {line:?}\n{log}");
        };
        Self { child, document: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        let url = self.document["endpoints"]["api"].as_str().unwrap();
        Client::connect(url, DEADLINE).await.unwrap()
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// Its exit code; `None` if a signal ended it.
    pub(crate) async fn exit_code(mut self) -> Option<i32> {
        timeout(DEADLINE, self.child.wait()).await.expect("it ends in time").unwrap().code()
    }

    /// All processes that descend from it.
    pub(crate) fn descendants(&self) -> Vec<u32> {
        let mut found = vec![self.pid()];
        let mut next = 0;
        while next < found.len() {
            found.extend(children_of(found[next]));
            next += 1;
        }
        found.split_off(1)
    }
}

pub(crate) async fn wait_until(what: &str, mut fact: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !fact().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A zombie that nobody has waited for yet is dead.
pub(crate) fn is_alive(pid: u32) -> bool {
    stat_of(&Path::new("/proc").join(pid.to_string())).is_some_and(|(state, _)| state != "Z")
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
