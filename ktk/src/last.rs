//! What was started last from here: `@last`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use kantoku_domain::Id;
use serde::{Deserialize, Serialize};

use crate::{dev, private_file, session::Session};

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
        if let Err(error) = self.write(&path, key(session)) {
            session.note(&format!(
                "ktk: @last will not know this: cannot write {}: {error}",
                path.display()
            ));
        }
    }

    /// Among what other commands have written, some perhaps at this moment.
    fn write(self, path: &Path, key: String) -> io::Result<()> {
        private_file::update(path, || {
            let mut all = read(path);
            if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
                all.clear();
            }
            all.insert(key, self);
            Ok(serde_json::to_vec(&all)?)
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::testing::TempDir;

    #[test]
    fn commands_that_start_something_at_once_are_all_remembered() {
        let dir = TempDir::new();
        let path = dir.path().join("state/last.json");
        let last =
            |n: u128| Last { context_id: Id::from_uuid(uuid::Uuid::from_u128(n)), task_id: None };
        std::thread::scope(|scope| {
            for n in 0..16 {
                let path = &path;
                scope.spawn(move || last(n).write(path, format!("server {n}")).unwrap());
            }
        });
        let all = read(&path);
        assert_eq!(all.len(), 16, "{all:?}");
        assert!((0..16).all(|n| all[&format!("server {n}")] == last(n)), "{all:?}");
    }
}
