//! What was started last from here: `@last`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use kantoku_domain::Id;
use serde::{Deserialize, Serialize};

use crate::{dev, session::Session};

/// How many servers and namespaces are remembered.
const REMEMBERED_MAX: usize = 100;
/// A file that is longer is not ours.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What was started last at one server in one namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    /// The context.
    pub(crate) context_id: Id,
    /// The task, if it was a single one.
    pub(crate) task_id: Option<Id>,
}

impl Last {
    /// What is remembered for the server and the namespace of `session`.
    pub(crate) fn of(session: &Session) -> Option<Self> {
        read(&path()?).get(&key(session)).copied()
    }

    /// Remembers this. That it could not be written is worth a note, not a failure.
    pub(crate) fn remember(self, session: &Session) {
        let Some(path) = path() else { return };
        let mut all = read(&path);
        let key = key(session);
        if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
            all.clear();
        }
        all.insert(key, self);
        if let Err(error) = write(&path, &all) {
            session.note(&format!(
                "ktk: @last will not know this: cannot write {}: {error}",
                path.display()
            ));
        }
    }
}

fn key(session: &Session) -> String {
    let namespace = session.namespace();
    let namespace = namespace.as_ref().map_or("default", |namespace| namespace.as_str());
    format!("{} {namespace}", crate::error::without_password(session.url()))
}

/// In the state directory of the private stand if there is one, so that it goes with it.
fn path() -> Option<PathBuf> {
    let stand = dev::default_state_dir();
    if stand.is_dir() {
        return Some(stand.join("last.json"));
    }
    let set = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let state = set.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))?;
    Some(state.join("kantoku/last.json"))
}

/// Empty where there is nothing that makes sense.
fn read(path: &Path) -> BTreeMap<String, Last> {
    let is_small = fs::metadata(path).is_ok_and(|file| file.len() <= FILE_BYTES_MAX);
    let bytes = if is_small { fs::read(path).unwrap_or_default() } else { Vec::new() };
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Readers find the old content or the new, whole.
fn write(path: &Path, all: &BTreeMap<String, Last>) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(&serde_json::to_vec(all)?)?;
    fs::rename(&partial, path)
}
