//! The failures of attempts: each kind is made in one place.

use std::{fmt::Display, time::Duration};

use kantoku_domain::{Problem, TypeError, task::Failure};

/// NATS, the disk or the machine was to blame.
pub(crate) fn infrastructure(fault: impl Display) -> Failure {
    Failure::new("infrastructure", fault.to_string(), true)
}

/// What is stored is not what it should be: no further attempt will mend that.
pub(crate) fn broken(fault: impl Display) -> Failure {
    Failure { retryable: false, ..infrastructure(fault) }
}

/// It cannot be started, and no further attempt will mend that.
pub(crate) fn start(message: impl Into<String>) -> Failure {
    Failure::new("start", message, false)
}

/// What it said is no result, and no further attempt will mend that.
pub(crate) fn result(message: impl Into<String>) -> Failure {
    Failure::new("result", message, false)
}

/// A child that was asked for cannot be spawned.
pub(crate) fn child(key: &str, problems: &[Problem]) -> Failure {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    result(format!("child {key:?}: {}", problems.join("; ")))
}

/// A value is not of its type. `what` is `input` or `output`.
pub(crate) fn wrong_type(what: &str, name: &str, error: &TypeError) -> Failure {
    Failure::new("type", format!("{what} {name:?} {error}"), false)
}

/// It took longer than an attempt may.
pub(crate) fn timed_out(limit: Duration) -> Failure {
    Failure::new("timeout", format!("the attempt took longer than {limit:?}"), true)
}

/// The executor had to go before it ended.
pub(crate) fn shut_down() -> Failure {
    Failure::new(Failure::SHUTDOWN, "the executor was stopped before the attempt ended", true)
}

/// It was told to stop. Whoever told it knows why, and says so instead.
pub(crate) fn stopped() -> Failure {
    Failure::new("stopped", "the attempt was told to stop", true)
}
