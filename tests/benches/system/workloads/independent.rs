//! W1: 10,000 independent tasks in batches.

use std::time::{Instant, SystemTime};

use super::{
    finish, floor,
    lag::{Lag, Sampler},
    last_end, millis_since, spawn,
    submit::batches,
};
use crate::{
    measured::{Measured, Spending},
    stand::Up,
};

const TASKS: usize = 10_000;

/// From the first submit to the last `TaskFinished` in the log, by the clock of the machine that both
/// run on.
pub(super) async fn run(up: &Up) -> Measured {
    // One context for all, so that one wait tells that all are done.
    let context_id = spawn(&up.client, None).await.context_id;
    finish(&up.client, context_id).await;
    let requests = batches(up, Some(context_id), TASKS).await;
    let events = up.events().await;
    let before = events.get_info().await.expect("its state").state;
    let sampler = Sampler::start(up.client.clone());
    let spending = Spending::begin(up.pid);

    let (begun, clock) = (SystemTime::now(), Instant::now());
    let answers = requests.send().await;
    let submitted = clock.elapsed();
    let waited = finish(&up.client, context_id).await;
    let shown = SystemTime::now();

    let spent = spending.end();
    let samples = sampler.stop().await;
    assert_eq!(answers.accepted(), TASKS);
    assert_eq!(waited.context.tasks.ok as usize, TASKS + 1);
    let after = events.get_info().await.expect("its state").state;
    let (finished, _) = last_end(&events, after.last_sequence).await;
    let appends = after.last_sequence - before.last_sequence;
    let seconds = millis_since(begun, finished) / 1_000.0;
    let lag = Lag::of(&samples, &events).await;
    let floor = floor::seconds(up, appends).await;
    Measured::new(
        TASKS,
        seconds,
        "batches of 1,000, 4 at once; first submit → last TaskFinished in the log",
    )
    .spent(&spent)
    .with("submitted_seconds", submitted.as_secs_f64())
    .with("shown_seconds", millis_since(begun, shown) / 1_000.0)
    .with("shown_after_ms", millis_since(finished, shown))
    .with("lag_ms_max", lag.millis)
    .with("lag_events_max", lag.events as f64)
    .with("appends_each", appends as f64 / TASKS as f64)
    .with("append_bytes", (after.bytes - before.bytes) as f64 / appends as f64)
    .with("floor_seconds", floor)
    .with("floor_ratio", seconds / floor)
}
