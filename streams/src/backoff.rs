//! Waiting between tries.

use std::time::Duration;

/// Full jitter: anything from nothing to `base` doubled `attempt` times, but never over `ceiling`.
/// Spreads callers that failed together, which a plain exponential backoff does not.
pub fn full_jitter(attempt: usize, base: Duration, ceiling: Duration) -> Duration {
    let doublings = u32::try_from(attempt.min(16)).unwrap_or(16);
    let longest = base.saturating_mul(1 << doublings).min(ceiling);
    between(Duration::ZERO, longest)
}

/// The pace at which a server that is away is dialled: at most [`DIALS_MAX`](Self::DIALS_MAX) times
/// in a minute, never more than [`WAIT_MAX`](Self::WAIT_MAX) apart, and no two processes in step.
///
/// The first waits are drawn with full jitter from ceilings that grow, the very first included, so
/// that a fleet that lost its server at one moment is spread over all of the later period. The
/// others are drawn from a narrow range: with full jitter, twenty dials a minute could be up to six
/// seconds apart and more, and all that time a server that is back would not be noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redial {
    waits: usize,
}

impl Redial {
    /// How often a server is dialled at most within any sixty seconds.
    pub const DIALS_MAX: usize = 20;
    /// How long it is at most before a server that is back is dialled.
    pub const WAIT_MAX: Duration = Duration::from_secs(4);

    /// The ceilings of the first waits.
    const FIRST: [Duration; 3] =
        [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(4)];
    /// What the others are at least: with the first three at once, 17 more in a minute.
    const WAIT_MIN: Duration = Duration::from_millis(3_400);

    /// How long to wait before the dial that is the `n`th since the last success, from 0.
    pub fn wait_before(n: usize) -> Duration {
        match Self::FIRST.get(n) {
            Some(ceiling) => between(Duration::ZERO, *ceiling),
            None => between(Self::WAIT_MIN, Self::WAIT_MAX),
        }
    }

    /// How long to wait before the next dial.
    pub fn next_wait(&mut self) -> Duration {
        self.waits += 1;
        Self::wait_before(self.waits - 1)
    }
}

fn between(least: Duration, most: Duration) -> Duration {
    least + most.saturating_sub(least).mul_f64(rand::random::<f64>())
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

    /// When a process dials within two minutes.
    fn dials() -> Vec<Duration> {
        let (mut redial, mut at, mut dials) = (Redial::default(), Duration::ZERO, Vec::new());
        while at < Duration::from_secs(120) {
            let wait = redial.next_wait();
            assert!(wait <= Redial::WAIT_MAX);
            at += wait;
            dials.push(at);
        }
        dials
    }

    #[test]
    fn a_server_that_is_away_is_dialled_at_most_twenty_times_a_minute() {
        for _ in 0..2_000 {
            let dials = dials();
            for from in &dials {
                let minute = *from..*from + Duration::from_secs(60);
                let count = dials.iter().filter(|at| minute.contains(*at)).count();
                assert!(count <= Redial::DIALS_MAX, "{count} dials in a minute: {dials:?}");
            }
        }
    }

    /// Fifty processes that lose their server at one moment: in no tenth of a second do more of
    /// them dial than chance allows, once the first dials are over.
    #[test]
    fn a_fleet_does_not_dial_in_step() {
        const FLEET: usize = 50;
        for _ in 0..50 {
            let mut slots = [0_usize; 600];
            for at in (0..FLEET).flat_map(|_| dials()) {
                if let Some(slot) = slots.get_mut((at.as_millis() / 100) as usize) {
                    *slot += 1;
                }
            }
            // In step, there would be all of them every three or four seconds. 1.35 is the mean.
            let most = slots[20..].iter().max().copied().unwrap_or_default();
            assert!(most <= FLEET / 4, "{most} of {FLEET} within a tenth of a second");
        }
    }
}
