//! How often and how patiently a task is tried.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Id, Millis, Problem, task::Failure};

/// When a failed attempt is followed by another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. 1 to 1,000.
    #[serde(default = "one")]
    pub attempts: u32,
    /// The wait before the second attempt.
    #[serde(default = "one_second")]
    pub backoff: Millis,
    /// What each further wait is multiplied by.
    #[serde(default = "two")]
    pub factor: f64,
    /// No wait is longer than this.
    #[serde(default = "five_minutes")]
    pub backoff_max: Millis,
    /// How many attempts may be lost with the executor that had them: killed, cut off, or stopped.
    /// Those are not the task's fault and do not count among `attempts`; a task that takes its
    /// executors along has to end all the same. 0: what may have been begun is never begun again.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub losses_max: u32,
    /// The kinds of failures after which it is tried again, whatever the executor thinks; none:
    /// those of which the executor says that another attempt may do better.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// The kinds of failures after which it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<String>,
}

fn one() -> u32 {
    1
}
fn one_second() -> Millis {
    Millis(1_000)
}
fn two() -> f64 {
    2.0
}
fn five_minutes() -> Millis {
    Millis(300_000)
}
fn ten() -> u32 {
    10
}
// As serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_ten(number: &u32) -> bool {
    *number == ten()
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: one(),
            backoff: one_second(),
            factor: two(),
            backoff_max: five_minutes(),
            losses_max: ten(),
            on: Vec::new(),
            not_on: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// How many attempts a policy may allow.
    pub const ATTEMPTS_MAX: u32 = 1_000;

    /// Whether another attempt follows such a failure, as far as its kind goes. Attempts that were
    /// lost with their executor are no failures of the task, and are not asked about.
    pub fn retries(&self, failure: &Failure) -> bool {
        let is_in = |kinds: &[String]| kinds.contains(&failure.kind);
        let wanted = if self.on.is_empty() { failure.retryable } else { is_in(&self.on) };
        wanted && !is_in(&self.not_on)
    }

    /// Every problem of the policy. Paths start with `path`.
    pub fn problems(&self, path: &[&str]) -> Vec<Problem> {
        let at = |key: &str, message: String| Problem::new(&[path, &[key]].concat(), message);
        let mut problems = Vec::new();
        if self.attempts == 0 || self.attempts > Self::ATTEMPTS_MAX {
            let (found, max) = (self.attempts, Self::ATTEMPTS_MAX);
            problems.push(at("attempts", format!("a task is tried 1 to {max} times, not {found}")));
        }
        if !(1.0..=100.0).contains(&self.factor) {
            problems.push(at("factor", format!("{} is not 1 to 100", self.factor)));
        }
        for (key, kinds) in [("on", &self.on), ("not_on", &self.not_on)] {
            let is_kind = |kind: &str| {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                (1..=64).contains(&kind.len()) && kind.chars().all(plain)
            };
            for kind in kinds.iter().filter(|kind| !is_kind(kind)) {
                let problem = at(key, format!("{kind:?} is no kind of failure"));
                let known =
                    format!("the kinds are {}, or a worker's own", Failure::KINDS.join(", "));
                problems.push(problem.suggest(Some(known)));
            }
        }
        for kind in self.on.iter().filter(|kind| self.not_on.contains(kind)) {
            problems.push(at("not_on", format!("{kind:?} stands in on, too")));
        }
        problems
    }

    /// The wait after `attempt` (1 is the first) failed: exponential with equal jitter, half
    /// fixed, half spread by `seed` (the deciding event's id, so that a replay gives the same).
    /// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    pub fn wait(&self, attempt: u32, seed: Id) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let ceiling = (self.backoff.0 as f64 * self.factor.max(1.0).powi(exponent))
            .min(self.backoff_max.0 as f64);
        let bytes = seed.uuid().into_bytes();
        let spread = f64::from(u16::from_be_bytes([bytes[0], bytes[1]])) / f64::from(u16::MAX);
        Duration::from_secs_f64(ceiling * (0.5 + spread / 2.0) / 1_000.0)
    }
}

/// How long things may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// From the announcement of an attempt to its claim. When it is up, the task fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Millis>,
    /// One attempt, from claim to result. When it is up, the attempt fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Millis>,
    /// All of it, from the time when the task was spawned or revived to its end. When it is up, the
    /// task fails, and what runs is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Millis>,
    /// From the order to stop (SIGTERM) to the end of all patience (SIGKILL); unless given,
    /// [`Timeouts::GRACE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Millis>,
}

impl Timeouts {
    /// How long a process may take to go, unless it is said.
    pub const GRACE: Millis = Millis(10_000);

    /// Every problem of the timeouts. Paths start with `path`.
    pub fn problems(&self, path: &[&str]) -> Vec<Problem> {
        let limits = [("queue", self.queue), ("attempt", self.attempt), ("total", self.total)];
        let is_zero = |limit: &Option<Millis>| limit.is_some_and(|limit| limit.0 == 0);
        let zero = limits.into_iter().filter(|(_, limit)| is_zero(limit));
        zero.map(|(key, _)| {
            Problem::new(&[path, &[key]].concat(), "nothing is done within no time")
                .suggest(Some(format!("write {key}: 1h, or leave it out")))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_failures_decide_over_further_attempts() {
        let policy = |on: &[&str], not_on: &[&str]| RetryPolicy {
            on: on.iter().map(ToString::to_string).collect(),
            not_on: not_on.iter().map(ToString::to_string).collect(),
            ..RetryPolicy::default()
        };
        let failed = |kind: &str, retryable| Failure::new(kind, "", retryable);
        for (on, not_on, kind, retryable, expected) in [
            (&[][..], &[][..], "exit", true, true),
            (&[], &[], "type", false, false),
            (&["exit"], &[], "exit", false, true),
            (&["exit"], &[], "http", true, false),
            (&[], &["exit"], "exit", true, false),
            (&[], &["exit"], "http", true, true),
        ] {
            let decided = policy(on, not_on).retries(&failed(kind, retryable));
            assert_eq!(decided, expected, "on {on:?} not on {not_on:?}: {kind}");
        }
    }

    #[test]
    fn policies_and_timeouts_that_make_no_sense_are_told() {
        let policy = RetryPolicy {
            attempts: 0,
            factor: f64::NAN,
            on: vec!["exit".into(), "not a kind".into()],
            not_on: vec!["exit".into()],
            ..RetryPolicy::default()
        };
        let timeouts = Timeouts { total: Some(Millis(0)), ..Timeouts::default() };
        let told: Vec<_> = policy.problems(&["retry"]).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0], "retry.attempts: a task is tried 1 to 1000 times, not 0");
        assert!(
            told[2].starts_with("retry.on: \"not a kind\" is no kind of failure; the kinds are")
        );
        assert_eq!(
            timeouts.problems(&["timeouts"])[0].to_string(),
            "timeouts.total: nothing is done within no time; write total: 1h, or leave it out"
        );
        assert_eq!(RetryPolicy::default().problems(&[]), []);
        assert_eq!(Timeouts::default().problems(&[]), []);
    }

    #[test]
    fn waits_grow_up_to_the_limit() {
        let policy = RetryPolicy { attempts: 9, backoff_max: Millis(5_000), ..Default::default() };
        let seed = Id::default();
        assert_eq!(policy.wait(1, seed), Duration::from_millis(500));
        assert_eq!(policy.wait(2, seed), Duration::from_secs(1));
        assert_eq!(policy.wait(900, seed), Duration::from_millis(2_500));
    }
}
