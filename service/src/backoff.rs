//! Waiting for what is missing, without a storm of attempts or of log lines.

use std::{fmt::Display, time::Duration};

use kantoku_streams::{Redial, full_jitter, warn_missing};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Full jitter: each wait is drawn evenly from nothing to a ceiling that doubles up to a limit.
/// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
    ceiling_max: Duration,
}

impl Backoff {
    /// The first ceiling, and the last.
    pub const fn new(ceiling: Duration, ceiling_max: Duration) -> Self {
        Self { ceiling, ceiling_max }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let wait = full_jitter(0, self.ceiling, self.ceiling_max);
        self.ceiling = (self.ceiling * 2).min(self.ceiling_max);
        wait
    }
}

impl Default for Backoff {
    /// 100 ms up to 5 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}

/// Tries until it works or `shutdown` is cancelled (`None`): at the pace of [`Redial`], and with one
/// log line per ten seconds that names the missing `component`.
pub async fn wait_for<T, E: Display>(
    component: &'static str,
    shutdown: &CancellationToken,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Option<T> {
    let mut redial = Redial::default();
    loop {
        // The very first try waits as well: a fleet that starts at once does not arrive at once.
        tokio::select! {
            () = sleep(redial.next_wait()) => {}
            () = shutdown.cancelled() => return None,
        }
        let result = tokio::select! {
            result = attempt() => result,
            () = shutdown.cancelled() => return None,
        };
        match result {
            Ok(found) => return Some(found),
            Err(error) => warn_missing(component, "begin", &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_ceiling_that_stops_growing() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400));
        for ceiling in [100, 200, 400, 400, 400] {
            assert!(backoff.next_wait() <= Duration::from_millis(ceiling));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_waited_for() {
        let mut failures = 20;
        let found = wait_for("test", &CancellationToken::new(), async || {
            failures -= 1;
            if failures == 0 { Ok(7) } else { Err("not yet") }
        })
        .await;
        assert_eq!(found, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_wait() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let found = wait_for("test", &shutdown, async || Err::<(), _>("never")).await;
        assert_eq!(found, None);
    }
}
