//! Faults on the way of an attempt that is running: they are waited out, not charged to the task.

use std::time::{Duration, Instant};

use kantoku_domain::task::Failure;
use kantoku_service::Backoff;
use kantoku_streams::{Fault, warn_missing};

use crate::failure;

/// How long a fault may last before it fails the attempt.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `work` gives: tried again after a fault that may pass, for a minute.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, Fault>>>(
    mut work: impl FnMut() -> F,
) -> Result<T, Failure> {
    let mut backoff = Backoff::default();
    let start = Instant::now();
    loop {
        match work().await {
            Ok(value) => return Ok(value),
            Err(fault) if fault.is_final() => return Err(failure::broken(fault)),
            Err(fault) if start.elapsed() > PATIENCE => return Err(failure::infrastructure(fault)),
            Err(fault) => {
                warn_missing("nats", "go on with an attempt", &fault);
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}
