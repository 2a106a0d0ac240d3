//! `key.*`, `audit.*`: who may ask for what, and who did.

use kantoku_domain::{
    Millis, Namespace, Timestamp,
    access::{Reach, Role},
};
use kantoku_streams::{KeyEntry, StoredAudit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};

methods! {
    /// Makes a key. Its secret is told in the answer and never again.
    KeyCreate = "key.create": KeyCreateParams => KeyCreated;
    /// All keys, without their secrets, which nobody has.
    KeyList = "key.list": NoParams => KeyPage;
    /// Revokes a key: within five seconds nobody is let in by it, and who came in by it is out.
    KeyRevoke = "key.revoke": KeyRevokeParams => KeyRevoked;
    /// Who asked for what, from where, and what came of it: every command, and every refusal for want
    /// of a right, in order.
    AuditList = "audit.list": AuditParams => AuditPage;
}

/// A key that is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCreateParams {
    /// For people: whose it is, or what for. It is the actor in events.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// The namespaces in which it holds; all, and what belongs to none, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Vec<Namespace>>,
    /// How long it holds, e.g. `720h`; until it is revoked unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Millis>,
    /// How many calls a second it may make; 1,000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
}

/// A key, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// What it is told by.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// The namespaces in which it holds; `null`: all.
    pub namespaces: Option<Vec<Namespace>>,
    /// How many calls a second it may make.
    pub calls_per_second: u32,
    /// Until when it holds; `null`: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl From<KeyEntry> for Key {
    fn from(entry: KeyEntry) -> Self {
        let namespaces = match entry.reach {
            Reach::All => None,
            Reach::Namespaces(namespaces) => Some(namespaces),
        };
        Self {
            id: entry.id,
            name: entry.name,
            role: entry.role,
            namespaces,
            calls_per_second: entry.calls_per_second,
            expires_at: entry.expires_at,
            created_at: entry.created_at,
            created_by: entry.created_by,
        }
    }
}

/// A key that is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyCreated {
    /// The key.
    pub key: Key,
    /// What its holder says: `Authorization: Bearer <secret>`. It is told here and nowhere else.
    pub secret: String,
}

/// All keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPage {
    /// In the order in which they were made.
    pub items: Vec<Key>,
}

/// Which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRevokeParams {
    /// Its id.
    pub id: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRevoked {
    /// The key, as it was.
    pub key: Key,
}

/// Which entries of the audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditParams {
    /// Only those at higher positions in the audit.
    #[serde(default)]
    pub after: u64,
    /// How many, 1 to 1,000; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Some entries of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// In order; none at the end.
    pub items: Vec<StoredAudit>,
}
