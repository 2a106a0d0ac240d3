//! What can go wrong in an attempt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// For programs: `exit`, `timeout`, `script`, `type`, `http`, `start`, `lease`, `shutdown`,
    /// `result`, `secret`, `infrastructure`.
    pub kind: String,
    /// For people.
    pub message: String,
    /// Of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The end of what a process wrote to stderr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_tail: Option<String>,
    /// Whether another attempt may do better.
    pub retryable: bool,
}

impl Failure {
    /// The kinds that executors report; workers may have their own.
    pub const KINDS: [&str; 11] = [
        "exit",
        Self::TIMEOUT,
        "script",
        "type",
        "http",
        "start",
        Self::LEASE,
        Self::SHUTDOWN,
        "result",
        "secret",
        "infrastructure",
    ];
    /// The kind of an attempt whose executor fell silent.
    pub const LEASE: &str = "lease";
    /// The kind of an attempt whose executor was stopped.
    pub const SHUTDOWN: &str = "shutdown";
    /// The kind of what took too long.
    pub const TIMEOUT: &str = "timeout";

    /// Whether the attempt was lost with its executor, which says nothing about the task.
    pub fn is_loss(&self) -> bool {
        matches!(self.kind.as_str(), Self::LEASE | Self::SHUTDOWN)
    }

    /// A failure of `kind`, explained by `message`.
    pub fn new(kind: &str, message: impl Into<String>, retryable: bool) -> Self {
        let (kind, message) = (kind.to_owned(), message.into());
        Self { kind, message, exit_code: None, stderr_tail: None, retryable }
    }
}
