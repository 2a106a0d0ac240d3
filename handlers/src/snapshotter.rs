//! Takes snapshots of what the handlers of a node have folded.
//!
//! Those that live are left alone: they hold what was handed out, foreseen and heard besides. A
//! snapshot is made of the one before it and of the events since, by handlers that do nothing but
//! fold. So it is what folding the whole history would come to, and the node does not wait for it.

use std::time::Duration;

use kantoku_streams::{Bus, Fault, warn_missing};
use thiserror::Error;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    NodeConfig, metric,
    poison::{Poison, Poisoned},
    snapshot::{self, Place, Unfit},
};

/// How often it is looked whether enough has happened.
const LOOK_EVERY: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 5_000 });
/// A snapshot is taken once this many events per byte of the last have come: no more is written than
/// events are.
const BYTES_PER_EVENT: u64 = 1_024;
/// Where nothing happens any more, a part of the events that are asked for is enough.
const QUIET_PART: u64 = 20;
/// After this many events a snapshot is taken on the way: what was folded is not lost with the process.
const EVENTS_MAX: u64 = 1_000_000;

/// How long to wait where an event stands in the way, which is found with everything before it.
const STUCK: Duration = Duration::from_secs(10 * 60);

/// Why no snapshot was taken.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    /// It may work later.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A handler cannot take in an event; what comes of that is for its node.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// Something in the stream cannot be read.
    #[error("{0}")]
    Unreadable(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Unfit(fault.into())
    }
}

/// Takes snapshots until it is dropped. None goes past an event that cannot be taken in, which may be
/// tried again one day.
pub(crate) fn start(bus: &Bus, config: &NodeConfig) -> Option<AbortOnDropHandle<()>> {
    let (bus, config) = (bus.clone(), config.clone());
    (config.snapshot_every > 0).then(|| AbortOnDropHandle::new(tokio::spawn(keep(bus, config))))
}

async fn keep(bus: Bus, config: NodeConfig) {
    let mut seen = 0;
    loop {
        sleep(LOOK_EVERY).await;
        let taken = match is_due(&bus, &config, &mut seen).await {
            Ok(true) => take(&bus, &config).await,
            Ok(false) => continue,
            Err(fault) => Err(fault.into()),
        };
        match taken {
            Ok(_) => {}
            Err(Failed::Unfit(Unfit::Fault(fault))) => {
                warn_missing("nats", "take a snapshot of the handlers", &fault);
            }
            Err(Failed::Unfit(unfit)) => tracing::warn!(%unfit, "no snapshot was taken"),
            Err(failed @ (Failed::Poisoned(_) | Failed::Unreadable(_))) => {
                tracing::error!(
                    %failed,
                    "no snapshot goes past that: the next start folds all that follows the last one"
                );
                sleep(STUCK).await;
            }
        }
    }
}

/// Whether there are enough events since the last snapshot. `seen` is the end of the stream at the
/// last look.
async fn is_due(bus: &Bus, config: &NodeConfig, seen: &mut u64) -> Result<bool, Fault> {
    let head = bus.last_position().await?;
    let is_quiet = std::mem::replace(seen, head) == head;
    let kind = snapshot::kind(config, bus.created().await?);
    let entries = bus.snapshots().list(&kind).await?;
    // One that is ahead of the stream is of events that are gone.
    let last = entries.iter().find(|entry| entry.position <= head);
    let (position, bytes) = last.map_or((0, 0), |entry| (entry.position, entry.bytes));
    let (new, wanted) = (head - position, config.snapshot_every);
    Ok(new >= wanted.max(bytes / BYTES_PER_EVENT)
        || is_quiet && new >= (wanted / QUIET_PART).max(1))
}

/// Takes a snapshot of all there is now. `None`: there is nothing new.
pub(crate) async fn take(bus: &Bus, config: &NodeConfig) -> Result<Option<Place>, Failed> {
    let start = Instant::now();
    let stream_created = bus.created().await?;
    let (mut folded, base) = snapshot::newest(bus, config).await?;
    let from = folded.position;
    let mut replay = bus.replay(from + 1).await?;
    // The last event of each page: while these are there, so is all that was read.
    let mut read: Vec<Place> = base.iter().map(|(_, place)| *place).collect();
    while let Some(page) = replay.next_page().await? {
        let mut last = None;
        for recorded in page {
            let recorded = recorded.map_err(Failed::Unreadable)?;
            folded.apply(&recorded, &Poison::default())?;
            let (stream_seq, event_id) = (recorded.stream_seq, recorded.metadata.event_id);
            last = Some(Place { stream_created, stream_seq, event_id });
        }
        read.extend(last);
        if folded.position - from >= EVENTS_MAX {
            break;
        }
    }
    let Some(place) = read.last().copied().filter(|place| place.stream_seq > from) else {
        return Ok(None);
    };
    let packed = spawn_blocking(move || snapshot::pack(place, &folded.save()?)).await;
    let packed = packed.map_err(|error| Unfit::Ended(error.to_string()))??;
    let created = bus.created().await?;
    for place in read {
        snapshot::check(bus, place, created).await?;
    }
    let (kind, keep) = (snapshot::kind(config, created), base.map(|(entry, _)| entry));
    bus.snapshots().put(&kind, place.stream_seq, &packed, keep.as_ref()).await?;
    metric::snapshot(place.stream_seq, packed.len(), start.elapsed());
    Ok(Some(place))
}
