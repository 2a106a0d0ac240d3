//! The stand that the tests of this file's neighbours share.

use std::{
    io::{BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

const KTK: &str = env!("CARGO_BIN_EXE_ktk");

/// How long a command may take, on a busy machine.
const COMMAND_MAX: Duration = Duration::from_secs(120);

/// The stand of this file; the test returns where there are no servers to make one of.
macro_rules! stand {
    () => {
        match Stand::get() {
            Some(stand) => stand,
            None => return,
        }
    };
}
pub(crate) use stand;

/// A private stand and a home for the user. The last test that holds it stops it.
pub(crate) struct Stand {
    dir: PathBuf,
}

static STAND: Mutex<Weak<Stand>> = Mutex::new(Weak::new());

impl Stand {
    pub(crate) fn get() -> Option<Arc<Self>> {
        if std::env::var_os("KTK_TOOLS_DIR").is_none() {
            eprintln!("SKIPPED: KTK_TOOLS_DIR does not say where the servers are");
            return None;
        }
        let mut shared = STAND.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stand) = shared.upgrade() {
            return Some(stand);
        }
        let stand = Arc::new(Self::start());
        *shared = Arc::downgrade(&stand);
        Some(stand)
    }

    fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ktk-cli-test-{}-{count}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let stand = Self { dir };
        stand.ok_json(stand.ktk(&["dev", "up", "--detach", "-o", "json"]));
        stand
    }

    pub(crate) fn ktk(&self, args: &[&str]) -> Invocation {
        let mut command = Command::new(KTK);
        command.args(args).current_dir(&self.dir).env("HOME", &self.dir);
        command.env("KTK_STATE_DIR", self.dir.join("stand"));
        let others =
            ["KTK_NATS_URL", "KTK_DATABASE_URL", "KTK_CONFIG", "KTK_PROFILE", "KTK_API_KEY"];
        for name in ["KTK_API_URL", "KTK_NAMESPACE", "XDG_CONFIG_HOME"].iter().chain(&others) {
            command.env_remove(name);
        }
        Invocation { command, input: None }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs one command as a shell reads it, in `dir`, which is the user's home, too, and in a
    /// namespace.
    pub(crate) fn sh(&self, line: &str, dir: &Path, namespace: &str) -> Output {
        let programs = Path::new(KTK).parent().unwrap().display();
        let path = std::env::var("PATH").unwrap_or_default();
        let Invocation { command: of_ktk, .. } = self.ktk(&[]);
        let mut command = Command::new("sh");
        for (name, value) in of_ktk.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(["-c", &format!("exec {line}")]).current_dir(dir).stdin(Stdio::null());
        command.env("PATH", format!("{programs}:{path}")).env("HOME", dir);
        command.env("KTK_NAMESPACE", namespace).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command.spawn().unwrap()).end()
    }

    pub(crate) fn input(&self, args: &[&str], input: &str) -> Invocation {
        Invocation { input: Some(input.to_owned()), ..self.ktk(args) }
    }

    /// Applies documents in which `NAME` and `USE` are replaced.
    pub(crate) fn apply(
        &self,
        documents: &[&str],
        name: &str,
        uses: &str,
        more: &[&str],
    ) -> Invocation {
        self.input(&["apply", "-f", "-"], &manifest(documents, name, uses)).args(more)
    }

    #[track_caller]
    pub(crate) fn ends(&self, invocation: Invocation, code: i32) -> Output {
        let output = invocation.output();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{}: {stdout}{stderr}", self.dir.display());
        output
    }

    #[track_caller]
    pub(crate) fn ok(&self, invocation: Invocation) -> String {
        text(&self.ends(invocation, 0).stdout)
    }

    #[track_caller]
    pub(crate) fn ok_json(&self, invocation: Invocation) -> Value {
        serde_json::from_str(&self.ok(invocation)).unwrap()
    }

    pub(crate) fn spawned(&self, invocation: Invocation) -> Running {
        assert!(Path::new(&self.dir).exists());
        invocation.start()
    }
}

/// A command that runs, but not for ever: whoever reads from it in vain comes to its end.
pub(crate) struct Running {
    child: Child,
    _ended: mpsc::Sender<()>,
}

impl Running {
    fn new(child: Child) -> Self {
        let (sender, ended) = mpsc::channel();
        let id = pid(&child);
        std::thread::spawn(move || {
            if ended.recv_timeout(COMMAND_MAX) == Err(RecvTimeoutError::Timeout) {
                kill(id, Signal::SIGKILL).ok();
            }
        });
        Self { child, _ended: sender }
    }

    /// What it writes to stdout from now on, for one reader.
    pub(crate) fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.child.stdout.take().unwrap())
    }

    pub(crate) fn interrupt(&self) {
        kill(pid(&self.child), Signal::SIGINT).unwrap();
    }

    /// What it came to, and what nobody has read of its output.
    pub(crate) fn end(self) -> Output {
        self.child.wait_with_output().unwrap()
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.ktk(&["dev", "down"]).output();
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// A command with what it reads from stdin.
pub(crate) struct Invocation {
    command: Command,
    input: Option<String>,
}

impl Invocation {
    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a &'a str>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn start(mut self) -> Running {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let command = self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::new(command.spawn().unwrap());
        if let Some(input) = self.input {
            running.child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        }
        running
    }

    fn output(self) -> Output {
        self.start().end()
    }
}

pub(crate) fn manifest(documents: &[&str], name: &str, uses: &str) -> String {
    documents.concat().replace("NAME", name).replace("USE", uses)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
