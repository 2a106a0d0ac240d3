//! Servers, processors as processes, and lines between them that can be disturbed.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use ktk::dev::{Server, Servers, ServersConfig, Source};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{
    ground::{DEADLINE, LOOK_EVERY, by_way_of, eventually, ktk, new_dir, port_of},
    nats::Nats,
    proxy::{Line, Proxy, free_port},
    roles::{API, Role},
    rpc::{self, Failed},
    shared::Database,
    tree::tree,
};

/// Whether the last word of a process is that the stream is not as it must be: it was about to begin
/// while there was a limit on it.
fn refused_the_stream(log: &Path) -> bool {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().is_some_and(|line| line.contains("stream KTK_EVENTS has max_bytes"))
}

/// Everything that runs.
pub(crate) struct World {
    /// What is kept of the run.
    pub(crate) dir: PathBuf,
    servers: Servers,
    /// Where a server is shared.
    database: Option<Database>,
    members: Mutex<BTreeMap<&'static str, Member>>,
    /// What ended by itself.
    fallen: Mutex<Vec<String>>,
}

struct Member {
    role: Role,
    child: Option<Child>,
    port: u16,
    /// Several servers are reached without.
    nats: Option<Proxy>,
    database: Proxy,
}

impl World {
    /// The servers alone.
    pub(crate) async fn start(what: &str) -> Self {
        Self::start_in(new_dir(what), |_| {}).await
    }

    pub(crate) async fn start_in(dir: PathBuf, set: impl FnOnce(&mut ServersConfig)) -> Self {
        let mut config = ServersConfig::new(&dir).expect("a state directory");
        config.launcher = ktk();
        set(&mut config);
        let servers = Servers::start(&config).await.expect("the servers start");
        let (members, fallen) = (Mutex::default(), Mutex::default());
        Self { dir, servers, database: None, members, fallen }
    }

