//! The parts of a running Kantoku, which may run together or apart.

use std::{collections::BTreeSet, fmt, str::FromStr};

use kantoku_streams::NatsRole;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// Announces tasks whose dependencies hold.
    Scheduler,
    /// Creates the tasks that plans and tasks name.
    Unfolder,
    /// Ends attempts whose executor has gone.
    LeaseKeeper,
    /// Lets retries, timeouts and so on happen when they are due.
    Timers,
    /// Claims and runs attempts.
    Executor,
    /// Keeps the read models.
    Projector,
    /// Chains the events, so that it shows when one was changed.
    Sealer,
    /// Answers clients.
    Api,
}

impl Part {
    pub(crate) const ALL: [Self; 8] = [
        Self::Scheduler,
        Self::Unfolder,
        Self::LeaseKeeper,
        Self::Timers,
        Self::Executor,
        Self::Projector,
        Self::Sealer,
        Self::Api,
    ];

    /// The name in `--only`, in presence and in readiness.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Unfolder => "unfolder",
            Self::LeaseKeeper => "lease-keeper",
            Self::Timers => "timers",
            Self::Executor => "executor",
            Self::Projector => "projector",
            Self::Sealer => "sealer",
            Self::Api => "api",
        }
    }

    /// The service that it is done by.
    pub(crate) const fn service(self) -> Service {
        match self {
            Self::Scheduler | Self::Unfolder | Self::LeaseKeeper | Self::Timers => Service::Node,
            Self::Executor => Service::Executor,
            Self::Projector => Service::Projector,
            Self::Sealer => Service::Sealer,
            Self::Api => Service::Api,
        }
    }

    /// The user of NATS that is enough for a process that runs all of `parts`.
    pub(crate) fn nats_role(parts: &BTreeSet<Self>) -> NatsRole {
        let roles: BTreeSet<_> = parts.iter().map(|part| part.service().nats_role()).collect();
        match (roles.first(), roles.len()) {
            (Some(role), 1) => *role,
            _ => NatsRole::Server,
        }
    }

    /// Whether it needs Postgres.
    pub(crate) const fn needs_database(self) -> bool {
        matches!(self, Self::Projector | Self::Api)
    }

    /// What happens while nobody does it.
    pub(crate) const fn without_it(self) -> &'static str {
        match self {
            Self::Scheduler => "what waits is not announced",
            Self::Unfolder => "the tasks of plans and the children of tasks are not created",
            Self::LeaseKeeper => "attempts of executors that died are not tried again",
            Self::Timers => "retries and timeouts do not happen",
            Self::Executor => "what is ready stays ready",
            Self::Projector => "what one sees is not kept up to date",
            Self::Sealer => "nobody could tell if what happened was changed afterwards",
            Self::Api => "clients reach nobody",
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|part| part.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there are {names}")
        })
    }
}

/// Parts that share an id, a presence and a reader of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Service {
    /// Handlers, for which the stream is read once.
    Node,
    Executor,
    Projector,
    Sealer,
    Api,
}

impl Service {
    /// The kind in presence, in readiness, and what its id begins with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Executor => "executor",
            Self::Projector => "projector",
            Self::Sealer => "sealer",
            Self::Api => "api",
        }
    }

    const fn nats_role(self) -> NatsRole {
        match self {
            Self::Node | Self::Projector | Self::Sealer => NatsRole::Processor,
            Self::Executor => NatsRole::Executor,
            Self::Api => NatsRole::Api,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_several_kinds_needs_a_user_who_may_do_everything() {
        let role = |parts: &[Part]| Part::nats_role(&parts.iter().copied().collect());
        assert_eq!(role(&[Part::Executor]), NatsRole::Executor);
        assert_eq!(role(&[Part::Scheduler, Part::Projector, Part::Sealer]), NatsRole::Processor);
        assert_eq!(role(&[Part::Api, Part::Projector]), NatsRole::Server);
        assert_eq!(role(&Part::ALL), NatsRole::Server);
    }

    #[test]
    fn parts_are_named_as_they_are_shown() {
        for part in Part::ALL {
            assert_eq!(part.name().parse(), Ok(part));
        }
        assert!("sheduler".parse::<Part>().unwrap_err().contains("scheduler, unfolder"));
    }
}
