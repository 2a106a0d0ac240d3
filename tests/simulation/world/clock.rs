//! Time that goes on when the world says so. What people call the time may jump.

use std::time::Duration;

use kantoku_domain::Timestamp;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    elapsed: i64,
    skew: i64,
    /// How often the wall clock has jumped.
    pub(crate) jumps: u32,
}

/// In November 2023, with room for jumps to either side.
const START: i64 = 1_700_000_000_000_000;

impl Clock {
    pub(crate) fn new() -> Self {
        Self { elapsed: 0, skew: 0, jumps: 0 }
    }

    /// The time by the wall clock.
    pub(crate) fn wall(&self) -> Timestamp {
        Timestamp::from_micros(START + self.elapsed + self.skew)
    }

    /// Time that does not jump.
    pub(crate) fn monotone(&self) -> Timestamp {
        Timestamp::from_micros(START + self.elapsed)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.elapsed += i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    }

    /// The wall clock is set.
    pub(crate) fn jump(&mut self, micros: i64) {
        self.skew += micros;
        self.jumps += 1;
    }
}
