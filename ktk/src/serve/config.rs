//! What is to be run, and with what.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use kantoku_api::server::AccessPolicy;
use kantoku_streams::{Login, Sync};

use super::{Part, Service};
use crate::dev::{ServeContext, SyncPolicy};

/// What one process runs.
pub(crate) struct Config {
    pub(crate) parts: BTreeSet<Part>,
    /// Given by the user.
    pub(crate) service_id: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) queue: String,
    pub(crate) slots: usize,
    pub(crate) state_dir: PathBuf,
    /// The default is a free port of the loopback interface.
    pub(crate) listen: Option<SocketAddr>,
    /// Names under which clients may ask for the API.
    pub(crate) hosts: Vec<String>,
    /// Origins of web pages that may use it.
    pub(crate) origins: Vec<String>,
    /// Who may use the API.
    pub(crate) access: AccessPolicy,
    /// Where the first key goes, if one is to be made.
    pub(crate) first_key: Option<PathBuf>,
    /// The certificate that is shown and its key; without them, no TLS is spoken.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// Where the keys are that secrets are sealed under, the one that seals first.
    pub(crate) secrets_keys: Vec<PathBuf>,
    /// Whether the first is made where it is missing.
    pub(crate) new_secrets_key: bool,
    /// May hold a password.
    pub(crate) nats_url: String,
    /// How NATS lets this process in.
    pub(crate) nats_login: Login,
    /// Where NATS says how it is set up.
    pub(crate) nats_monitor_url: Option<String>,
    /// When NATS writes to the disk, where that is known.
    pub(crate) nats_sync: Option<Sync>,
    /// May hold a password.
    pub(crate) database_url: Option<String>,
    /// How many servers keep each stream.
    pub(crate) replicas: usize,
    /// How long missing servers are waited for at the start; without end unless given.
    pub(crate) give_up: Option<Duration>,
    /// How long an executor may be silent before others get its attempts.
    pub(crate) lease: Duration,
    /// How long the end may take.
    pub(crate) drain: Duration,
}

impl Config {
    /// These parts, on the servers of a stand.
    pub(super) fn of_stand(context: &ServeContext, parts: BTreeSet<Part>) -> Self {
        const SLOTS: usize = 64;
        const LEASE: Duration = Duration::from_secs(10);
        // A little less than the stand grants before it drops everything.
        const DRAIN: Duration = Duration::from_secs(25);
        Self {
            parts,
            service_id: None,
            labels: BTreeMap::new(),
            queue: "default".into(),
            slots: SLOTS,
            state_dir: context.state_dir.clone(),
            listen: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            access: AccessPolicy::Open,
            first_key: None,
            tls: None,
            secrets_keys: vec![context.state_dir.join("secrets.key")],
            new_secrets_key: true,
            nats_url: context.nats_url.clone(),
            nats_login: Login::default(),
            nats_monitor_url: None,
            nats_sync: context.nats_sync.map(|policy| match policy {
                SyncPolicy::Always => Sync::Always,
                SyncPolicy::Interval => Sync::Interval(SyncPolicy::INTERVAL),
            }),
            database_url: Some(context.database_url.clone()),
            replicas: 1,
            give_up: None,
            lease: LEASE,
            drain: DRAIN,
        }
    }

    pub(super) fn runs(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    pub(super) fn needs_database(&self) -> bool {
        self.parts.iter().any(|part| part.needs_database())
    }

    /// The services that the parts make up.
    pub(super) fn services(&self) -> BTreeSet<Service> {
        self.parts.iter().map(|part| part.service()).collect()
    }

    /// The handlers of the processor node.
    pub(super) fn handlers(&self) -> impl Iterator<Item = &'static str> {
        let handlers = self.parts.iter().filter(|part| part.service() == Service::Node);
        handlers.map(|part| part.name())
    }
}
