//! What a node's handlers have folded, as bytes: what they wrote, what it is of, and a digest of all
//! that.
//!
//! A snapshot belongs to one position of one stream, told by the event there. One that does not fit,
//! or cannot be read, is not used: the history is folded then, which is always right.

use kantoku_domain::{Id, Timestamp};
use kantoku_streams::{Bus, Fault, SnapshotEntry, digest_of};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::{HandlerName, NodeConfig, SavedError, folded::Folded};

/// What handlers write down, and what they make of an event. To be raised with every change of
/// either: what was written before is not read any more then.
pub(crate) const SCHEMA: u32 = 1;

/// How long a digest is as text.
const DIGEST_BYTES: usize = "sha256:".len() + 64;

/// Where in which stream a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) stream_created: Timestamp,
    pub(crate) stream_seq: u64,
    pub(crate) event_id: Id,
}

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    schema: u32,
    place: Place,
    /// The handlers, and how long what each of them wrote is.
    handlers: Vec<(String, usize)>,
}

/// What one of the handlers wrote.
type Part<'a> = (HandlerName, &'a [u8]);

/// Why a snapshot is not used.
#[derive(Debug, Error)]
pub(crate) enum Unfit {
    #[error("its bytes are not those that were written")]
    Damaged,
    #[error("it was written by another version: schema {0}, and this one has {SCHEMA}")]
    OtherSchema(u32),
    #[error("it is of other handlers")]
    OtherHandlers,
    #[error("it was taken of a stream that was created at {taken}, and this was at {found}")]
    OtherStream { taken: Timestamp, found: Timestamp },
    #[error("event {0} was there, and is not any more")]
    OtherEvent(Id),
    #[error(transparent)]
    Unreadable(#[from] SavedError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("reading it ended: {0}")]
    Ended(String),
}

/// Snapshots of one kind fit the same nodes: they have the same handlers, which write down the same.
pub(crate) fn kind(config: &NodeConfig, stream_created: Timestamp) -> String {
    let handlers: Vec<_> = config.handlers.iter().map(|name| name.name()).collect();
    let handlers = handlers.join("+");
    format!("{handlers}/{}-{SCHEMA}/{}", env!("CARGO_PKG_VERSION"), stream_created.micros())
}

/// What the handlers wrote, as a snapshot.
pub(crate) fn pack(place: Place, saved: &[(HandlerName, Vec<u8>)]) -> Result<Vec<u8>, Unfit> {
    let handlers = saved.iter().map(|(name, bytes)| (name.name().to_owned(), bytes.len()));
    let head = Head { schema: SCHEMA, place, handlers: handlers.collect() };
    let head = serde_json::to_string(&head).map_err(|error| Unfit::Ended(error.to_string()))?;
    let length: usize = saved.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut packed = Vec::with_capacity(head.len() + 1 + length + DIGEST_BYTES);
    packed.extend_from_slice(head.as_bytes());
    packed.push(b'\n');
    for (_, bytes) in saved {
        packed.extend_from_slice(bytes);
    }
    let digest = digest_of(&packed);
    packed.extend_from_slice(digest.as_bytes());
    Ok(packed)
}

/// What the handlers wrote, and where.
fn unpack(packed: &[u8]) -> Result<(Place, Vec<Part<'_>>), Unfit> {
    let end = packed.len().checked_sub(DIGEST_BYTES).ok_or(Unfit::Damaged)?;
    let (packed, digest) = packed.split_at(end);
    if digest_of(packed).as_bytes() != digest {
        return Err(Unfit::Damaged);
    }
    let line = packed.iter().position(|byte| *byte == b'\n').ok_or(Unfit::Damaged)?;
    let (head, mut rest) = (&packed[..line], &packed[line + 1..]);
    let Head { schema, place, handlers } =
        serde_json::from_slice(head).map_err(|_| Unfit::Damaged)?;
    if schema != SCHEMA {
        return Err(Unfit::OtherSchema(schema));
    }
    let mut saved = Vec::with_capacity(handlers.len());
    for (name, length) in handlers {
        let (bytes, others) = rest.split_at_checked(length).ok_or(Unfit::Damaged)?;
        saved.push((name.parse().map_err(|_| Unfit::OtherHandlers)?, bytes));
        rest = others;
    }
    Ok((place, saved))
}

/// The handlers of a node as they were when a snapshot was taken, and where that was.
pub(crate) fn restore(config: &NodeConfig, packed: &[u8]) -> Result<(Place, Folded), Unfit> {
    let (place, saved) = unpack(packed)?;
    let mut folded = Folded::new(config);
    if saved.len() != config.handlers.len() {
        return Err(Unfit::OtherHandlers);
    }
    folded.restore(place.stream_seq, &saved)?.ok_or(Unfit::OtherHandlers)?;
    Ok((place, folded))
}

/// Handlers that go on from the newest snapshot that fits, and which that is; without one they begin
/// with the first event.
pub(crate) async fn newest(
    bus: &Bus,
    config: &NodeConfig,
) -> Result<(Folded, Option<(SnapshotEntry, Place)>), Fault> {
    let created = bus.created().await?;
    for entry in bus.snapshots().list(&kind(config, created)).await? {
        match fitting(bus, config, &entry, created).await {
            Ok((folded, place)) => return Ok((folded, Some((entry, place)))),
            Err(unfit) => {
                let position = entry.position;
                tracing::warn!(position, %unfit, "a snapshot of the handlers is not used");
            }
        }
    }
    Ok((Folded::new(config), None))
}

async fn fitting(
    bus: &Bus,
    config: &NodeConfig,
    entry: &SnapshotEntry,
    created: Timestamp,
) -> Result<(Folded, Place), Unfit> {
    let packed = bus.snapshots().get(entry).await?;
    let config = config.clone();
    let restored = spawn_blocking(move || restore(&config, &packed)).await;
    let (place, folded) = restored.map_err(|error| Unfit::Ended(error.to_string()))??;
    check(bus, place, created).await?;
    Ok((folded, place))
}

/// Whether the stream, which was created then, still holds what a snapshot was taken of.
pub(crate) async fn check(bus: &Bus, place: Place, created: Timestamp) -> Result<(), Unfit> {
    if place.stream_created != created {
        return Err(Unfit::OtherStream { taken: place.stream_created, found: created });
    }
    let found = bus.find_event(place.stream_seq).await?;
    if found.is_none_or(|found| found.metadata.event_id != place.event_id) {
        return Err(Unfit::OtherEvent(place.event_id));
    }
    Ok(())
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
