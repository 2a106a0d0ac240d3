//! The state directory of a stand: its layout, locks, secrets and small documents.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DevError, Server};

/// Only a directory with this file in it is taken for a state directory, and may be deleted.
const MARKER: &str = "kantoku-state";

/// Where the state lies unless told otherwise: `$KTK_STATE_DIR`; else the nearest directory `.ktk`
/// from the current directory upwards; else `$XDG_STATE_HOME/kantoku/dev`, by default
/// `~/.local/state/kantoku/dev`.
pub fn default_state_dir() -> PathBuf {
    if let Some(dir) = dir_from_env("KTK_STATE_DIR") {
        return dir;
    }
    if let Some(dir) = nearest_upwards(".ktk") {
        return dir;
    }
    dir_from_env("XDG_STATE_HOME")
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
        .map_or_else(|| PathBuf::from(".ktk"), |dir| dir.join("kantoku/dev"))
}

/// A directory named by an environment variable, unless that is unset or empty.
pub(super) fn dir_from_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The directory `name` in the current directory or the nearest of its ancestors that has one.
pub(super) fn nearest_upwards(name: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|dir| dir.join(name)).find(|dir| dir.is_dir())
}

/// The passwords of the private servers.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) nats: String,
    pub(super) postgres: String,
}

/// The ports that the private servers had last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) nats: Option<u16>,
    pub(super) postgres: Option<u16>,
}

/// Paths in a state directory. Having one does not mean that the directory exists.
#[derive(Clone, Debug)]
pub(super) struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// The state directory at `root`, made absolute since servers want it so; touches nothing.
    pub(super) fn at(root: &Path) -> Result<Self, DevError> {
        let root = std::path::absolute(root).map_err(DevError::file("resolve", root))?;
        Ok(Self { root })
    }

    /// Makes the directory and its parts where missing. A directory with other content is refused.
    pub(super) fn create(&self) -> Result<(), DevError> {
        // Others may pass through, as Postgres' own user has to, but not look around.
        make_dir(&self.root, 0o711)?;
        let mut content =
            std::fs::read_dir(&self.root).map_err(DevError::file("read", &self.root))?;
        // The marker is the first thing in it, also when somebody makes it at this moment.
        if content.next().is_some() && !self.exists() {
            return Err(DevError::Usage(format!(
                "{} is not empty and no state directory of ktk; name an empty or a new one",
                self.root.display()
            )));
        }
        let marker = self.root.join(MARKER);
        std::fs::write(&marker, "State of `ktk dev`; `ktk dev reset` deletes it.\n")
            .map_err(DevError::file("write", &marker))?;
        for part in ["logs", "nats", "postgres", "run", "serve"] {
            make_dir(&self.root.join(part), 0o700)?;
        }
        Ok(())
    }

    /// Whether there is a state directory here.
    pub(super) fn exists(&self) -> bool {
        self.root.join(MARKER).is_file()
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory that belongs to one private server.
    pub(super) fn server(&self, server: Server) -> PathBuf {
        self.root.join(server.name())
    }

    /// The directory that belongs to the processors.
    pub(super) fn serve(&self) -> PathBuf {
        self.root.join("serve")
    }

    /// The log of a private server or, as `ktk`, of the supervisor.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// The identity of the running process `name`.
    pub(super) fn proc_id(&self, name: &str) -> PathBuf {
        self.root.join("run").join(format!("{name}.json"))
    }

    /// The document that says that the stand is ready, and where.
    pub(super) fn ready(&self) -> PathBuf {
        self.root.join("run/ready.json")
    }

    /// What the supervisor is doing until it is ready, one line.
    pub(super) fn phase(&self) -> PathBuf {
        self.root.join("run/phase")
    }

    /// Takes the lock `name` if it is free. It is held until the file is dropped or the process ends.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<File>, DevError> {
        let path = self.root.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(DevError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(DevError::file("lock", &path)(source)),
        }
    }

    /// The passwords of this stand, made up the first time. Call it under a lock.
    pub(super) fn secrets(&self) -> Result<Secrets, DevError> {
        let path = self.root.join("secrets.json");
        if let Some(secrets) = read_json(&path)? {
            return Ok(secrets);
        }
        let secrets = Secrets { nats: random_password(), postgres: random_password() };
        write_json(&path, &secrets)?;
        Ok(secrets)
    }

    pub(super) fn ports(&self) -> Result<Ports, DevError> {
        Ok(read_json(&self.ports_path())?.unwrap_or_default())
    }

    pub(super) fn remember_ports(&self, ports: Ports) -> Result<(), DevError> {
        write_json(&self.ports_path(), &ports)
    }

    fn ports_path(&self) -> PathBuf {
        self.root.join("ports.json")
    }
}

/// Reads a document; `None` when there is none, an error when it does not make sense.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
) -> Result<Option<T>, DevError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DevError::file("read", path)(error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| DevError::file("read", path)(error.into()))
}

/// Writes a document that only the owner may read. Readers find the old one or the new one, whole.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), DevError> {
    let bytes =
        serde_json::to_vec(value).map_err(|error| DevError::file("write", path)(error.into()))?;
    write_private(path, &bytes)
}

/// Like [`write_json`], for any content.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), DevError> {
    let partial = path.with_extension("partial");
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(content)?;
        std::fs::rename(&partial, path)
    };
    write().map_err(DevError::file("write", path))
}

/// Removes a file that may not be there.
pub(super) fn remove_file(path: &Path) -> Result<(), DevError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(DevError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn make_dir(path: &Path, mode: u32) -> Result<(), DevError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(DevError::file("make", path))
}

/// 128 random bits in hexadecimal, so that it needs no escaping anywhere.
fn random_password() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn secrets_and_ports_survive_and_are_private() {
        let dir = TempDir::new();
        let state = StateDir::at(&dir.path().join("a b/state")).unwrap();
        state.create().unwrap();
        let first = state.secrets().unwrap();
        assert_ne!(first.nats, first.postgres);
        assert_eq!(first.nats, state.secrets().unwrap().nats);
        let mode =
            std::fs::metadata(state.root().join("secrets.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        assert_eq!(state.ports().unwrap(), Ports::default());
        let ports = Ports { nats: Some(1), postgres: None };
        state.remember_ports(ports).unwrap();
        assert_eq!(state.ports().unwrap(), ports);
    }

    #[test]
    fn a_foreign_directory_is_refused_and_stays_as_it_is() {
        let dir = TempDir::new();
        std::fs::write(dir.path().join("thesis.tex"), "x").unwrap();
        let state = StateDir::at(dir.path()).unwrap();
        assert_eq!(state.create().unwrap_err().exit_code(), 2);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_is_held_once() {
        let dir = TempDir::new();
        let state = StateDir::at(dir.path()).unwrap();
        state.create().unwrap();
        let held = state.try_lock("lock").unwrap();
        assert!(held.is_some());
        assert!(state.try_lock("lock").unwrap().is_none());
        drop(held);
        assert!(state.try_lock("lock").unwrap().is_some());
    }
}
