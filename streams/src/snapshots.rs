//! What services have folded of the stream, kept so that they need not fold all of it again.
//!
//! A cache and nothing more: what is missing, damaged or refused is folded from the stream. There are
//! two places for each kind of snapshot, and the one that is good is not the one that is overwritten:
//! whatever happens meanwhile, it is whole. What nobody renews expires.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{
    Context,
    object_store::{Config, InfoErrorKind, ObjectMetadata, ObjectStore},
};
use tokio::{io::AsyncReadExt as _, time::timeout};

use crate::{Fault, subject};

/// How long a snapshot is kept that no other takes the place of.
const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const PLACES: [&str; 2] = ["0", "1"];
const POSITION: &str = "position";
/// How long to wait for one that is small, and how fast those arrive that are not.
const PATIENCE: Duration = Duration::from_secs(10);
const BYTES_PER_SECOND_MIN: u64 = 2 << 20;
/// Larger ones are neither stored nor fetched.
const BYTES_MAX: usize = 2 << 30;

/// See the module.
pub struct Snapshots {
    context: Context,
}

/// A snapshot that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The position in the stream up to which events are folded in it.
    pub position: u64,
    /// Its size in bytes.
    pub bytes: u64,
    name: String,
}

impl Snapshots {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    /// The snapshots of a kind, the newest first; two at most.
    pub async fn list(&self, kind: &str) -> Result<Vec<SnapshotEntry>, Fault> {
        let Some(objects) = self.bucket().await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for place in PLACES {
            found.extend(entry(&objects, format!("{kind}/{place}")).await?);
        }
        found.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.position));
        Ok(found)
    }

    /// The bytes of a snapshot, as far as they are there: whether they are those that were stored is
    /// for the reader to find out.
    pub async fn get(&self, entry: &SnapshotEntry) -> Result<Vec<u8>, Fault> {
        let patience = PATIENCE + Duration::from_secs(entry.bytes / BYTES_PER_SECOND_MIN);
        // Parts that have expired, or are overwritten meanwhile, never come.
        match timeout(patience, self.fetch(entry)).await {
            Ok(fetched) => fetched,
            Err(elapsed) => Err(Fault::unreachable("fetch a snapshot", elapsed)),
        }
    }

    async fn fetch(&self, entry: &SnapshotEntry) -> Result<Vec<u8>, Fault> {
        let failed = |cause: crate::Cause| Fault::unreachable("fetch a snapshot", cause);
        let Some(objects) = self.bucket().await? else { return Ok(Vec::new()) };
        let object = objects.get(entry.name.as_str()).await;
        let mut object = object.map_err(|error| failed(error.into()))?;
        let mut bytes = Vec::with_capacity(object.info.size.min(BYTES_MAX));
        object.read_to_end(&mut bytes).await.map_err(|error| failed(error.into()))?;
        Ok(bytes)
    }

    /// Stores a snapshot of the events up to `position`, in another place than that of `keep`.
    pub async fn put(
        &self,
        kind: &str,
        position: u64,
        bytes: &[u8],
        keep: Option<&SnapshotEntry>,
    ) -> Result<(), Fault> {
        let failed = |cause: crate::Cause| Fault::unreachable("store a snapshot", cause);
        if bytes.len() > BYTES_MAX {
            return Err(failed(format!("it has {} bytes, which is too much", bytes.len()).into()));
        }
        let objects = match self.bucket().await? {
            Some(objects) => objects,
            None => self.create().await?,
        };
        let [one, other] = PLACES.map(|place| format!("{kind}/{place}"));
        let name = if keep.is_some_and(|keep| keep.name == one) { other } else { one };
        let metadata = HashMap::from([(POSITION.to_owned(), position.to_string())]);
        let object = ObjectMetadata { name, metadata, ..ObjectMetadata::default() };
        let mut reader = bytes;
        objects.put(object, &mut reader).await.map_err(|error| failed(error.into()))?;
        Ok(())
    }

    /// `None` when nobody has stored any.
    async fn bucket(&self) -> Result<Option<ObjectStore>, Fault> {
        // What it answers does not tell a bucket that is missing from a server that is.
        let name = subject::under_objects(subject::SNAPSHOTS);
        match self.context.get_stream(&name).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(Fault::unreachable("look for snapshots", error)),
        }
        let objects = self.context.get_object_store(subject::SNAPSHOTS).await;
        objects.map(Some).map_err(|error| Fault::unreachable("open the store of snapshots", error))
    }

    async fn create(&self) -> Result<ObjectStore, Fault> {
        let failed = |cause: crate::Cause| Fault::unreachable("make the store of snapshots", cause);
        let events = self.context.get_stream(subject::EVENTS).await;
        let events = events.map_err(|error| failed(error.into()))?;
        let config = Config {
            bucket: subject::SNAPSHOTS.to_owned(),
            description: Some("Kantoku: what nodes have folded, a cache".to_owned()),
            max_age: AGE_MAX,
            max_bytes: -1,
            num_replicas: events.cached_info().config.num_replicas,
            compression: true,
            ..Config::default()
        };
        let created = self.context.create_object_store(config).await;
        created.map_err(|error| failed(error.into()))
    }
}

fn is_missing(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::{ErrorCode, context::GetStreamErrorKind};
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}

async fn entry(objects: &ObjectStore, name: String) -> Result<Option<SnapshotEntry>, Fault> {
    match objects.info(name.as_str()).await {
        Ok(info) if info.deleted => Ok(None),
        Ok(info) => {
            // Whoever cannot read it takes it for the oldest.
            let position = info.metadata.get(POSITION).and_then(|text| text.parse().ok());
            let (position, bytes) = (position.unwrap_or_default(), info.size as u64);
            Ok(Some(SnapshotEntry { position, bytes, name }))
        }
        Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::unreachable("look at a snapshot", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn the_last_two_of_each_kind_are_kept() {
        let Some(server) = Server::start().await else { return };
        let (_client, context) = server.ready().await;
        let snapshots = Snapshots::new(context);
        assert_eq!(snapshots.list("a").await.unwrap(), []);
        let large = vec![7_u8; 300_000];
        for position in [5, 7, 9] {
            let bytes = [&large[..], &[position as u8]].concat();
            let kept = snapshots.list("a").await.unwrap();
            snapshots.put("a", position, &bytes, kept.first()).await.unwrap();
            snapshots.put("b", position + 1, b"b", None).await.unwrap();
        }
        let found = snapshots.list("a").await.unwrap();
        assert_eq!(
            found.iter().map(|it| (it.position, it.bytes)).collect::<Vec<_>>(),
            [(9, 300_001), (7, 300_001)]
        );
        for entry in &found {
            let bytes = snapshots.get(entry).await.unwrap();
            assert_eq!(bytes.last().map(|last| u64::from(*last)), Some(entry.position));
        }
        let found = snapshots.list("b").await.unwrap();
        assert_eq!(found.iter().map(|it| it.position).collect::<Vec<_>>(), [10]);
    }
}
