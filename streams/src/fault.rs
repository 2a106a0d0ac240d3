//! Infrastructure failed. The outcome may be unknown.

use thiserror::Error;

use crate::{BlobError, Malformed};

/// What another library reports, of whatever type.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Infrastructure failed: unlike a rejection, the same call may succeed later.
#[derive(Debug, Error)]
pub enum Fault {
    /// NATS was not reached, or did not answer in time.
    #[error(
        "NATS did not answer when asked to {what}: {cause}; check that it runs, then try again"
    )]
    Unreachable {
        /// What was asked of it.
        what: String,
        /// What the client reports.
        #[source]
        cause: Cause,
    },
    /// `JetStream` answered with an error.
    #[error("JetStream refused to {what}: {description} (error {code}){}", advice(*.code))]
    Refused {
        /// What was asked of it.
        what: String,
        /// Its error code.
        code: u64,
        /// Its words.
        description: String,
    },
    /// An append may or may not have been stored.
    #[error(
        "it is unknown whether an event was stored on {subject}; \
         send the command again with the same id: it takes effect once"
    )]
    Unknown {
        /// Where it was appended.
        subject: String,
    },
    /// A subject holds more events than one aggregate may have.
    #[error(
        "{subject} holds more than {events_max} events, which one aggregate never should; \
         look for a loop that writes to it"
    )]
    TooLong {
        /// The subject.
        subject: String,
        /// The limit.
        events_max: usize,
    },
    /// A large value could not be stored or fetched.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A stored event cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Fault {
    /// Whether no later try can succeed, as what is stored is wrong.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Blob(error) => !matches!(error, BlobError::Store { .. }),
            _ => false,
        }
    }

    pub(crate) fn unreachable(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Unreachable { what: what.into(), cause: cause.into() }
    }

    pub(crate) fn refused(what: impl Into<String>, error: &async_nats::jetstream::Error) -> Self {
        Self::Refused {
            what: what.into(),
            code: error.error_code().0,
            description: error.to_string(),
        }
    }
}

/// What to do about the refusals that an operator meets.
const fn advice(code: u64) -> &'static str {
    match code {
        10047 | 10077 => "; the store is full: raise its limit or archive finished contexts",
        10059 => "; the stream is missing: start `ktk serve`, which creates it",
        _ => "",
    }
}
