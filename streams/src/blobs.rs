//! Values that are too large for an event, by the digest of their content.

use std::{collections::BTreeMap, fmt::Write as _, io, sync::Mutex};

use async_nats::jetstream::object_store::{GetErrorKind, InfoErrorKind, ObjectStore};
use bytes::Bytes;
use kantoku_domain::BlobRef;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::io::AsyncReadExt as _;

use crate::Cause;

/// Why a large value could not be stored or fetched.
#[derive(Debug, Error)]
pub enum BlobError {
    /// It is over the limit.
    #[error(
        "a value of {size} bytes is over the limit of {bytes_max}; store it elsewhere and pass its address"
    )]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// Nothing is stored under the digest.
    #[error(
        "the blob store has no {digest}; it was deleted, or this is another blob store than the event's"
    )]
    Missing {
        /// The digest.
        digest: String,
    },
    /// What is stored under the digest has another size.
    #[error("the blob store has {stored} bytes under {digest}, and {size} were asked for")]
    OtherSize {
        /// The digest.
        digest: String,
        /// The size that was asked for, in bytes.
        size: u64,
        /// The size that is stored, in bytes.
        stored: u64,
    },
    /// What is stored is not what the digest says.
    #[error(
        "the blob store returned other bytes than {digest} stands for; restore it from a backup"
    )]
    Corrupt {
        /// The digest.
        digest: String,
    },
    /// The blob store failed.
    #[error("the blob store failed to {what} {digest}: {cause}; check NATS, then try again")]
    Store {
        /// What was asked of it.
        what: &'static str,
        /// The digest.
        digest: String,
        /// What the client reports.
        #[source]
        cause: Cause,
    },
}

/// The store of large values. What it returns has been verified against its digest.
#[derive(Debug)]
pub struct Blobs {
    backend: Backend,
    bytes_max: u64,
}

enum Backend {
    Objects(Box<ObjectStore>),
    Memory(Mutex<BTreeMap<String, Bytes>>),
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Objects(_) => "Objects",
            Self::Memory(_) => "Memory",
        })
    }
}

impl Blobs {
    /// The size limit of one value in bytes, where the configuration names no other.
    pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

    /// How often a value is fetched again that arrived incomplete: when two writers store the same
    /// content at once, the store replaces the chunks under a reader.
    const TRIES: usize = 3;

    /// Over an object store of NATS; values up to `bytes_max` long.
    pub fn over(objects: ObjectStore, bytes_max: u64) -> Self {
        Self { backend: Backend::Objects(Box::new(objects)), bytes_max }
    }

    /// In memory, for tests and simulation; values up to `bytes_max` long.
    pub fn in_memory(bytes_max: u64) -> Self {
        Self { backend: Backend::Memory(Mutex::default()), bytes_max }
    }

    /// Stores `bytes` and says where. Storing the same bytes again changes nothing.
    pub async fn put(&self, bytes: Bytes) -> Result<BlobRef, BlobError> {
        let size = bytes.len() as u64;
        self.check_size(size)?;
        let digest = digest_of(&bytes);
        match &self.backend {
            Backend::Objects(objects) => put_object(objects, &digest, &bytes).await?,
            Backend::Memory(map) => {
                lock(map).insert(digest.clone(), bytes);
            }
        }
        Ok(BlobRef { digest, size })
    }

    /// The bytes that `blob` stands for.
    pub async fn get(&self, blob: &BlobRef) -> Result<Bytes, BlobError> {
        self.check_size(blob.size)?;
        for _ in 0..Self::TRIES {
            let bytes = match &self.backend {
                Backend::Objects(objects) => get_object(objects, blob).await?,
                Backend::Memory(map) => lock(map)
                    .get(&blob.digest)
                    .cloned()
                    .ok_or_else(|| BlobError::Missing { digest: blob.digest.clone() })?,
            };
            if digest_of(&bytes) == blob.digest {
                check_stored(blob, bytes.len())?;
                return Ok(bytes);
            }
        }
        Err(BlobError::Corrupt { digest: blob.digest.clone() })
    }

