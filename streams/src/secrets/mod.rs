//! Secrets: sealed values by namespace and name, in a bucket. Whoever has no key sees what they are
//! called, and when each was set by whom.

mod key;

use async_nats::{
    Client,
    jetstream::{
        Context,
        kv::{self, CreateErrorKind, UpdateErrorKind},
        stream::LastRawMessageErrorKind,
    },
};
use bytes::Bytes;
use kantoku_domain::{Namespace, SecretName, SecretValue, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    Cause, Fault,
    direct::{self, OPERATION, Stored},
    subject,
};

pub use key::{SecretKey, SecretKeyError, SecretKeys};

/// How many entries are read at once: each may hold 64 KiB.
const PAGE: usize = 50;

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// Whose it is.
    pub namespace: Namespace,
    /// What it is called.
    pub name: SecretName,
    /// The position at which it was set, higher each time.
    pub revision: u64,
    /// Which key it is sealed under.
    pub key_id: String,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: String,
}

/// Why a secret was not set, or not opened.
#[derive(Debug, Error)]
pub enum SecretError {
    /// There is none of this name.
    #[error("secret {0} is not set; `ktk create secret {0}`")]
    Missing(SecretName),
    /// It is sealed under a key that is not at hand.
    #[error(
        "secret {name} is sealed under key {key_id}, which is not among those of --secrets-key; \
         name that file too, or set the secret anew"
    )]
    UnknownKey {
        /// Which.
        name: SecretName,
        /// The key's id.
        key_id: String,
    },
    /// What is stored was not sealed under this name by a key of ours.
    #[error("what is stored as secret {0} was changed, or was sealed as another; set it anew")]
    Broken(SecretName),
    /// Somebody has set it meanwhile.
    #[error("secret {0} is not at the revision that it was expected to be at; look, and try again")]
    Overtaken(SecretName),
    /// NATS is out of reach.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A secret, as it is kept.
#[derive(Serialize, Deserialize)]
struct Entry {
    namespace: Namespace,
    name: SecretName,
    key_id: String,
    /// The nonce and what was sealed, in base64.
    sealed: String,
    set_at: Timestamp,
    set_by: String,
}

impl Entry {
    fn info(self, revision: u64) -> SecretInfo {
        let Self { namespace, name, key_id, set_at, set_by, .. } = self;
        SecretInfo { namespace, name, revision, key_id, set_at, set_by }
    }
}

/// The bucket of secrets.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
    bucket: kv::Store,
}

impl Secrets {
    /// How many a namespace may have.
    pub const PER_NAMESPACE_MAX: usize = 1_000;

    /// Opens the bucket, which [`setup`](crate::setup()) has made.
    pub(crate) async fn open(client: Client, context: &Context) -> Result<Self, Fault> {
        let bucket = context
            .get_key_value(subject::SECRETS)
            .await
            .map_err(|error| Fault::unreachable("open the bucket of secrets", error))?;
        Ok(Self { client, bucket })
    }

    /// Seals `value` under the first of `keys` and keeps it as `name`, in place of what was there;
    /// with `if_revision` only in place of that revision, or with 0 where there is none.
    #[expect(clippy::too_many_arguments, reason = "who, where, what, and on which condition")]
    pub async fn set(
        &self,
        keys: &SecretKeys,
        namespace: &Namespace,
        name: &SecretName,
        value: &SecretValue,
        set_by: &str,
        set_at: Timestamp,
        if_revision: Option<u64>,
    ) -> Result<SecretInfo, SecretError> {
        let fault = |cause: Cause| Fault::unreachable(format!("keep secret {name}"), cause);
        let (key_id, sealed) = keys.seal(namespace, name, value);
        let (namespace, name, set_by) = (namespace.clone(), name.clone(), set_by.to_owned());
        let key = subject::secret_key(&namespace, &name);
        let entry = Entry { namespace, name: name.clone(), key_id, sealed, set_at, set_by };
        let json = serde_json::to_vec(&entry).map_err(|error| fault(error.into()))?;
        let json = Bytes::from(json);
        let overtaken = || SecretError::Overtaken(name.clone());
        let revision = match if_revision {
            None => self.bucket.put(key, json).await.map_err(|error| fault(error.into()))?,
            Some(0) => match self.bucket.create(key, json).await {
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                    return Err(overtaken());
                }
                created => created.map_err(|error| fault(error.into()))?,
            },
            Some(revision) => match self.bucket.update(key, json, revision).await {
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                    return Err(overtaken());
                }
                updated => updated.map_err(|error| fault(error.into()))?,
            },
        };
        Ok(entry.info(revision))
    }

    /// What may be known of one; `None` if there is none.
    pub async fn get(
        &self,
        namespace: &Namespace,
        name: &SecretName,
    ) -> Result<Option<SecretInfo>, Fault> {
        let entry = self.entry(namespace, name).await?;
        Ok(entry.map(|(entry, revision)| entry.info(revision)))
    }

    /// What may be known of all in `namespace`, by name. Those that cannot be read are left out.
    pub async fn list(&self, namespace: &Namespace) -> Result<Vec<SecretInfo>, Fault> {
        let keys = format!("{}{namespace}.>", self.bucket.prefix);
        let (mut infos, mut from_seq) = (Vec::new(), 1);
        loop {
            let page =
                direct::page(&self.client, &self.bucket.stream_name, &keys, from_seq, PAGE).await?;
            for message in &page.messages {
                from_seq = message.stream_seq + 1;
                infos.extend(read(message).map(|entry| entry.info(message.stream_seq)));
            }
            if page.left == 0 {
                infos.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(infos);
            }
        }
    }

    /// Forgets one; whoever asks for it from now on is told that it is not set.
    pub async fn delete(&self, namespace: &Namespace, name: &SecretName) -> Result<(), Fault> {
        let done = self.bucket.purge(subject::secret_key(namespace, name)).await;
        done.map_err(|error| Fault::unreachable(format!("forget secret {name}"), error))
    }

    /// The value of one, opened by the key that it was sealed under.
    pub async fn resolve(
        &self,
        keys: &SecretKeys,
        namespace: &Namespace,
        name: &SecretName,
    ) -> Result<SecretValue, SecretError> {
        let missing = || SecretError::Missing(name.clone());
        let (entry, _) = self.entry(namespace, name).await?.ok_or_else(missing)?;
        keys.open(namespace, name, &entry.key_id, &entry.sealed)
    }

    /// One as the leader has it: a task that is spawned right after its secret was set finds it.
    async fn entry(
        &self,
        namespace: &Namespace,
        name: &SecretName,
    ) -> Result<Option<(Entry, u64)>, Fault> {
        let fault = |cause: Cause| Fault::unreachable(format!("read secret {name}"), cause);
        let subject = format!("{}{}", self.bucket.prefix, subject::secret_key(namespace, name));
        let message = match self.bucket.stream.get_last_raw_message_by_subject(&subject).await {
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            message => message.map_err(|error| fault(error.into()))?,
        };
        if message.headers.get(OPERATION).is_some() {
            return Ok(None);
        }
        let entry = serde_json::from_slice(&message.payload);
        Ok(Some((entry.map_err(|error| fault(error.into()))?, message.sequence)))
    }
}

fn read(message: &Stored) -> Option<Entry> {
    if message.headers.get(OPERATION).is_some() {
        return None;
    }
    serde_json::from_slice(&message.payload).ok()
}

#[cfg(test)]
mod tests;
