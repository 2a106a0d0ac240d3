//! Sees to it that every operation that runs is carried out by one server: this one, if no other has
//! been heard of for the time of a lease. Each goes by its own clock, and by whether the lease was
//! renewed meanwhile.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kantoku_domain::Id;
use kantoku_streams::{Fault, OperationLease, Operations, warn_missing};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, timeout},
};

use super::{
    Api, Bulks,
    record::Record,
    run::{Ran, run},
};

/// How often it is looked for operations that nobody carries out.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Leases are renewed this often within their time.
const RENEWALS: u32 = 4;

/// Leases that others hold: the revision, and since when it is that.
type Seen = HashMap<Id, (u64, Instant)>;

/// Carries out operations until the server stops.
pub(in crate::server) async fn keep(api: Arc<Api>) {
    let mut seen = Seen::new();
    let look_every = LOOK_EVERY.min(api.bulks.lease / RENEWALS);
    loop {
        if let Err(fault) = look(&api, &mut seen).await {
            warn_missing("nats", "look for operations", &fault);
        }
        let rung = async { timeout(look_every, api.bulks.started.notified()).await.ok() };
        if api.stop.run_until_cancelled(rung).await.is_none() {
            return;
        }
    }
}

async fn look(api: &Arc<Api>, seen: &mut Seen) -> Result<(), Fault> {
    let bulks = &api.bulks;
    let leases = bulks.kept.leases().await?;
    let now = Instant::now();
    seen.retain(|id, _| leases.iter().any(|lease| lease.value.id == *id));
    for lease in leases {
        let (id, revision) = (lease.value.id, lease.revision);
        if bulks.running().contains(&id) {
            continue;
        }
        let known = seen.entry(id).or_insert((revision, now));
        if known.0 != revision {
            *known = (revision, now);
        }
        let is_silent = now.duration_since(known.1) >= bulks.lease;
        if lease.value.holder.is_some() && !is_silent {
            continue;
        }
        let Ok(permit) = Arc::clone(&bulks.room).try_acquire_owned() else { return Ok(()) };
        if let Some(revision) = bulks.kept.lease(&bulks.ours(id), revision).await? {
            bulks.running().insert(id);
            api.tasks.spawn(carry_out(Arc::clone(api), id, revision, permit));
        }
    }
    Ok(())
}

impl Bulks {
    fn ours(&self, id: Id) -> OperationLease {
        OperationLease { id, holder: Some(self.holder.clone()) }
    }

    /// Lets go of an operation that has ended, and forgets the oldest if there are many.
    async fn end(&self, id: Id) -> Result<(), Fault> {
        self.kept.close(id).await?;
        let mut ended = self.kept.list::<Record>().await?;
        ended.retain(Record::has_ended);
        ended.sort_by_key(|it| it.operation.finished_at);
        for oldest in ended.iter().take(ended.len().saturating_sub(Operations::KEPT_MAX)) {
            self.kept.remove(oldest.operation.id).await?;
        }
        Ok(())
    }

    /// Renews the lease until it is lost, or cannot be renewed in its time.
    async fn hold(&self, id: Id, revision: &mut u64) {
        let mut renewed = Instant::now();
        loop {
            sleep(self.lease / RENEWALS).await;
            match self.kept.lease(&self.ours(id), *revision).await {
                Ok(Some(next)) => (*revision, renewed) = (next, Instant::now()),
                Ok(None) => return,
                Err(fault) if renewed.elapsed() >= self.lease => {
                    warn_missing("nats", "hold on to an operation", &fault);
                    return;
                }
                Err(_) => {}
            }
        }
    }
}

/// What another takes over is done again by it, and then is found done.
async fn carry_out(api: Arc<Api>, id: Id, mut revision: u64, permit: OwnedSemaphorePermit) {
    let bulks = &api.bulks;
    let ran = tokio::select! {
        ran = run(&api, id) => Some(ran),
        () = bulks.hold(id, &mut revision) => Some(Ran::Lost),
        () = api.stop.cancelled() => None,
    };
    let done = match ran {
        Some(Ran::Ended) => bulks.end(id).await,
        Some(Ran::Lost) => Ok(()),
        // Another need not wait until the lease is over.
        None => bulks.kept.lease(&OperationLease { id, holder: None }, revision).await.map(drop),
    };
    if let Err(fault) = done {
        // Whoever looks next, after the time of the lease, finds what is left to be done.
        warn_missing("nats", "let go of an operation", &fault);
    }
    bulks.running().remove(&id);
    drop(permit);
}
