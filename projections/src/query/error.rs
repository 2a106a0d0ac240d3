//! What is wrong with a filter, and where.

use std::fmt;

use kantoku_domain::nearest;
use thiserror::Error;

/// A filter that cannot be understood, or would cost too much.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}{message}")]
pub struct Invalid {
    /// Where.
    pub place: Place,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// A place in a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The whole of it.
    Whole,
    /// Keys of JSON, from the outermost: `$or.0.labels.team.$in`.
    Keys(Vec<String>),
    /// A column of a text, 1 for the first.
    Column(usize),
}

impl Invalid {
    /// Something that is wrong with the whole.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { place: Place::Whole, message: message.into() }
    }
}

/// `there is no function "hsa"`, with what may be meant, or else with all that is known. `what` is all before
/// the name.
pub(super) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("{what} {name:?}; did you mean {meant:?}?"),
        None => format!("{what} {name:?}, but {}", known.join(", ")),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Keys(keys) if keys.is_empty() => Ok(()),
            Self::Keys(keys) => write!(f, "{}: ", keys.join(".")),
            Self::Column(column) => write!(f, "column {column}: "),
        }
    }
}
