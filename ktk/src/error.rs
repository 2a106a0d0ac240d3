//! Why a command did not do what it was asked to, and the exit code that says so.

use std::{fmt, io};

use kantoku_api::{ApiError, ClientError, Code};

use crate::kind::Kind;

/// The exit codes. 2 is also clap's own for a command line that it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something went wrong.
    Error = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// There is no such thing, or more than one.
    NotFound = 3,
    /// The rules refuse it.
    Refused = 4,
    /// What was waited for failed.
    TaskFailed = 5,
    /// The wait was over first.
    TimedOut = 6,
    /// A check found something.
    Findings = 7,
    /// The server cannot be reached.
    Unreachable = 8,
    /// Whoever asks may not.
    NotAllowed = 9,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Why a command failed: what happened, the state as of which position, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandError {
    /// What the shell is told.
    pub(crate) exit: Exit,
    message: String,
    as_of_seq: Option<u64>,
    advice: Option<String>,
    closed_pipe: bool,
    api: Option<Box<ApiError>>,
}

impl CommandError {
    /// An error that `message` explains. An empty message prints nothing: what the command has
    /// printed says it already.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            as_of_seq: None,
            advice: None,
            closed_pipe: false,
            api: None,
        }
    }

    /// The command line makes no sense in a way that clap cannot see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Says as of which position of the stream this is so; 0 is none.
    #[must_use]
    #[allow(clippy::wrong_self_convention, reason = "it reads: an error as of a position")]
    pub(crate) fn as_of(mut self, stream_seq: u64) -> Self {
        self.as_of_seq = (stream_seq > 0).then_some(stream_seq);
        self
    }

    /// Says more.
    #[must_use]
    pub(crate) fn add(mut self, text: &str) -> Self {
        self.message.push_str(text);
        self
    }

    /// Names a command to try.
    #[must_use]
    pub(crate) fn advise(mut self, command: impl Into<String>) -> Self {
        self.advice = Some(command.into());
        self
    }

    /// Names a command to try unless one is named already.
    #[must_use]
    pub(crate) fn or_advise(mut self, command: impl FnOnce() -> String) -> Self {
        self.advice.get_or_insert_with(command);
        self
    }

    /// Names the list to look in for what was not found.
    #[must_use]
    pub(crate) fn or_list(self, kind: Kind) -> Self {
        match self.exit {
            Exit::NotFound => self.or_advise(|| format!("ktk get {}", kind.plural())),
            _ => self,
        }
    }

    /// Stdout could not be written to. When whoever read it has gone (`ktk … | head`),
    /// that is their right and no error.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        let closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        let message = format!("cannot write to stdout: {error}");
        Self { closed_pipe, ..Self::new(Exit::Error, message) }
    }

    /// What the shell is told.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.closed_pipe { 0 } else { self.exit as u8 }
    }

    /// What the API said, if it was the API that refused.
    pub(crate) fn api(&self) -> Option<&ApiError> {
        self.api.as_deref()
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_silent(&self) -> bool {
        self.closed_pipe || self.message.is_empty()
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(stream_seq) = self.as_of_seq {
            write!(f, " (as of position {stream_seq})")?;
        }
        match &self.advice {
            Some(command) => write!(f, "\ntry: {command}"),
            None => Ok(()),
        }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Api(error) => error.into(),
            ClientError::Unreachable { url, reason } => Self::new(
                Exit::Unreachable,
                format!("cannot reach the API at {}: {reason}", without_password(&url)),
            )
            .advise(
                "`ktk dev up --detach` starts a private stand; --api-url or KTK_API_URL names another",
            ),
            ClientError::Malformed { url, reason } => Self::new(
                Exit::Error,
                format!(
                    "the API at {} gave an answer that cannot be read: {reason}",
                    without_password(&url)
                ),
            )
            .advise("ktk version: client and server must be of one version"),
        }
    }
}

