//! Saying who is here, for as long as it is.

use std::{collections::BTreeMap, fs, time::Duration};

use kantoku_domain::Id;
use kantoku_streams::{Bus, Load, ServiceEntry, now, warn_missing};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Health, Identity, Ready};

/// An entry is renewed so often in the time that it lasts.
const RENEWALS: u32 = 3;
/// How often it is looked whether the load has changed, or NATS is away.
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
        started_at: now(),
        load: Load::default(),
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Keeps `entry` among those that are present, with what `load` says at the time, and answers NATS'
/// own discovery, until `stop` is cancelled; then says goodbye. Whether NATS answers is reported to
/// `health` as part `nats`, at most a second after that changed.
pub async fn announce(
    bus: Bus,
    mut entry: ServiceEntry,
    load: impl Fn() -> Load + Send,
    health: Health,
    stop: CancellationToken,
) {
    let pause = bus.presence().age_max() / RENEWALS;
    let mut said = None;
    let mut renewed_at = None::<Instant>;
    let mut discovery = None;
    loop {
        let is_due = renewed_at.is_none_or(|at| at.elapsed() >= pause) || load() != entry.load;
        let missing = match bus.missing() {
            // What is sent over a lost connection is done when it is not true any more.
            Some(reason) => Some(reason.to_owned()),
            None if is_due => {
                entry.load = load();
                let renewal = stop.run_until_cancelled(bus.presence().renew(&entry)).await;
                let Some(renewed) = renewal else { break };
                renewed_at = renewed.is_ok().then(Instant::now);
                renewed.err().map(|fault| fault.to_string())
            }
            None => None,
        };
        if missing.is_none() && discovery.is_none() {
            // Not having it costs nothing but `nats micro ls`.
            discovery = bus.discovery(&entry).await.ok();
        }
        if let Some(reason) = &missing {
            warn_missing(PART, "say that the service is here", reason);
        }
        if said.as_ref() != Some(&missing) {
            let ready = missing.clone().map_or(Ready::Yes, Ready::No);
            health.report(PART, ready);
            said = Some(missing);
        }
        if stop.run_until_cancelled(sleep(LOOK_EVERY.min(pause))).await.is_none() {
            break;
        }
    }
    drop(discovery);
    let goodbye = timeout(GOODBYE, bus.presence().leave(&entry.service_id)).await;
    if !matches!(goodbye, Ok(Ok(()))) {
        tracing::info!(service_id = entry.service_id, "left without a goodbye");
    }
}
