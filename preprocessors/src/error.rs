//! Why a script gave no value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a script gave no value. `line` and `column` count from 1, and are 0 where not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScriptError {
    /// The source is no script.
    #[error("the script does not compile{}: {message}", Place(*line, *column))]
    Compile { message: String, line: usize, column: usize },
    /// The script failed, or threw.
    #[error("the script failed{}: {message}", Place(*line, *column))]
    Runtime { message: String, line: usize, column: usize },
    /// The script took, or is, more than it may.
    #[error("the script exceeds its limit of {limit}: {message}")]
    Limit { limit: LimitName, message: String },
    /// The script was still running at the end of its time, and was killed.
    #[error("the script ran longer than {wall_ms} ms and was stopped: let it do less")]
    TimedOut { wall_ms: u64 },
    /// The process that ran the script died of it.
    #[error("the script brought its process down: {message}")]
    Crashed { message: String },
    /// A value cannot pass between JSON and the script without loss.
    #[error("a value does not fit: {message}")]
    NotRepresentable { message: String },
    /// The script was not run, for no fault of its own.
    #[error("scripts cannot be run at the moment: {message}")]
    Unavailable { message: String },
}

impl ScriptError {
    /// Whether the same script may succeed later. Scripts are pure, so only a failure of the
    /// machinery is worth a retry.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(crate) fn limit(limit: LimitName, message: impl Into<String>) -> Self {
        Self::Limit { limit, message: message.into() }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into() }
    }
}

/// Which of the [`Limits`](crate::Limits) was exceeded: the name of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    Operations,
    CallDepth,
    ExpressionDepth,
    StringBytes,
    ArrayItems,
    MapEntries,
    Variables,
    ScriptBytes,
    ScopeBytes,
    ResultBytes,
    MemoryBytes,
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operations => "operations",
            Self::CallDepth => "call_depth",
            Self::ExpressionDepth => "expression_depth",
            Self::StringBytes => "string_bytes",
            Self::ArrayItems => "array_items",
            Self::MapEntries => "map_entries",
            Self::Variables => "variables",
            Self::ScriptBytes => "script_bytes",
            Self::ScopeBytes => "scope_bytes",
            Self::ResultBytes => "result_bytes",
            Self::MemoryBytes => "memory_bytes",
        })
    }
}

/// Where in the source, as the end of a sentence; nothing when that is not known.
struct Place(usize, usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place(0, _) => Ok(()),
            Place(line, column) => write!(f, " at line {line}, column {column}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_as_it_is_configured() {
        let limits = serde_json::to_value(crate::Limits::default()).unwrap();
        for name in [
            LimitName::Operations,
            LimitName::CallDepth,
            LimitName::ExpressionDepth,
            LimitName::StringBytes,
            LimitName::ArrayItems,
            LimitName::MapEntries,
            LimitName::Variables,
            LimitName::ScriptBytes,
            LimitName::ScopeBytes,
            LimitName::ResultBytes,
            LimitName::MemoryBytes,
        ] {
            assert_eq!(serde_json::to_value(name).unwrap(), name.to_string());
            assert!(limits.get(name.to_string()).is_some(), "{name}");
        }
    }

    #[test]
    fn an_unknown_place_is_left_out() {
        let error = ScriptError::Runtime { message: "no".to_owned(), line: 0, column: 0 };
        assert_eq!(error.to_string(), "the script failed: no");
    }
}
