//! The one place where refusals and faults become codes.

use std::fmt;

use kantoku_domain::{Id, Problem, Reason, Rejection};
use kantoku_projections::Error as ReadError;
use kantoku_streams::{
    BlobError, ExecuteError, Fault,
    defect::{self, Defect},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::contract::DocumentProblem;

/// What kind of error it is, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The rules refuse it.
    Rejected = 1000,
    /// Others were faster, each time.
    Conflict = 1001,
    /// There is no such thing.
    NotFound = 1002,
    /// A value or a definition is not what it should be.
    Invalid = 1003,
    /// It is not known who asks.
    Unauthenticated = 1004,
    /// Who asks may not.
    Forbidden = 1005,
    /// Too much, too many, too often.
    Limit = 1006,
    /// Something that is needed is away.
    Unavailable = 1007,
    /// It may have been done.
    UnknownOutcome = 1008,
    /// The read model did not get to `min_seq` in time.
    PositionNotReached = 1009,
    /// It has been archived.
    Archived = 1010,
    /// The message is no JSON (JSON-RPC).
    Parse = -32700,
    /// The message is JSON, but no request (JSON-RPC).
    InvalidRequest = -32600,
    /// There is no such method (JSON-RPC).
    MethodNotFound = -32601,
    /// A parameter is missing, unknown or of another type (JSON-RPC).
    InvalidParams = -32602,
    /// A mistake of ours (JSON-RPC).
    Internal = -32603,
}

impl Code {
    const ALL: [Self; 16] = [
        Self::Rejected,
        Self::Conflict,
        Self::NotFound,
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Limit,
        Self::Unavailable,
        Self::UnknownOutcome,
        Self::PositionNotReached,
        Self::Archived,
        Self::Parse,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::Internal,
    ];

    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The code of a number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The codes of the application, those of JSON-RPC aside.
    pub(crate) fn of_application() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|code| code.number() > 0)
    }

    /// What it means, for people.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Rejected => "The rules refuse it, as things are.",
            Self::Conflict => "Others were faster, each time.",
            Self::NotFound => "There is no such thing.",
            Self::Invalid => "A value or a definition is not what it should be.",
            Self::Unauthenticated => "It is not known who asks.",
            Self::Forbidden => "Who asks may not.",
            Self::Limit => "Too much, too many, or too often.",
            Self::Unavailable => "Something that is needed is away.",
            Self::UnknownOutcome => "It may have been done.",
            Self::PositionNotReached => "The read model did not get to min_seq in time.",
            Self::Archived => "It has been archived.",
            Self::Parse => "The message is no JSON.",
            Self::InvalidRequest => "The message is JSON, but no request.",
            Self::MethodNotFound => "There is no such method.",
            Self::InvalidParams => "A parameter is missing, unknown or of another type.",
            Self::Internal => "A mistake of the server.",
        }
    }

    /// The reason unless a better one is known.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
            Self::UnknownOutcome => "unknown_outcome",
            Self::PositionNotReached => "position_not_reached",
            Self::Archived => "archived",
            Self::Parse => "parse_error",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::Internal => "internal",
        }
    }

    pub(crate) const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::Limit
                | Self::Unavailable
                | Self::UnknownOutcome
                | Self::PositionNotReached
        )
    }
}

/// What was sent may be long, and errors tell of it.
const MESSAGE_BYTES_MAX: usize = 2_000;
const FIELD_BYTES_MAX: usize = 300;

/// `text`, or its beginning.
fn brief(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let is_end = |at: &usize| text.is_char_boundary(*at);
        text.truncate((0..=bytes_max).rev().find(is_end).unwrap_or_default());
        text.push('…');
    }
    text
}

/// The `data` of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// For programs, finer than the code.
    pub reason: String,
    /// Whether the same call may do better later.
    pub retryable: bool,
    /// The part of the call that is to blame, e.g. `inputs.page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The state that the decision was made on, e.g. `received`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Who was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<Id>,
    /// Of a subscription that ended: the `from_seq` with which another one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_from: Option<u64>,
    /// To find it in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The problems of a manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<DocumentProblem>,
}

/// An error as it stands on the wire: never much longer than what it says of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind.
    pub code: Code,
    /// For people: what, where, what to do.
    pub message: String,
    /// For programs.
    pub data: Box<ErrorData>,
}

