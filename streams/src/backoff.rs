//! Waiting between tries.

use std::time::Duration;

/// Full jitter: anything from nothing to `base` doubled `attempt` times, but never over `ceiling`.
/// Spreads callers that failed together, which a plain exponential backoff does not.
pub fn full_jitter(attempt: usize, base: Duration, ceiling: Duration) -> Duration {
    let doublings = u32::try_from(attempt.min(16)).unwrap_or(16);
    let longest = base.saturating_mul(1 << doublings).min(ceiling);
    longest.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_below_its_ceiling_whatever_the_attempt() {
        let (base, ceiling) = (Duration::from_millis(10), Duration::from_secs(1));
        for attempt in [0, 1, 7, 63, usize::MAX] {
            assert!(full_jitter(attempt, base, ceiling) <= ceiling);
        }
        assert!(full_jitter(0, base, ceiling) <= base);
    }
}
