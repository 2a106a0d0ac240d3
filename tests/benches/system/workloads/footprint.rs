//! W6: what a stand takes that does nothing, and how long it takes to start.

use std::time::Duration;

use tokio::time::sleep;

use super::singles;
use crate::{manifests, measured::Measured, proc::memory_mb, stand::Up};

/// As the peers are given.
const IDLE: Duration = Duration::from_secs(5);

/// A start, measured until it takes work, and the memory a while later.
pub(crate) async fn started(up: &Up) -> Measured {
    let note = "ktk dev up in an empty directory → manifests accepted; memory is that of all processes, idle \
                for 5 s before the first task";
    let measured = start_of(up, note, async || manifests::apply(&up.client).await).await;
    sleep(IDLE).await;
    match memory_mb(up.pid) {
        Some(memory) => measured.with("pss_mb", memory),
        None => measured,
    }
}

/// The start of a stand, until `work` is done.
pub(crate) async fn start_of(up: &Up, note: &'static str, work: impl AsyncFnOnce()) -> Measured {
    let up_seconds = up.begun.elapsed().as_secs_f64();
    work().await;
    let seconds = up.begun.elapsed().as_secs_f64();
    Measured::new(1, seconds, note).with("up_seconds", up_seconds)
}

/// Until a task has a result.
pub(crate) async fn again(up: &Up, note: &'static str) -> Measured {
    start_of(up, note, async || singles::one(&up.client).await).await
}
