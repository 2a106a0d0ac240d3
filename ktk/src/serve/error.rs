//! Why the parts of Kantoku do not run.

use std::{collections::BTreeSet, io, net::SocketAddr, path::PathBuf, time::Duration};

use kantoku_domain::Millis;
use kantoku_service::IdentityError;
use thiserror::Error;

use super::Service;

/// Why `ktk serve` ended other than by being asked to. Messages never hold passwords.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A service has no id.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The metrics cannot be kept.
    #[error("the metrics cannot be kept: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// Nobody can reach it.
    #[error("cannot listen on {address}: {source}; --listen names another address")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing to show to those who connect.
    #[error("TLS cannot be spoken: {0}")]
    Tls(#[from] kantoku_api::tls::TlsError),
    /// A signal cannot be listened to, or connections cannot be accepted any more.
    #[error("the system refuses what is needed: {0}")]
    System(#[from] io::Error),
    /// A server was missing for too long at the start.
    #[error("{what} is out of reach after {}: {reason}", Millis(.within.as_millis() as u64))]
    Unreachable {
        /// Which.
        what: &'static str,
        /// How long was tried.
        within: Duration,
        /// What the last attempt met.
        reason: String,
    },
    /// A server is there and will never do.
    #[error("{what} cannot be used: {reason}")]
    Unsuitable {
        /// Which.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// The API could not start.
    #[error("the API cannot start: {0}")]
    Api(#[from] kantoku_api::server::StartError),
    /// The first key could not be made.
    #[error("no first key was written to {}: {source}", .path.display())]
    FirstKey {
        /// Where it would have gone.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A key for secrets cannot be had.
    #[error("no key for secrets in {}: {source}", .path.display())]
    SecretsKey {
        /// Where it would be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A part ended although nobody asked it to.
    #[error("the {service} ended although nobody asked it to: {reason}")]
    Ended {
        /// Which.
        service: Service,
        /// What is known of it.
        reason: String,
    },
    /// The parts did not end in time.
    #[error(
        "{} did not end within {}; what they had in hand is taken up by others",
        names(.services),
        Millis(.within.as_millis() as u64)
    )]
    Undrained {
        /// Which.
        services: BTreeSet<Service>,
        /// How long they were given.
        within: Duration,
    },
}

impl ServeError {
    /// The process's exit code: 2 for usage, 8 when a server was out of reach, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 8,
            _ => 1,
        }
    }
}

fn names(services: &BTreeSet<Service>) -> String {
    services.iter().map(|service| service.name()).collect::<Vec<_>>().join(", ")
}
