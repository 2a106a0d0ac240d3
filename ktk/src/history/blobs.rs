//! Large values in a directory, each in a file by its digest.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use kantoku_api::contract::{Blob, BlobLoad, BlobStore};
use kantoku_domain::{BlobRef, Event};
use kantoku_streams::{blobs_named, digest_of};

use crate::{
    error::{CommandError, Exit},
    progress::Progress,
    session::Session,
};

/// The large values that events name.
#[derive(Debug, Default)]
pub(crate) struct Named(BTreeSet<(String, u64)>);

impl Named {
    /// Takes in those of an event.
    pub(crate) fn take(&mut self, event: &Event) {
        let blobs = blobs_named(event).into_iter();
        self.0.extend(blobs.map(|blob| (blob.digest.clone(), blob.size)));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn iter(&self) -> impl Iterator<Item = BlobRef> {
        self.0.iter().map(|(digest, size)| BlobRef { digest: digest.clone(), size: *size })
    }
}

/// A directory with large values.
pub(crate) struct BlobDir(PathBuf);

impl BlobDir {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Keeps those that are not there yet.
    pub(crate) async fn fetch(&self, named: &Named, session: &Session) -> Result<(), CommandError> {
        fs::create_dir_all(&self.0).map_err(|error| Self::failed("make", &self.0, &error))?;
        let progress = Progress::start(session, "fetching large values");
        for (done, blob) in named.iter().enumerate() {
            progress.update(done as u64, named.len() as u64, "large values");
            if self.read(&blob).is_ok() {
                continue;
            }
            let within = session.work_timeout();
            let found = session.call_within::<BlobLoad>(within, &blob).await?;
            let path = self.path(&blob);
            let partial = path.with_extension("partial");
            fs::write(&partial, found.content)
                .and_then(|()| fs::rename(&partial, &path))
                .map_err(|error| Self::failed("write", &path, &error))?;
            self.read(&blob)?;
        }
        Ok(())
    }

    /// Stores them all.
    pub(crate) async fn store(&self, named: &Named, session: &Session) -> Result<(), CommandError> {
        let progress = Progress::start(session, "storing large values");
        for (done, blob) in named.iter().enumerate() {
            progress.update(done as u64, named.len() as u64, "large values");
            let content = self.read(&blob)?;
            let within = session.work_timeout();
            session.call_within::<BlobStore>(within, &Blob { content }).await?;
        }
        Ok(())
    }

    /// What is wrong with those that are named, if anything is.
    pub(crate) fn check(&self, named: &Named) -> Vec<String> {
        named.iter().filter_map(|blob| self.read(&blob).err()).map(|it| it.to_string()).collect()
    }

    /// A value, which is what its digest says.
    fn read(&self, blob: &BlobRef) -> Result<String, CommandError> {
        let path = self.path(blob);
        let content =
            fs::read_to_string(&path).map_err(|error| Self::failed("read", &path, &error))?;
        if digest_of(content.as_bytes()) != blob.digest {
            let text = format!("{} is not what its name says: it was changed", path.display());
            return Err(CommandError::new(Exit::Findings, text));
        }
        Ok(content)
    }

    fn path(&self, blob: &BlobRef) -> PathBuf {
        self.0.join(format!("{}.json", blob.digest.replace(':', "-")))
    }

    fn failed(what: &str, path: &Path, error: &io::Error) -> CommandError {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Error,
        };
        CommandError::new(exit, format!("cannot {what} {}: {error}", path.display()))
    }
}
