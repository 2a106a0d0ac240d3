//! `service.*`, `system.*`

use std::collections::BTreeMap;

use kantoku_domain::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};

methods! {
    /// The services that are present.
    ServiceList = "service.list": NoParams => Services;
    /// What this is, and how far it has got.
    SystemInfo = "system.info": NoParams => Info;
}

/// The services that are present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Services {
    /// By kind, then id.
    pub items: Vec<Service>,
}

/// A service that is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Survives restarts.
    pub service_id: String,
    /// `node`, `executor`, `api`, …
    pub kind: String,
    /// New with every start.
    pub boot_id: String,
    /// What it runs with.
    pub version: String,
    /// Where.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// What it offers.
    pub labels: BTreeMap<String, String>,
    /// Since when.
    pub started_at: Timestamp,
    /// Attempts that it runs, of an executor.
    pub running: Option<u64>,
    /// Attempts that it may run at once.
    pub slots: Option<u64>,
    /// What it does alone of all that could: `scheduler`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<String>,
}

/// What this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// Of the API's build.
    pub version: String,
    /// When the stream of events was created.
    pub stream_created: Timestamp,
    /// The last position of the stream.
    pub head_seq: u64,
    /// How far the read model has got.
    pub projected_seq: u64,
    /// The version of the NATS server.
    pub nats_version: String,
    /// How many NATS servers keep each event.
    #[serde(default)]
    pub replicas: usize,
    /// When they write to their disks: `always`, `every 2s`, `unknown`.
    #[serde(default)]
    pub sync: String,
    /// What that may cost, and what to do about it; nothing if no event that was acknowledged can be
    /// lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_risk: Option<String>,
    /// How many consumers the stream of events has.
    #[serde(default)]
    pub consumers: usize,
    /// How many it may have, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumers_max: Option<usize>,
}
