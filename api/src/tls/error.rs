//! What is wrong with certificates and keys.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why TLS cannot be spoken with these files. It names the file, and never shows what is in it.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} {wrong}", .path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        wrong: String,
    },
    /// This machine knows no authorities.
    #[error(
        "this machine trusts no certificate authority ({reason}); install its CA certificates, or name \
         the one that signed the server's certificate: --tls-ca FILE"
    )]
    NoRoots {
        /// What was met.
        reason: String,
    },
}
