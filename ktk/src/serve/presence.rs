//! Saying who is here, for as long as it is.

use std::{fs, time::Duration};

use kantoku_domain::{Id, Timestamp};
use kantoku_service::{Health, Ready};
use kantoku_streams::{Bus, Fault, Load, ServiceEntry};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::member::Member;

/// An entry is renewed so often in the time that it lasts.
const RENEWALS: u32 = 3;
/// How often it is looked whether there is news.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a goodbye may take: without one, the entry runs out.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a service says of itself.
pub(super) fn entry(member: &Member) -> ServiceEntry {
    ServiceEntry {
        service_id: member.identity.service_id.clone(),
        kind: member.service.name().to_owned(),
        boot_id: Id::from_uuid(member.identity.boot_id),
        labels: member.labels.clone(),
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

/// Renews the entry, with what `load` says, until `stop` is cancelled; then says goodbye. Whether
/// that works shows whether NATS is there.
pub(super) async fn keep(
    bus: Bus,
    mut entry: ServiceEntry,
    load: impl Fn() -> Load + Send,
    health: Health,
    stop: CancellationToken,
) {
    let presence = bus.presence();
    let pause = presence.age_max() / RENEWALS;
    let mut renewed_at: Option<Instant> = None;
    let mut was_here = true;
    while !stop.is_cancelled() {
        let load = load();
        if renewed_at.is_none_or(|at| at.elapsed() >= pause) || load != entry.load {
            entry.load = load;
            let renewed = tokio::select! {
                renewed = presence.renew(&entry) => renewed,
                () = stop.cancelled() => break,
            };
            report(&renewed, was_here, &entry.service_id, &health);
            was_here = renewed.is_ok();
            renewed_at = was_here.then(Instant::now);
        }
        stop.run_until_cancelled(sleep(LOOK_EVERY)).await;
    }
    if !matches!(timeout(GOODBYE, presence.leave(&entry.service_id)).await, Ok(Ok(()))) {
        tracing::info!(service_id = entry.service_id, "left without a goodbye");
    }
}

fn report(renewed: &Result<(), Fault>, was_here: bool, service_id: &str, health: &Health) {
    match renewed {
        Ok(()) if was_here => {}
        Ok(()) => health.report("nats", Ready::Yes),
        Err(fault) => {
            health.report("nats", Ready::No(fault.to_string()));
            if was_here {
                tracing::warn!(service_id, %fault, "cannot say that this service is here");
            }
        }
    }
}
