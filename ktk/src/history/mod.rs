//! Histories as exports have them: from a file, or from the server part by part.

mod blobs;
mod file;
mod live;

pub(crate) use blobs::{BlobDir, Named};
pub(crate) use file::{HistoryFile, Part};
pub(crate) use live::{Live, Scope, Sealed};
