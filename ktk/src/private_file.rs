//! Small files of the user's that several commands may write at once.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    thread,
    time::Duration,
};

/// How often another command is waited for that writes the file, and for how long each time.
const LOCK_TRIES: usize = 100;
const LOCK_WAIT: Duration = Duration::from_millis(2);

/// Changes what is in the file at `path`: `change` makes the new content while no other command
/// writes. Readers find the old content or the new, whole.
pub(crate) fn update<E: From<io::Error>>(
    path: &Path,
    change: impl FnOnce() -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    // Where the file is a link, it stays one.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let _lock = lock(&path.with_extension("lock"))?;
    let content = change()?;
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(&content)?;
    Ok(fs::rename(&partial, path)?)
}

/// Held until the file is closed. One who was stopped in the middle is not waited for.
fn lock(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => break,
            Err(fs::TryLockError::WouldBlock) => thread::sleep(LOCK_WAIT),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(file)
}
