//! The wall clock.

use std::time::SystemTime;

use kantoku_domain::Timestamp;

use crate::defect;

/// The time, as this process believes it to be.
pub fn now() -> Timestamp {
    let micros = match SystemTime::UNIX_EPOCH.elapsed() {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    };
    Timestamp::from_micros(micros.saturating_add(defect::clock_offset_us()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_on_from_this_century() {
        let (first, second) = (now(), now());
        assert!(first <= second && second.since(first) < Duration::from_secs(60));
        assert!(first > Timestamp::from_micros(1_750_000_000_000_000));
    }
}