    /// With a NATS of its own, and a database on the server that all small worlds share.
    pub(crate) async fn start_small(what: &str) -> Self {
        let database = Database::create().await;
        let url = database.url.clone();
        let set = |config: &mut ServersConfig| config.postgres = Source::External(url);
        Self { database: Some(database), ..Self::start_in(new_dir(what), set).await }
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    pub(crate) fn nats_url(&self) -> &str {
        self.servers.nats_url().expect("NATS runs")
    }

    pub(crate) fn database_url(&self) -> &str {
        self.servers.database_url().expect("Postgres runs")
    }

    /// A connection of one's own, past all lines, to the first server that answers.
    pub(crate) async fn nats(&self) -> io::Result<Nats> {
        let mut failed = io::ErrorKind::NotConnected.into();
        for url in self.nats_url().split(',') {
            match Nats::connect(url).await {
                Ok(nats) => return Ok(nats),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Starts a process, with `environment` besides. Not waited for: whoever needs it waits.
    pub(crate) async fn serve(&self, role: Role, environment: &[(&str, &str)]) {
        let mut members = self.members.lock().await;
        if !members.contains_key(role.id) {
            let line = async |url| Proxy::start(port_of(url)).await.expect("a port");
            let is_one = !self.nats_url().contains(',');
            let member = Member {
                role,
                child: None,
                port: free_port().expect("a port"),
                nats: if is_one { Some(line(self.nats_url()).await) } else { None },
                database: line(self.database_url()).await,
            };
            members.insert(role.id, member);
        }
        let member = members.get_mut(role.id).expect("just put there");
        assert!(member.child.is_none(), "{} runs already", role.id);
        let nats_url = match &member.nats {
            Some(line) => by_way_of(self.nats_url(), line.port),
            None => self.nats_url().to_owned(),
        };
        let log = fs::File::options().create(true).append(true).open(self.log(role.id));
        let child = Command::new(ktk())
            .args(["serve", "--insecure", "--only", role.only, "--service-id", role.id])
            .args(["--listen", &format!("127.0.0.1:{}", member.port), "--state-dir"])
            .arg(self.dir.join(role.id))
            .args(role.more)
            .env("KTK_NATS_URL", nats_url)
            .env("KTK_DATABASE_URL", by_way_of(self.database_url(), member.database.port))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .kill_on_drop(true)
            .spawn()
            .expect("ktk runs");
        member.child = Some(child);
    }

    pub(crate) fn log(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.log"))
    }

    /// Kills a process with SIGKILL, if it runs, and waits until it is gone.
    pub(crate) async fn kill(&self, id: &str) {
        let child = self.members.lock().await.get_mut(id).and_then(|member| member.child.take());
        let Some(mut child) = child else { return };
        if let Some(status) = child.try_wait().expect("asked") {
            let log = self.log(id);
            if refused_the_stream(&log) {
                return;
            }
            let what = format!("{id} ended by itself: {status}; see {}", log.display());
            self.fallen.lock().await.push(what);
            return;
        }
        child.kill().await.expect("killed");
    }

    /// Whether a process was started and not killed.
    pub(crate) async fn is_running(&self, id: &str) -> bool {
        self.members.lock().await.get(id).is_some_and(|member| member.child.is_some())
    }

    /// Sends a signal to a process, and to nothing that it has started.
    pub(crate) async fn signal(&self, id: &str, signal: Signal) {
        let members = self.members.lock().await;
        let pid = members[id].child.as_ref().and_then(Child::id);
        if let Some(pid) = pid {
            // One that has ended meanwhile is found when it is killed.
            kill(Pid::from_raw(pid.cast_signed()), signal).ok();
        }
    }

    /// Disturbs the line of a process to a server, or of all when `id` is `None`.
    pub(crate) async fn set_line(&self, id: Option<&str>, server: Server, line: Line) {
        let members = self.members.lock().await;
        for (_, member) in members.iter().filter(|(of, _)| id.is_none_or(|id| id == **of)) {
            match server {
                Server::Nats => member.nats.iter().for_each(|nats| nats.set(line)),
                Server::Postgres => member.database.set(line),
            }
        }
    }

    /// Signals a server and everything that it has started.
    pub(crate) fn signal_server(&self, server: Server, signal: Signal) {
        for pid in self.servers.pid(server).into_iter().flat_map(tree) {
            kill(Pid::from_raw(pid.cast_signed()), signal).ok();
        }
    }

    /// Starts those again that found the stream changed when they were about to begin, and said so.
    pub(crate) async fn start_refused(&self) {
        let mut refused = Vec::new();
        for member in self.members.lock().await.values_mut() {
            let has_ended = |child: &mut Child| child.try_wait().expect("asked").is_some();
            if member.child.as_mut().is_some_and(has_ended)
                && refused_the_stream(&self.log(member.role.id))
            {
                member.child = None;
                refused.push(member.role);
            }
        }
        for role in refused {
            self.serve(role, &[]).await;
        }
    }

    /// Which processes ended by themselves, so far.
    pub(crate) async fn fallen(&self) -> Vec<String> {
        let mut members = self.members.lock().await;
        let mut fallen = self.fallen.lock().await.clone();
        for member in members.values_mut() {
            let status = member.child.as_mut().and_then(|child| child.try_wait().expect("asked"));
            if let Some(status) = status {
                let (id, log) = (member.role.id, self.log(member.role.id));
                fallen.push(format!("{id} ended by itself: {status}; see {}", log.display()));
            }
        }
        fallen
    }

    /// Where a process listens.
    pub(crate) async fn port(&self, id: &str) -> u16 {
        self.members.lock().await[id].port
    }

    /// Calls the API.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, Failed> {
        rpc::call(self.port(API.id).await, method, &params).await
    }

    /// The same, again until it is answered: for what may be asked twice.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.call(method, params.clone()).await {
                Ok(answer) => return answer,
                Err(failed) => {
                    let may_help = failed.is_retryable || failed.is_unknown;
                    assert!(may_help && Instant::now() < end, "{method} {params}: {failed}");
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a process says that it is ready.
    pub(crate) async fn ready(&self, id: &str) {
        let port = self.port(id).await;
        eventually(&format!("{id} is ready"), DEADLINE, async || {
            matches!(rpc::get(port, "/readyz").await, Ok((200, _))).then_some(())
        })
        .await;
    }

    /// Ends everything. What was kept of the run goes, too, unless something is to be looked at.
    pub(crate) async fn stop(self, keep: bool) {
        let ids: Vec<&str> = self.members.lock().await.keys().copied().collect();
        for id in ids {
            self.kill(id).await;
        }
        self.servers.stop().await.expect("stopped");
        if let Some(database) = self.database {
            database.remove().await;
        }
        if !keep {
            fs::remove_dir_all(&self.dir).expect("removed");
        }
    }
}
