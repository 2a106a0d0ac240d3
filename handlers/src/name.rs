//! The handlers by name.

use std::{fmt, str::FromStr, time::Duration};

use crate::{Handler, LeaseKeeper, Scheduler, Timers, Unfolder};

/// A handler of a processor node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HandlerName {
    /// Announces tasks whose inputs are there, and skips those whose inputs never will be.
    Scheduler,
    /// Spawns what plans, finished and restarted tasks name; passes orders to stop on to all whom
    /// they reach; carries restarts of contexts out.
    Unfolder,
    /// Takes attempts away from executors that have fallen silent.
    LeaseKeeper,
    /// Ends attempts and tasks that outlast their timeouts.
    Timers,
}

impl HandlerName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scheduler, Self::Unfolder, Self::LeaseKeeper, Self::Timers];

    /// The name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Unfolder => "unfolder",
            Self::LeaseKeeper => "lease-keeper",
            Self::Timers => "timers",
        }
    }

    /// Whether only one of all nodes acts: limits are kept by whoever admits, and by nobody else.
    pub(crate) const fn is_led(self) -> bool {
        matches!(self, Self::Scheduler)
    }

    /// The handler, unless it is the lease keeper, which needs more than events.
    pub(crate) fn of_events(self, lease: Duration) -> Option<Box<dyn Handler>> {
        Some(match self {
            Self::Scheduler => Box::new(Scheduler::default()),
            Self::Unfolder => Box::new(Unfolder::default()),
            Self::Timers => Box::new(Timers::new(lease)),
            Self::LeaseKeeper => return None,
        })
    }

    pub(crate) fn keeper(self, lease: Duration) -> Option<LeaseKeeper> {
        (self == Self::LeaseKeeper).then(|| LeaseKeeper::new(lease))
    }
}

impl fmt::Display for HandlerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HandlerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|handler| handler.name() == text)
            .ok_or_else(|| format!("there is no handler {text:?}; the handlers are {}", known()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_or_explained() {
        for handler in HandlerName::ALL {
            assert_eq!(handler.name().parse(), Ok(handler));
        }
        let error = "sheduler".parse::<HandlerName>().expect_err("a typo");
        assert!(error.contains("scheduler, unfolder, lease-keeper, timers"), "{error}");
    }
}
