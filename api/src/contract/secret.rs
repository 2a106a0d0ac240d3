//! `secret.*`: what tasks are given by name. No answer and no error ever holds a value.

use kantoku_domain::{Namespace, SecretName, SecretValue, Timestamp};
use kantoku_streams::SecretInfo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;

methods! {
    /// Sets a secret, in place of the one of that name if there is one. Attempts that begin from now
    /// on get the new value.
    SecretSet = "secret.set": SecretSetParams => Secret;
    /// What may be known of a secret, which is not its value.
    SecretGet = "secret.get": SecretParams => Secret;
    /// All secrets of a namespace, by name, without their values.
    SecretList = "secret.list": SecretListParams => SecretPage;
    /// Forgets a secret: attempts that begin from now on and need it fail.
    SecretDelete = "secret.delete": SecretParams => Secret;
}

/// A secret that is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSetParams {
    /// What it is called.
    pub name: SecretName,
    /// What it is: a text of 8 characters to 65,536 bytes.
    pub value: SecretValue,
    /// Only in place of this revision; 0: only if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<u64>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Which secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretParams {
    /// What it is called.
    pub name: SecretName,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Whose secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretListParams {
    /// `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A secret, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// What it is called.
    pub name: SecretName,
    /// Whose it is.
    pub namespace: Namespace,
    /// Higher each time that it is set.
    pub revision: u64,
    /// The id of the key that it is sealed under.
    pub key_id: String,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: String,
}

impl From<SecretInfo> for Secret {
    fn from(info: SecretInfo) -> Self {
        let SecretInfo { namespace, name, revision, key_id, set_at, set_by } = info;
        Self { name, namespace, revision, key_id, set_at, set_by }
    }
}

/// All secrets of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretPage {
    /// By name; at most 1,000.
    pub items: Vec<Secret>,
}
