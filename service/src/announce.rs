//! Saying who is here, for as long as it is.

use std::{collections::BTreeMap, fs, time::Duration};

use kantoku_domain::{Id, Timestamp};
use kantoku_streams::{Bus, Load, ServiceEntry};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Backoff, Health, Identity, Ready};

/// An entry is renewed so often in the time that it lasts.
const RENEWALS: u32 = 3;
/// How often it is looked whether the load has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a goodbye may take: without one, the entry runs out.
const GOODBYE: Duration = Duration::from_secs(2);
/// The part of [`Health`] that is reported: whether NATS answers.
const PART: &str = "nats";

/// What the service of `identity` says of itself: that it is a `kind` and is known by `labels`, and
/// where it runs since now.
pub fn entry(identity: &Identity, kind: &str, labels: BTreeMap<String, String>) -> ServiceEntry {
    ServiceEntry {
        service_id: identity.service_id.clone(),
        kind: kind.to_owned(),
        boot_id: Id::from_uuid(identity.boot_id),
        labels,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
        pid: std::process::id(),
        started_at: Timestamp::from(OffsetDateTime::now_utc()),
        load: Load::default(),
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Keeps `entry` among those that are present, with what `load` says at the time, and answers NATS'
/// own discovery, until `stop` is cancelled; then says goodbye. Whether that works is reported to
/// `health` as part `nats`.
pub async fn announce(
    bus: Bus,
    mut entry: ServiceEntry,
    load: impl Fn() -> Load + Send,
    health: Health,
    stop: CancellationToken,
) {
    let pause = bus.presence().age_max() / RENEWALS;
    let mut backoff = Backoff::default();
    let mut was_here = None;
    let mut discovery = None;
    'here: loop {
        entry.load = load();
        let Some(renewed) = stop.run_until_cancelled(bus.presence().renew(&entry)).await else {
            break;
        };
        let is_here = renewed.is_ok();
        if was_here.replace(is_here) != Some(is_here) {
            health.report(PART, renewed.as_ref().err().map_or(Ready::Yes, |fault| {
                tracing::warn!(service_id = entry.service_id, %fault, "cannot say that it is here");
                Ready::No(fault.to_string())
            }));
        }
        if is_here && discovery.is_none() {
            // Not having it costs nothing but `nats micro ls`.
            discovery = bus.discovery(&entry).await.ok();
        }
        let wait = if is_here {
            backoff = Backoff::default();
            pause
        } else {
            backoff.next_wait().min(pause)
        };
        let due = Instant::now() + wait;
        while Instant::now() < due && (!is_here || load() == entry.load) {
            let look = LOOK_EVERY.min(due.saturating_duration_since(Instant::now()));
            if stop.run_until_cancelled(sleep(look)).await.is_none() {
                break 'here;
            }
        }
    }
    drop(discovery);
    let goodbye = timeout(GOODBYE, bus.presence().leave(&entry.service_id)).await;
    if !matches!(goodbye, Ok(Ok(()))) {
        tracing::info!(service_id = entry.service_id, "left without a goodbye");
    }
}
