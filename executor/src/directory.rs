//! Where a process works: where it is told to, or in a directory of its own.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// For the executor's user alone.
const MODE: u32 = 0o700;

/// A directory. One of its own is removed with all that is in it when this is dropped.
pub(crate) enum Directory<'a> {
    Given(&'a Path),
    Own(PathBuf),
}

impl<'a> Directory<'a> {
    /// The directory `given`, or else a new one called `name` in `parent`, which is made where it is
    /// missing.
    pub(crate) fn open(given: Option<&'a str>, parent: &Path, name: &str) -> io::Result<Self> {
        if let Some(given) = given {
            return Ok(Self::Given(Path::new(given)));
        }
        DirBuilder::new().recursive(true).mode(MODE).create(parent)?;
        let path = parent.join(name);
        DirBuilder::new().mode(MODE).create(&path)?;
        Ok(Self::Own(path))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Own(path) => path,
        }
    }
}

impl Drop for Directory<'_> {
    fn drop(&mut self) {
        let Self::Own(path) = self else { return };
        let path = std::mem::take(path);
        let remove = move || {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(%error, path = %path.display(), "a directory could not be removed");
            }
        };
        // It may hold a lot; at the end of the executor it is removed with all others.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_its_own_is_private_and_goes_with_all_that_is_in_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let parent = std::env::temp_dir().join(format!("kantoku-{}", uuid::Uuid::now_v7()));
        let own = Directory::open(None, &parent, "task-1").expect("made");
        let path = own.path().to_owned();
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        fs::write(path.join("left"), "over").expect("written");
        assert!(Directory::open(None, &parent, "task-1").is_err(), "it is nobody else's");
        drop(own);
        assert!(!path.exists() && parent.exists());

        let given = parent.to_str().expect("text");
        drop(Directory::open(Some(given), Path::new("/nowhere"), "task-1").expect("given"));
        fs::remove_dir(&parent).expect("a given one stays");
    }
}
