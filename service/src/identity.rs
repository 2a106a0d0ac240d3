//! Who a service is: an id that survives restarts, and a boot id that does not.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use thiserror::Error;
use uuid::Uuid;

/// The identity of one running service. Durable consumers are named after `service_id`; leases
/// belong to `service_id` and `boot_id` together. Holding it holds the lock on its file.
#[derive(Debug)]
pub struct Identity {
    /// Survives restarts, e.g. `executor-1f0c9a7e`.
    pub service_id: String,
    /// New with every start.
    pub boot_id: Uuid,
    _lock: File,
}

/// Why a service has no identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The file cannot be used.
    #[error("cannot use {path} for the service id; check that the directory is writable")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process has this identity.
    #[error(
        "service id {service_id} is in use by {holder}; stop that process, or give this one \
         another state directory or --service-id"
    )]
    InUse {
        /// The id.
        service_id: String,
        /// Process id of the holder.
        holder: String,
    },
}

impl Identity {
    /// Takes the identity of a `kind` of service in `state_dir` (made if absent). The first time an
    /// id is drawn, unless `wanted` gives one; from then on it is kept in `<kind>.id`. Two
    /// processes cannot have the same at once.
    pub fn take(state_dir: &Path, kind: &str, wanted: Option<&str>) -> Result<Self, IdentityError> {
        let path = state_dir.join(format!("{}.id", wanted.unwrap_or(kind)));
        let error = |source| IdentityError::File { path: path.clone(), source };
        fs::create_dir_all(state_dir).map_err(error)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(error)?;
        let mut kept = String::new();
        file.read_to_string(&mut kept).map_err(error)?;
        let mut lines = kept.lines();
        let kept_id = lines.next().filter(|id| !id.is_empty());
        let service_id = wanted.or(kept_id).map_or_else(
            || format!("{kind}-{}", &Uuid::new_v4().simple().to_string()[..8]),
            str::to_owned,
        );
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = lines.next().unwrap_or("another process").to_owned();
                return Err(IdentityError::InUse { service_id, holder });
            }
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        file.set_len(0).map_err(error)?;
        file.rewind().map_err(error)?;
        writeln!(file, "{service_id}\nprocess {}", std::process::id()).map_err(error)?;
        Ok(Self { service_id, boot_id: Uuid::now_v7(), _lock: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_restarts_and_is_never_shared() {
        let dir = std::env::temp_dir().join(format!("ktk-identity-{}", Uuid::now_v7()));
        let first = Identity::take(&dir, "executor", None).expect("taken");
        let refused = Identity::take(&dir, "executor", None).expect_err("in use").to_string();
        let holder = format!("in use by process {}", std::process::id());
        assert!(refused.contains(&first.service_id) && refused.contains(&holder), "{refused}");

        let (id, boot) = (first.service_id.clone(), first.boot_id);
        drop(first);
        let second = Identity::take(&dir, "executor", None).expect("free again");
        assert_eq!(second.service_id, id);
        assert_ne!(second.boot_id, boot);
        let named = Identity::take(&dir, "executor", Some("gpu-1")).expect("another");
        assert_eq!(named.service_id, "gpu-1");
        drop((second, named));
        fs::remove_dir_all(dir).expect("removed");
    }
}
