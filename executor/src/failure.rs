//! The failures of attempts: each kind is made in one place.

use std::fmt::Display;

use kantoku_domain::{Millis, Problem, TypeError, task::Failure};

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

/// A script failed.
pub(crate) fn script(message: impl Into<String>, retryable: bool) -> Failure {
    Failure::new("script", message, retryable)
}

/// A process ended with an error, or by a signal.
pub(crate) fn exit(message: impl Into<String>, code: Option<i32>) -> Failure {
    Failure { exit_code: code, ..Failure::new("exit", message, true) }
}

/// An HTTP server did not do what it was asked to.
pub(crate) fn http(message: impl Into<String>, retryable: bool) -> Failure {
    Failure::new("http", message, retryable)
}

/// What it said is no result, and no further attempt will mend that.
pub(crate) fn result(message: impl Into<String>) -> Failure {
    Failure::new("result", message, false)
}

/// What it said holds the value of a secret.
pub(crate) fn told(place: &str, label: &str) -> Failure {
    result(format!(
        "{place} holds the value of {label}, or a form of it, and would be stored: give the input \
         itself to whoever needs it"
    ))
}

/// A secret that it needs cannot be had now.
pub(crate) fn secret(message: impl Display) -> Failure {
    Failure::new("secret", message.to_string(), true)
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
pub(crate) fn timed_out(limit: Millis) -> Failure {
    let message = format!("the attempt took longer than {limit} (timeouts.attempt)");
    Failure::new(Failure::TIMEOUT, message, true)
}

/// The executor had to go before it ended.
pub(crate) fn shut_down() -> Failure {
    Failure::new(Failure::SHUTDOWN, "the executor was stopped before the attempt ended", true)
}

/// It was told to stop. Whoever told it knows why, and says so instead: it is never reported.
pub(crate) fn stopped() -> Failure {
    Failure::new("stopped", "the attempt was told to stop", true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reported_is_of_a_known_kind() {
        let type_error = kantoku_domain::Type::Number.check(&"x".into()).expect_err("a text");
        let reported = [
            infrastructure(""),
            broken(""),
            start(""),
            script("", true),
            exit("", None),
            http("", true),
            result(""),
            told("", ""),
            secret(""),
            child("key", &[]),
            wrong_type("input", "x", &type_error),
            timed_out(Millis(1)),
            shut_down(),
        ];
        for failure in reported {
            assert!(Failure::KINDS.contains(&failure.kind.as_str()), "{}", failure.kind);
        }
    }
}
