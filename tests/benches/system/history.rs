//! A history of many finished tasks, made in bounded time.
//!
//! Every event is decided by the domain and appended by the ledger under its guard, as any other, while no
//! processor runs: they take all of it in when they start.

use std::time::Instant;

use futures::{StreamExt as _, future::join_all, stream};
use kantoku_domain::{Id, Kind, Namespace, Partition, Specification, specification::Applied};
use kantoku_streams::{Bus, Ledger, Settings, now};
use ktk::dev::{Servers, ServersConfig};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    life::Life,
    manifests::PASS,
    stand::{CONNECT_MAX, Stand, ktk},
};

const CONTEXT_TASKS: usize = 100;
const WORKERS: usize = 4;
/// Contexts that one worker has under way.
const CONTEXTS_AT_ONCE: usize = 2;

/// The servers of a stand that is down.
pub(crate) async fn servers(stand: &Stand) -> Servers {
    let mut config = ServersConfig::new(&stand.dir).expect("a state directory");
    config.launcher = ktk();
    config.sync = stand.sync;
    Servers::start(&config).await.expect("the servers start")
}

/// Adds `tasks` finished tasks to the stand, which is down; how many seconds that took.
pub(crate) async fn make(stand: &Stand, tasks: usize) -> f64 {
    let servers = servers(stand).await;
    let url = servers.nats_url().expect("NATS");
    let bus = Bus::open(url, "bench", CONNECT_MAX, &Settings::default()).await.expect("opened");
    let id = Id::named(&Namespace::default(), Kind::Specification, PASS);
    let loaded = bus.ledger().load::<Specification>(&Namespace::default(), id).await;
    let applied = loaded.expect("loaded").state.latest().expect("a version").clone();
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (ledger, applied) = (bus.ledger().clone(), applied.clone());
        let contexts = (worker * CONTEXT_TASKS..tasks).step_by(WORKERS * CONTEXT_TASKS);
        workers.spawn(stream::iter(contexts).for_each_concurrent(CONTEXTS_AT_ONCE, move |from| {
            let count = CONTEXT_TASKS.min(tasks - from);
            live(ledger.clone(), applied.clone(), count)
        }));
    }
    while let Some(done) = workers.join_next().await {
        done.expect("no panic");
    }
    let seconds = begun.elapsed().as_secs_f64();
    servers.stop().await.expect("stopped");
    seconds
}

/// A context of `count` tasks that live at the same time.
async fn live(ledger: Ledger, applied: Applied, count: usize) {
    let uuid = Uuid::new_v4();
    let context_id = Id::from_uuid(uuid).in_partition(Partition::of(uuid.as_bytes()[15]));
    let tasks = (0..count).map(|number| Life::new(&applied, context_id, number));
    join_all(tasks.map(|life| one(ledger.clone(), life))).await;
}

async fn one(ledger: Ledger, mut life: Life) {
    while let Some(draft) = life.next(now()) {
        life.take(&ledger.append(draft).await.expect("appended"));
    }
}