impl ApiError {
    /// The reason when Postgres is away.
    pub(crate) const READ_MODEL: &str = "read_model";

    /// An error of this kind, explained by `message`.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        let data = ErrorData {
            reason: code.reason().into(),
            retryable: code.is_retryable(),
            ..ErrorData::default()
        };
        Self { code, message: brief(message.to_string(), MESSAGE_BYTES_MAX), data: Box::new(data) }
    }

    /// Names the part of the call that is to blame.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.data.field = Some(brief(field.into(), FIELD_BYTES_MAX));
        self
    }

    /// Says that the same call will never do better.
    #[must_use]
    pub(crate) fn for_good(mut self) -> Self {
        self.data.retryable = false;
        self
    }

    /// Says with which `from_seq` another subscription goes on.
    #[must_use]
    pub(crate) fn resume_from(mut self, stream_seq: u64) -> Self {
        self.data.resume_from = Some(stream_seq);
        self
    }

    /// Says for programs, more finely than the code, what it is.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.data.reason = reason.into();
        self
    }

    /// What is wrong with something that was given: all problems at once. There is at least one.
    pub(crate) fn of_problems(problems: &[Problem]) -> Self {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let message = match told.as_slice() {
            [only] => only.clone(),
            several => format!("{} problems: {}", several.len(), several.join("; ")),
        };
        let first = problems.first().map(|problem| problem.path.join("."));
        let mut error = Self::new(Code::Invalid, message);
        error.data.field = first;
        error
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let code = match rejection.reason {
            Reason::NotFound => Code::NotFound,
            Reason::Invalid => Code::Invalid,
            _ => Code::Rejected,
        };
        let mut error = Self::new(code, &rejection.message);
        error.data.reason = rejection.reason.to_string();
        error.data.field = rejection.field;
        error.data.current = rejection.current;
        error.data.winner = rejection.winner;
        error
    }
}

impl From<ExecuteError> for ApiError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Conflict { .. } => Self::new(Code::Conflict, error),
            ExecuteError::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let code = match &fault {
            Fault::Unreachable { .. } | Fault::Refused { .. } => Code::Unavailable,
            Fault::Unknown { .. } if defect::has(Defect::UnknownToldAsFailed) => Code::Unavailable,
            Fault::Unknown { .. } => Code::UnknownOutcome,
            Fault::TooLong { .. } => Code::Limit,
            Fault::Blob(error) => blob_code(error),
            Fault::Malformed(_) => Code::Internal,
        };
        match &fault {
            Fault::Unknown { subject } => {
                let message = format!(
                    "it is unknown whether the command took effect on {subject}; send it again with \
                     the same idempotency_key, and it takes effect once; without one, look first"
                );
                Self::new(code, message)
            }
            _ => Self::new(code, fault),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            // It will be as large the next time.
            BlobError::TooLarge { .. } => Self::new(Code::Limit, error).for_good(),
            _ => Self::new(blob_code(&error), error),
        }
    }
}

const fn blob_code(error: &BlobError) -> Code {
    match error {
        BlobError::TooLarge { .. } => Code::Limit,
        BlobError::Store { .. } => Code::Unavailable,
        BlobError::Missing { .. } | BlobError::OtherSize { .. } | BlobError::Corrupt { .. } => {
            Code::Internal
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::NotFound { .. } => Self::new(Code::NotFound, error),
            ReadError::Ambiguous { .. } => Self::new(Code::NotFound, error).reason("ambiguous"),
            ReadError::Query { field, message } => Self::new(Code::Invalid, message).field(*field),
            ReadError::NotReached { .. } => Self::new(Code::PositionNotReached, error),
            ReadError::Database { .. } => {
                let message = format!("{error} (Postgres): ask again in a moment");
                Self::new(Code::Unavailable, message).reason(Self::READ_MODEL)
            }
            _ => Self::new(Code::Internal, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_does_not_repeat_all_that_was_sent() {
        let error = ApiError::new(Code::Invalid, "ä".repeat(100_000)).field("x".repeat(1_000));
        assert!(error.message.len() < 2_010 && error.message.ends_with("ä…"));
        assert_eq!(error.data.field.map(|field| field.len()), Some(303));
        assert_eq!(ApiError::new(Code::Invalid, "short").message, "short");
    }
}
