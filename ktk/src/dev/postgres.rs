//! The private Postgres: made once, configured on its command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tokio::process::Command;

use super::keeper::Program;
use super::launch::Identity;
use super::process::ProcId;
use super::spawn::Launch;
use super::state::{StateDir, remove_file, write_private};
use super::{DevError, Server};

const USER: &str = "ktk";
const DATABASE: &str = "kantoku";

/// For a laptop: small when idle, and little work for what can be made again from the stream. What a
/// crash of the machine may cost is the end of the log, never a page: projections, which are told
/// by their checkpoint, do not wait for the disk, and pages are still written whole after each
/// checkpoint of Postgres. Those are seldom, as each has every page written whole once more.
const SETTINGS: [&str; 19] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=60",
    "shared_buffers=32MB",
    "max_wal_size=512MB",
    "update_process_title=off",
    "max_parallel_workers_per_gather=0",
    "max_parallel_maintenance_workers=0",
    "max_worker_processes=2",
    "max_logical_replication_workers=0",
    "io_method=sync",
    "jit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "log_timezone=UTC",
    "timezone=UTC",
    "log_min_messages=warning",
    "log_checkpoints=off",
    "log_destination=stderr",
];

/// The private Postgres of one state directory.
pub(super) struct Postgres {
    launch: Launch,
    bin: PathBuf,
    dir: PathBuf,
    /// Where the identity of the last server process is noted.
    proc_id: PathBuf,
    password: String,
}

impl Postgres {
    /// Makes the data directory unless it is there.
    pub(super) async fn prepare(
        launcher: PathBuf,
        bin: PathBuf,
        state: &StateDir,
        password: String,
    ) -> Result<Self, DevError> {
        let server = Server::Postgres;
        let dir = state.server(server);
        let launch = choose_identity(launcher, &dir, &bin.join("postgres")).await?;
        let proc_id = state.proc_id(server.name());
        let postgres = Self { launch, bin, dir, proc_id, password };
        if !postgres.data().exists() {
            postgres.initialize().await?;
        }
        Ok(postgres)
    }

    /// Where clients connect, with user, password and database.
    pub(super) fn url(&self, port: u16) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{port}/{DATABASE}", self.password)
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Makes the data directory, with the database in it, under another name first, so that a half-made one
    /// is never used.
    async fn initialize(&self) -> Result<(), DevError> {
        let data = self.dir.join("data.partial");
        if data.exists() {
            std::fs::remove_dir_all(&data).map_err(DevError::file("remove", &data))?;
        }
        let password_file = self.dir.join("password");
        write_private(&password_file, self.password.as_bytes())?;
        give_to_owner_of(&self.dir, &password_file)?;
        let args = [
            option("--pgdata=", &data),
            option("--pwfile=", &password_file),
            format!("--username={USER}").into(),
            "--encoding=UTF8".into(),
            "--locale=C".into(),
            "--auth=scram-sha-256".into(),
            "--no-sync".into(),
            "--no-instructions".into(),
        ];
        let made = self.launch.run(&self.bin.join("initdb"), args, "").await;
        remove_file(&password_file)?;
        made?;

        let single = ["--single".into(), "-c".into(), "exit_on_error=true".into(), "-D".into()]
            .into_iter()
            .chain([OsString::from(&data), "postgres".into()]);
        let create = format!("CREATE DATABASE {DATABASE};\n");
        self.launch.run(&self.bin.join("postgres"), single, &create).await?;
        std::fs::rename(&data, self.data()).map_err(DevError::file("rename", &data))
    }

    /// Postgres refuses to start when the process that its pid file names is alive, which may be a
    /// stranger after a reboot.
    fn remove_stale_pid_file(&self) -> Result<(), DevError> {
        let path = self.data().join("postmaster.pid");
        let named = PidFile::read(&path).map(|file| file.pid);
        let reused = ProcId::read(&self.proc_id).is_some_and(|last| {
            named == Some(last.pid()) && !last.is_alive() && ProcId::of(last.pid()).is_some()
        });
        if reused { remove_file(&path) } else { Ok(()) }
    }
}

impl Program for Postgres {
    const SERVER: Server = Server::Postgres;
    /// The fast shutdown; SIGTERM would wait for the clients to leave.
    const STOP_SIGNAL: Signal = Signal::SIGINT;
    /// The immediate shutdown, which takes the children along.
    const DEATH_SIGNAL: Signal = Signal::SIGQUIT;

    fn command(&self, port: u16) -> Result<Command, DevError> {
        self.remove_stale_pid_file()?;
        let mut command = self.launch.command(&self.bin.join("postgres"), Self::DEATH_SIGNAL);
        command.arg("-D").arg(self.data()).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        Ok(command)
    }

    /// Postgres says so itself in its pid file, as `pg_ctl` reads it.
    async fn is_ready(&self, pid: u32, _port: u16) -> bool {
        let file = PidFile::read(&self.data().join("postmaster.pid"));
        file.is_some_and(|file| file.pid == pid && file.ready)
    }
}

/// What `postmaster.pid` says: the pid on its first line, the status on the eighth.
struct PidFile {
    pid: u32,
    ready: bool,
}

impl PidFile {
    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
        Some(Self { pid, ready })
    }
}

/// Postgres refuses to be root, so root tries what else it may be here.
async fn choose_identity(launcher: PathBuf, dir: &Path, probe: &Path) -> Result<Launch, DevError> {
    let own = Some(dir.to_owned());
    let mut launch = Launch { launcher, server: Server::Postgres, identity: Identity::Keep, own };
    if !nix::unistd::geteuid().is_root() {
        return Ok(launch);
    }
    launch.identity = Identity::Namespace;
    let Err(first) = launch.run(probe, ["--version"], "").await else {
        return Ok(launch);
    };
    tracing::debug!(reason = %first, "no user namespace for Postgres; trying to be nobody");
    launch.identity = Identity::Nobody;
    launch.run(probe, ["--version"], "").await.map(|()| launch)
}

fn give_to_owner_of(dir: &Path, file: &Path) -> Result<(), DevError> {
    let owner = std::fs::metadata(dir).map_err(DevError::file("read", dir))?;
    std::os::unix::fs::chown(file, Some(owner.uid()), None)
        .map_err(DevError::file("change the owner of", file))
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(AsRef::<OsStr>::as_ref(value));
    option
}

#[cfg(test)]
mod tests {
    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn the_pid_file_tells_starting_from_ready() {
        let dir = TempDir::new();
        let path = dir.path().join("postmaster.pid");
        let head = "42\n/data\n1790000000\n15432\n\n127.0.0.1\n  1234 5\n";
        for (text, expected) in [
            (format!("{head}ready   \n"), Some((42, true))),
            (format!("{head}starting\n"), Some((42, false))),
            (head.to_owned(), Some((42, false))),
            (String::new(), None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(PidFile::read(&path).map(|file| (file.pid, file.ready)), expected);
        }
        assert!(PidFile::read(&dir.path().join("none")).is_none());
    }
}