impl From<ApiError> for CommandError {
    fn from(error: ApiError) -> Self {
        let exit = match error.code {
            Code::NotFound => Exit::NotFound,
            _ if error.data.reason == "ambiguous" => Exit::NotFound,
            Code::Rejected
            | Code::Conflict
            | Code::Invalid
            | Code::Limit
            | Code::Archived
            | Code::InvalidParams => Exit::Refused,
            Code::Unauthenticated | Code::Forbidden => Exit::NotAllowed,
            Code::Unavailable => Exit::Unreachable,
            Code::PositionNotReached => Exit::TimedOut,
            Code::UnknownOutcome
            | Code::Internal
            | Code::Parse
            | Code::InvalidRequest
            | Code::MethodNotFound => Exit::Error,
        };
        let mut message = error.message.clone();
        let data = &error.data;
        if let Some(field) = data.field.as_ref().filter(|field| !message.contains(field.as_str())) {
            message = format!("{field}: {message}");
        }
        if let Some(state) = &data.current {
            message = format!("{message} (it is {state})");
        }
        if let Some(winner) = data.winner.filter(|id| !message.contains(&id.to_string())) {
            message = format!("{message} (faster was {winner})");
        }
        // Who was refused knows enough; who met a fault needs what the server's logs say.
        let is_fault = matches!(exit, Exit::Error | Exit::Unreachable);
        if let Some(trace) = data.trace_id.as_ref().filter(|_| is_fault) {
            message = format!("{message} (trace {trace})");
        }
        let advice = match data.winner {
            _ if data.retryable => Some("the same command again".to_owned()),
            Some(winner) => Some(format!("ktk describe task/{winner}")),
            None => None,
        };
        Self { advice, api: Some(Box::new(error)), ..Self::new(exit, message) }
    }
}

/// A URL fit for human eyes: whatever stands before an `@` is hidden.
pub(crate) fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://***@{host}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_exit_codes() {
        let exit = |code| CommandError::from(ApiError::new(code, "no")).exit_code();
        assert_eq!(exit(Code::NotFound), 3);
        assert_eq!(exit(Code::Rejected), 4);
        assert_eq!(exit(Code::PositionNotReached), 6);
        assert_eq!(exit(Code::Unavailable), 8);
        assert_eq!(exit(Code::Forbidden), 9);
        let mut ambiguous = ApiError::new(Code::Invalid, "several");
        ambiguous.data.reason = "ambiguous".into();
        assert_eq!(CommandError::from(ambiguous).exit_code(), 3);
    }

    #[test]
    fn who_was_too_late_is_led_to_the_winner() {
        let mut error = ApiError::new(Code::Rejected, "the task was restarted already");
        let winner: kantoku_domain::Id = "0193a5c2-1b2c-7aaa-8000-000000000001".parse().unwrap();
        error.data.winner = Some(winner);
        let shown = CommandError::from(error.clone()).to_string();
        let advice = format!("try: ktk describe task/{winner}");
        assert_eq!(
            shown,
            format!("the task was restarted already (faster was {winner})\n{advice}")
        );
        error.message = format!("the task was restarted already, as {winner}");
        let shown = CommandError::from(error).to_string();
        assert_eq!(shown, format!("the task was restarted already, as {winner}\n{advice}"));
    }

    #[test]
    fn an_error_says_what_as_of_when_and_what_to_do() {
        let error = CommandError::new(Exit::NotFound, "there is no task abc")
            .as_of(7)
            .advise("ktk get tasks");
        assert_eq!(
            error.to_string(),
            "there is no task abc (as of position 7)\ntry: ktk get tasks"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let error = CommandError::stdout(&io::ErrorKind::BrokenPipe.into());
        assert!(error.is_silent());
        assert_eq!(error.exit_code(), 0);
        let error = CommandError::stdout(&io::ErrorKind::StorageFull.into());
        assert!(!error.is_silent());
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn urls_are_shown_without_passwords() {
        assert_eq!(without_password("http://me:s3cret@host:1/x"), "http://***@host:1/x");
        assert_eq!(without_password("http://host:1"), "http://host:1");
    }
}
