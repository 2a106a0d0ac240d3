//! The files that hold the keys of secrets.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use kantoku_streams::{SecretKey, SecretKeys};
use zeroize::Zeroizing;

use super::ServeError;

/// A key is one short line.
const BYTES_MAX: u64 = 1024;
/// Everybody may read, or write.
const FOR_OTHERS: u32 = 0o006;

/// Reads the keys, the one that seals first. `None` where no file is named. With `make` the first is
/// made where it is missing.
pub(super) fn read(paths: &[PathBuf], make: bool) -> Result<Option<SecretKeys>, ServeError> {
    let keys = paths.iter().enumerate().map(|(index, path)| {
        let read = if make && index == 0 { make_and_read(path) } else { read_one(path) };
        read.map_err(|source| ServeError::SecretsKey { path: path.clone(), source })
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if let Some(first) = keys.first() {
        tracing::info!(key_id = first.id(), "secrets are sealed under this key");
    }
    Ok(SecretKeys::new(keys))
}

/// Written beside and moved, so that whoever else makes it at this moment finds a whole one: the same.
fn make_and_read(path: &Path) -> io::Result<SecretKey> {
    if fs::exists(path)? {
        return read_one(path);
    }
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir)?;
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    writeln!(file, "{}", *SecretKey::draw())?;
    file.sync_all()?;
    let linked = fs::hard_link(&partial, path);
    fs::remove_file(&partial)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
        Ok(()) => tracing::info!(path = %path.display(), "a key for secrets was made; keep a copy"),
    }
    read_one(path)
}

fn read_one(path: &Path) -> io::Result<SecretKey> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            io::Error::other("there is no such file; --new-secrets-key makes the first")
        }
        _ => error,
    })?;
    if file.metadata()?.mode() & FOR_OTHERS != 0 {
        return Err(io::Error::other("everybody may read it or write to it: chmod 600"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    text.parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::dev::testing::TempDir;

    #[test]
    fn a_key_is_made_once_private_and_only_when_asked() {
        let dir = TempDir::new();
        let path = dir.path().join("new/secrets.key");
        let paths = [path.clone()];
        let error = read(&paths, false).unwrap_err().to_string();
        assert!(error.contains("--new-secrets-key"), "{error}");
        assert!(read(&[], false).unwrap().is_none());
        read(&paths, true).unwrap().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        read(&paths, true).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&paths, true).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains(text.trim()), "{error}");
    }
}
