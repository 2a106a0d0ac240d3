//! Pipelines in which each task follows another: W2, a chain of 100 that do nothing.

use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime},
};

use kantoku_api::contract::{EventExport, ExportParams, PipelineRun, Run, RunParams};
use kantoku_domain::Event;

use super::{finish, last_end, millis_since};
use crate::{
    manifests::{CHAIN, CHAIN_LENGTH},
    measured::{Measured, Spending},
    stand::Up,
};

pub(super) async fn run(up: &Up) -> Measured {
    let note = "p50 and p99 are of one hop, from the end of a task to the end of the next, by the times of \
                events; seconds are those of the client, until the read model shows the end";
    pipeline(up, CHAIN, CHAIN_LENGTH, note).await
}

/// Runs pipeline `name` of `n` tasks to its end.
pub(super) async fn pipeline(up: &Up, name: &str, n: usize, note: &'static str) -> Measured {
    let (run, ran) = started(up, name, n, note).await;
    let ends = ends(up, &run).await;
    assert_eq!(ends.len(), n);
    let hops: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1_000.0).collect();
    let first_to_last = hops.iter().sum::<f64>();
    ran.with("hop_ms", first_to_last / hops.len() as f64).percentiles(hops)
}

/// Runs a pipeline as a client would, until it has ended.
pub(super) async fn started(up: &Up, name: &str, n: usize, note: &'static str) -> (Run, Measured) {
    let params = RunParams {
        name: name.parse().expect("a name"),
        params: BTreeMap::new(),
        labels: BTreeMap::new(),
        idempotency_key: None,
        namespace: None,
    };
    let spending = Spending::begin(up.pid);
    let (begun, clock) = (SystemTime::now(), Instant::now());
    let run = up.client.call::<PipelineRun>(&params).await.expect("started");
    finish(&up.client, run.context_id).await;
    let seconds = clock.elapsed().as_secs_f64();
    let spent = spending.end();
    let events = up.events().await;
    let (finished, _) = last_end(&events, events.cached_info().state.last_sequence).await;
    let measured = Measured::new(n, seconds, note)
        .spent(&spent)
        .with("log_seconds", millis_since(begun, finished) / 1_000.0);
    (run, measured)
}

/// When each task of a run finished, in microseconds, in order.
async fn ends(up: &Up, run: &Run) -> Vec<i64> {
    let mut ends = Vec::new();
    let mut next = Some(run.stream_seq);
    while let Some(from_seq) = next {
        let params =
            ExportParams { from_seq, context_id: Some(run.context_id), ..ExportParams::default() };
        let part = up.client.call::<EventExport>(&params).await.expect("exported");
        let events = part.events.iter().map(|line| line.read().expect("an event"));
        let finished = events.filter(|e| matches!(e.event, Event::TaskFinished(_)));
        ends.extend(finished.map(|recorded| recorded.metadata.at.micros()));
        next = part.next_seq;
    }
    ends.sort_unstable();
    ends
}
