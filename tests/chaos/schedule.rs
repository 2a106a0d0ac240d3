//! Which faults, when and for how long, by a seed.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A process is killed with -9, and started again.
    Kill,
    /// A process is started again with a clock that is wrong.
    WrongClock,
    /// A process stands still.
    Freeze,
    /// The line of a process to NATS or Postgres is cut.
    Cut,
    /// It is slow.
    Slow,
    /// Nothing comes through, either way.
    Hold,
    /// What the server answers does not come through.
    HoldAnswers,
    /// NATS is killed with -9, and back at once.
    NatsKilled,
    /// NATS stays away for a while.
    NatsDown,
    /// NATS stands still.
    NatsFrozen,
    /// Postgres is killed with -9, and back at once.
    PostgresKilled,
    /// Postgres stays away for a while.
    PostgresDown,
    /// Postgres stands still.
    PostgresFrozen,
    /// A durable consumer is deleted.
    ConsumerDeleted,
    /// A durable consumer begins anew, and everything is delivered again.
    PositionLost,
    /// Garbage is published where events are.
    Poison,
    /// The stream is full.
    StreamFull,
}

/// A fault of the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// How long after the one before.
    pub(crate) pause: Duration,
    pub(crate) kind: Kind,
    /// How long it lasts.
    pub(crate) time: Duration,
    /// Whom it strikes, of those that there are.
    pub(crate) pick: usize,
}

/// Faults of processes and their lines, and of servers and streams; the two lists run side by side.
pub(crate) struct Schedule {
    pub(crate) processes: Vec<Fault>,
    pub(crate) servers: Vec<Fault>,
}

const OF_PROCESSES: [Kind; 10] = [
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::WrongClock,
    Kind::Freeze,
    Kind::Cut,
    Kind::Slow,
    Kind::Hold,
    Kind::HoldAnswers,
];
const OF_SERVERS: [Kind; 10] = [
    Kind::NatsKilled,
    Kind::NatsDown,
    Kind::NatsFrozen,
    Kind::PostgresKilled,
    Kind::PostgresDown,
    Kind::PostgresFrozen,
    Kind::ConsumerDeleted,
    Kind::PositionLost,
    Kind::Poison,
    Kind::StreamFull,
];
const FAULTS_MAX: usize = 10_000;

impl Schedule {
    /// A schedule for a run of `time`: more faults than fit into it. Outages last up to a tenth of
    /// it, and up to a minute.
    pub(crate) fn of(seed: u64, time: Duration) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let outage_max = (time / 10).clamp(Duration::from_secs(3), Duration::from_secs(60));
        Self {
            processes: deal(&mut random, &OF_PROCESSES, outage_max),
            servers: deal(&mut random, &OF_SERVERS, outage_max),
        }
    }
}

/// Every kind comes once before any comes again.
fn deal(random: &mut StdRng, kinds: &[Kind], outage_max: Duration) -> Vec<Fault> {
    let mut faults = Vec::new();
    while faults.len() < FAULTS_MAX {
        let mut round = kinds.to_vec();
        round.shuffle(random);
        for kind in round {
            faults.push(Fault {
                pause: Duration::from_millis(random.random_range(200..2_500)),
                kind,
                time: lasts(random, kind, outage_max),
                pick: random.random_range(0..1_000),
            });
        }
    }
    faults
}

fn lasts(random: &mut StdRng, kind: Kind, outage_max: Duration) -> Duration {
    let millis = outage_max.as_millis() as u64;
    let range = match kind {
        Kind::Kill | Kind::WrongClock => 0..1_000,
        Kind::NatsKilled | Kind::PostgresKilled => 0..500,
        Kind::NatsDown | Kind::PostgresDown => 1_000..millis,
        Kind::ConsumerDeleted | Kind::PositionLost | Kind::Poison => 0..1,
        Kind::Slow => 1_000..5_000,
        _ => 300..4_000.min(millis),
    };
    Duration::from_millis(random.random_range(range))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_one_schedule_in_which_everything_goes_wrong() {
        let time = Duration::from_secs(600);
        let told = |seed| {
            let Schedule { processes, servers } = Schedule::of(seed, time);
            format!("{processes:?} {servers:?}")
        };
        assert_eq!(told(7), told(7));
        assert_ne!(told(7), told(8));
        let Schedule { processes, servers } = Schedule::of(7, time);
        let first = processes.iter().take(OF_PROCESSES.len());
        let kinds: BTreeSet<Kind> =
            first.chain(servers.iter().take(OF_SERVERS.len())).map(|fault| fault.kind).collect();
        assert_eq!(kinds.len(), 17, "{kinds:?}");
        let longest = servers.iter().map(|fault| fault.time).max().expect("some");
        assert!((50..=60).contains(&longest.as_secs()), "{longest:?}");
    }
}
