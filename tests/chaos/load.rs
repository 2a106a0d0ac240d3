//! Clients that ask for all sorts of things, by a seed.

mod manifests;
mod wishes;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

pub(crate) use self::manifests::manifests;
use self::wishes::Client;
use crate::client::{Calls, Told};

/// A pace that two cores can follow.
const PAUSE_MAX_MS: u64 = 160;

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) seed: u64,
    pub(crate) clients: u64,
}

/// Clients at work.
pub(crate) struct Clients {
    is_over: Arc<AtomicBool>,
    tasks: JoinSet<Told>,
}

impl Load {
    /// Starts the clients, on the API at `port`; their logs go to `dir`.
    pub(crate) fn start(self, port: u16, dir: &Path) -> Clients {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..self.clients {
            let mut random = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000) + number);
            let calls = Calls::new(port, dir, format!("client-{number}"), self.seed);
            let mut client = Client::new(calls, random.random());
            let is_over = Arc::clone(&is_over);
            tasks.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    client.wish().await;
                    sleep(Duration::from_millis(random.random_range(0..PAUSE_MAX_MS))).await;
                }
                client.settle().await
            });
        }
        Clients { is_over, tasks }
    }
}

impl Clients {
    /// Lets them end what they have begun; in all, what they were told.
    pub(crate) async fn stop(mut self) -> Told {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        while let Some(told) = self.tasks.join_next().await {
            let told = told.expect("no client panics");
            all.ok += told.ok;
            all.unknown += told.unknown;
            all.failed += told.failed;
            all.read += told.read;
        }
        all
    }
}
