//! What can go wrong with a private stand.

use std::io;
use std::path::{Path, PathBuf};

use super::Server;

/// An error of somebody else's code that runs inside the stand (the processors).
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a `ktk dev` command or a private server failed. Messages never hold passwords.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Whoever read stdout has gone, as `head` does: that is their right.
    #[error("nobody reads stdout any more")]
    Unread,
    /// The command line asked for something that is refused.
    #[error("{0}")]
    Usage(String),
    /// A file or directory could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried, as it reads after "cannot".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The server binaries are missing and could not be installed.
    #[error("{0}")]
    Tools(String),
    /// A private server did not come up.
    #[error("{server} did not start: {reason}{}", quoted_tail(log_tail))]
    Server {
        /// Which one.
        server: Server,
        /// What was seen of it.
        reason: String,
        /// The end of what it logged meanwhile, or nothing.
        log_tail: String,
    },
    /// The servers of this state directory are no longer kept, so the order was not carried out.
    #[error("the private servers have been stopped")]
    Stopped,
    /// Another process uses the state directory.
    #[error(
        "{} is in use by another process; end that (a stand: `ktk dev down`), or use another \
         directory", .0.display()
    )]
    InUse(PathBuf),
    /// The stand did not become ready, or does not answer, in time.
    #[error("{0}")]
    Unreachable(String),
    /// A detached stand ended before it was ready.
    #[error("the stand ended before it was ready{}", quoted_tail(log_tail))]
    Ended {
        /// Its exit code.
        code: u8,
        /// The end of its log.
        log_tail: String,
    },
    /// The processors failed, or ended although nobody asked them to.
    #[error("the processors of the stand failed: {0}")]
    Serve(#[source] BoxError),
}

impl DevError {
    /// The process's exit code for this error: 2 for usage, 8 when something was unreachable, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 8,
            Self::Unread => 0,
            Self::Ended { code, .. } => (*code).max(1),
            _ => 1,
        }
    }

    /// For `map_err`: names what was tried, and where.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

fn quoted_tail(tail: &str) -> String {
    if tail.is_empty() {
        return String::new();
    }
    let mut quoted = String::from("\nthe end of its log:");
    for line in tail.lines() {
        quoted.push_str("\n    ");
        quoted.push_str(line);
    }
    quoted
}
