//! W8, during W1: how far the read model is behind the log.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::stream::Stream;
use kantoku_api::{
    Client,
    contract::{NoParams, ProjectionList},
};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::millis_since;

const EVERY: Duration = Duration::from_millis(25);

/// Where the read model and the log were at a moment.
pub(super) struct Sample {
    at: SystemTime,
    projected: u64,
    head: u64,
}

/// Looks again and again, from its start on.
pub(super) struct Sampler {
    stop: CancellationToken,
    task: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    pub(super) fn start(client: Client) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(look(client, stop.clone())), stop }
    }

    pub(super) async fn stop(self) -> Vec<Sample> {
        self.stop.cancel();
        self.task.await.expect("no panic")
    }
}

async fn look(client: Client, stop: CancellationToken) -> Vec<Sample> {
    let mut samples = Vec::new();
    while !stop.is_cancelled() {
        let at = SystemTime::now();
        let found = client.call::<ProjectionList>(&NoParams {}).await.expect("answered");
        let found = &found.items[0];
        samples.push(Sample { at, projected: found.stream_seq, head: found.head_seq });
        sleep(EVERY).await;
    }
    samples
}

/// The greatest lag.
#[derive(Default)]
pub(super) struct Lag {
    /// How old the oldest event was that was not shown yet.
    pub(super) millis: f64,
    /// How many were not shown.
    pub(super) events: u64,
}

impl Lag {
    pub(super) async fn of(samples: &[Sample], events: &Stream) -> Self {
        let mut lag = Self::default();
        for Sample { at, projected, head } in samples {
            if projected >= head {
                continue;
            }
            let first = events.get_raw_message(projected + 1).await.expect("a message");
            lag.millis = lag.millis.max(millis_since(first.time.into(), *at));
            lag.events = lag.events.max(head - projected);
        }
        lag
    }
}
