//! Who executes, and how.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use kantoku_domain::{Id, Millis, Timeouts};
use kantoku_streams::SecretKeys;
use uuid::Uuid;

use crate::{ReaperConfig, reaper::Orders};

/// Who executes, how much at once, and how patiently.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// The service's persistent id.
    pub service_id: String,
    /// This run of the service.
    pub boot_id: Uuid,
    /// The queue that is served.
    pub queue: String,
    /// Attempts at once.
    pub slots: usize,
    /// How long the attempts count as held after a heartbeat. A third of it lies between two.
    pub lease: Duration,
    /// How long a process may take to go when it is told to, between SIGTERM and SIGKILL, unless its
    /// task says how long.
    pub grace: Duration,
    /// How long attempts may go on once the executor is told to stop.
    pub drain: Duration,
    /// What this executor is known by.
    pub labels: BTreeMap<String, String>,
    /// Where processes get a directory of their own.
    pub work_dir: PathBuf,
    /// How what an executor that was killed leaves behind is ended.
    pub reaper: ReaperConfig,
    /// What opens secrets; without, a task that needs one fails.
    pub secret_keys: Option<SecretKeys>,
}

impl ExecutorConfig {
    /// How many slots one executor may have: as many attempts as one heartbeat lists.
    pub const SLOTS_MAX: usize = kantoku_streams::Heartbeat::ATTEMPTS_MAX;

    /// A run of `service_id` that serves the queue `default` with 64 slots.
    pub fn new(service_id: impl Into<String>, boot_id: Uuid, reaper: ReaperConfig) -> Self {
        Self {
            service_id: service_id.into(),
            boot_id,
            queue: "default".into(),
            slots: 64,
            lease: Duration::from_secs(10),
            grace: Timeouts::GRACE.duration(),
            drain: Duration::from_secs(10),
            labels: BTreeMap::new(),
            work_dir: std::env::temp_dir(),
            reaper,
            secret_keys: None,
        }
    }

    /// The boot id as events have it.
    pub(crate) fn boot(&self) -> Id {
        Id::from_uuid(self.boot_id)
    }

    /// The lease as heartbeats have it.
    pub(crate) fn lease_millis(&self) -> Millis {
        Millis(self.lease.as_millis() as u64)
    }

    /// Where the directories of this run are, removed at its end.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.work_dir.join(format!("kantoku-{}", self.boot_id))
    }

    pub(crate) fn orders(&self) -> Orders {
        Orders {
            boot_id: self.boot_id,
            grace_ms: self.grace.as_millis() as u64,
            dir: self.run_dir(),
        }
    }
}