    fn check_size(&self, size: u64) -> Result<(), BlobError> {
        if size > self.bytes_max {
            return Err(BlobError::TooLarge { size, bytes_max: self.bytes_max });
        }
        Ok(())
    }
}

async fn put_object(objects: &ObjectStore, digest: &str, bytes: &[u8]) -> Result<(), BlobError> {
    let failed = |what, cause: Cause| BlobError::Store { what, digest: digest.to_owned(), cause };
    match objects.info(digest).await {
        Ok(info) if !info.deleted && info.size == bytes.len() => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == InfoErrorKind::NotFound => {}
        Err(error) => return Err(failed("look for", error.into())),
    }
    let mut reader = bytes;
    objects.put(digest, &mut reader).await.map_err(|error| failed("store", error.into()))?;
    Ok(())
}

async fn get_object(objects: &ObjectStore, blob: &BlobRef) -> Result<Bytes, BlobError> {
    let digest = &blob.digest;
    let failed = |cause: Cause| BlobError::Store { what: "fetch", digest: digest.clone(), cause };
    let object = objects.get(digest.as_str()).await.map_err(|error| match error.kind() {
        GetErrorKind::NotFound => BlobError::Missing { digest: digest.clone() },
        _ => failed(error.into()),
    })?;
    check_stored(blob, object.info.size)?;
    let mut bytes = Vec::with_capacity(object.info.size);
    // One byte more than promised is enough to see that the content is another.
    match object.take(blob.size.saturating_add(1)).read_to_end(&mut bytes).await {
        Ok(_) => {}
        // The client's own check of the content failed: to be judged by the digest.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => bytes.clear(),
        Err(error) => return Err(failed(error.into())),
    }
    Ok(bytes.into())
}

/// The size that is asked for bounds what is read, so it has to be the one that is stored.
fn check_stored(blob: &BlobRef, stored: usize) -> Result<(), BlobError> {
    let (digest, size, stored) = (&blob.digest, blob.size, stored as u64);
    if size == stored {
        return Ok(());
    }
    Err(BlobError::OtherSize { digest: digest.clone(), size, stored })
}

fn lock(
    map: &Mutex<BTreeMap<String, Bytes>>,
) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
    map.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// `sha256:<hex>` of the bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    async fn contract(blobs: &Blobs) {
        let bytes = Bytes::from(vec![7_u8; 300_000]);
        let blob = blobs.put(bytes.clone()).await.unwrap();
        assert_eq!(blob.size, 300_000);
        assert_eq!(blobs.put(bytes.clone()).await.unwrap(), blob);
        assert_eq!(blobs.get(&blob).await.unwrap(), bytes);

        for size in [0, 299_999, 300_001] {
            let found = blobs.get(&BlobRef { size, ..blob.clone() }).await;
            assert!(matches!(found, Err(BlobError::OtherSize { .. })), "{size}: {found:?}");
        }
        let other = BlobRef { digest: digest_of(b"other"), size: 5 };
        assert!(matches!(blobs.get(&other).await, Err(BlobError::Missing { .. })));
        let large = Bytes::from(vec![0; 400_001]);
        assert!(matches!(blobs.put(large).await, Err(BlobError::TooLarge { size: 400_001, .. })));
    }

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        contract(&Blobs::in_memory(400_000)).await;
    }

    #[tokio::test]
    async fn nats_keeps_the_contract_and_wrong_bytes_are_noticed() {
        let Some(server) = Server::start().await else { return };
        let (_client, context) = server.ready().await;
        let objects = context.get_object_store(crate::subject::BLOBS).await.unwrap();
        contract(&Blobs::over(objects.clone(), 400_000)).await;

        let blob = BlobRef { digest: digest_of(b"right"), size: 5 };
        let mut wrong: &[u8] = b"wrong";
        objects.put(blob.digest.as_str(), &mut wrong).await.unwrap();
        let found = Blobs::over(objects, 400_000).get(&blob).await;
        assert!(matches!(found, Err(BlobError::Corrupt { .. })), "{found:?}");
    }
}
