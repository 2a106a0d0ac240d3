//! Keys of the API: who may do what, and a digest of what each says to prove it. The secret itself is
//! told once, to whoever made the key, and kept nowhere.

use async_nats::{
    Client,
    jetstream::{Context, kv},
};
use kantoku_domain::{
    Timestamp,
    access::{Reach, Role},
};
use serde::{Deserialize, Serialize};

use crate::{Cause, Fault, direct, subject};

/// A key, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEntry {
    /// What it is told by, also within its secret.
    pub id: String,
    /// For people, and the actor in events.
    pub name: String,
    /// The SHA-256 of the secret, which is random and too long to be guessed.
    pub digest: String,
    /// What it is good for.
    pub role: Role,
    /// Where.
    pub reach: Reach,
    /// How many calls a second it may make.
    pub calls_per_second: u32,
    /// Until when it holds; without end unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

/// The bucket of keys.
#[derive(Clone)]
pub struct Keys {
    client: Client,
    bucket: kv::Store,
}

impl Keys {
    /// How many there may be.
    pub const MAX: usize = 10_000;

    /// Opens the bucket, which [`setup`](crate::setup()) has made.
    pub(crate) async fn open(client: Client, context: &Context) -> Result<Self, Fault> {
        let bucket = context
            .get_key_value(subject::KEYS)
            .await
            .map_err(|error| Fault::unreachable("open the bucket of keys", error))?;
        Ok(Self { client, bucket })
    }

    /// What changes whenever a key does: the position of the last change, as the leader has it.
    pub async fn position(&self) -> Result<u64, Fault> {
        let info = self.bucket.stream.get_info().await;
        let info = info.map_err(|error| Fault::unreachable("look at the keys", error))?;
        Ok(info.state.last_sequence)
    }

    /// All keys, in the order in which they were made.
    pub async fn list(&self) -> Result<Vec<KeyEntry>, Fault> {
        direct::entries(&self.client, &self.bucket, Self::MAX).await
    }

    /// Keeps a new key.
    pub async fn create(&self, entry: &KeyEntry) -> Result<(), Fault> {
        let fault = |cause: Cause| Fault::unreachable("keep a key", cause);
        let json = serde_json::to_vec(entry).map_err(|error| fault(error.into()))?;
        self.bucket
            .create(&entry.id, json.into())
            .await
            .map_err(|error| fault(error.into()))
            .map(drop)
    }

    /// Revokes a key: whoever serves the API learns of it within seconds.
    pub async fn delete(&self, id: &str) -> Result<(), Fault> {
        self.bucket.purge(id).await.map_err(|error| Fault::unreachable("revoke a key", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn keys_are_kept_until_they_are_revoked_and_each_change_shows() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let keys = Keys::open(client, &context).await.unwrap();
        assert_eq!((keys.list().await.unwrap(), keys.position().await.unwrap()), (vec![], 0));
        let entry = |id: &str| KeyEntry {
            id: id.into(),
            name: "ci".into(),
            digest: "sha256:00".into(),
            role: Role::Operator,
            reach: Reach::Namespaces(vec!["team".parse().unwrap()]),
            calls_per_second: 10,
            expires_at: None,
            created_at: Timestamp::from_micros(1),
            created_by: "root".into(),
        };
        keys.create(&entry("a")).await.unwrap();
        keys.create(&entry("b")).await.unwrap();
        assert!(keys.create(&entry("a")).await.is_err(), "a key is never replaced");
        assert_eq!(keys.list().await.unwrap(), [entry("a"), entry("b")]);
        let before = keys.position().await.unwrap();
        keys.delete("a").await.unwrap();
        assert!(keys.position().await.unwrap() > before);
        assert_eq!(keys.list().await.unwrap(), [entry("b")]);
    }
}
