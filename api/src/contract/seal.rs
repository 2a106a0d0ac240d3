//! `seal.*`: what the chain over all events was.

use kantoku_streams::StoredSeal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;

methods! {
    /// The seals, in order, page by page.
    SealList = "seal.list": SealsParams => Seals;
    /// Begins the chain anew, as the stream is not the one any more that was sealed. Whoever seals
    /// goes on from there.
    SealRestart = "seal.restart": SealRestartParams => StoredSeal;
}

/// Which seals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealsParams {
    /// Only those at higher positions among the seals.
    #[serde(default)]
    pub after: u64,
}

/// Some seals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seals {
    /// In order; some hundreds at most, none at the end.
    pub items: Vec<StoredSeal>,
    /// The last of all; `None` before the first.
    pub latest: Option<StoredSeal>,
}

/// Why a chain is to begin anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealRestartParams {
    /// For whoever reads the seals later.
    pub reason: String,
}
