//! Operations over many records: which these are, how far each operation is, and who carries it out.
//!
//! The bucket holds, per operation: `op.<id>`, what is known of it; `ids.<id>.<n>`, the records in
//! chunks; and, as long as it runs, `lease.<id>`, which says who carries it out. All of it goes by
//! age. Whoever writes does so under the revision that it has read, so that of two one learns of the
//! other.

use async_nats::{
    Client,
    jetstream::{
        Context,
        kv::{self, CreateErrorKind, UpdateErrorKind},
    },
};
use bytes::Bytes;
use kantoku_domain::Id;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Cause, Fault, direct, subject};

/// The bucket of operations.
#[derive(Clone)]
pub struct Operations {
    client: Client,
    bucket: kv::Store,
}

/// What is kept, and the revision that it may be replaced under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revised<T> {
    /// What is kept.
    pub value: T,
    /// Its revision.
    pub revision: u64,
}

/// Who carries out an operation that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationLease {
    /// The operation.
    pub id: Id,
    /// Who: a run of a service. `None`: whoever comes first.
    pub holder: Option<String>,
}

impl Operations {
    /// How many records one operation may be about.
    pub const IDS_MAX: usize = 100_000;
    /// How many of them are read at once.
    pub const CHUNK: usize = 10_000;
    /// How many operations may run at once.
    pub const OPEN_MAX: usize = 100;
    /// How many that have ended are kept.
    pub const KEPT_MAX: usize = 1_000;

    pub(crate) async fn open(client: Client, context: &Context) -> Result<Self, Fault> {
        let bucket = context.get_key_value(subject::OPERATIONS).await;
        let bucket =
            bucket.map_err(|error| Fault::unreachable("open the bucket of operations", error))?;
        Ok(Self { client, bucket })
    }

    /// Takes the lease of a new operation. `None`: somebody has begun it.
    pub async fn begin(&self, lease: &OperationLease) -> Result<Option<u64>, Fault> {
        self.create(&lease_key(lease.id), json(lease)?).await
    }

    /// Keeps a new operation and the records that it is about. `None`: there is one with this id.
    /// Records are kept first, so that an operation that is there has them.
    pub async fn put<T: Serialize>(
        &self,
        id: Id,
        operation: &T,
        records: &[Id],
    ) -> Result<Option<u64>, Fault> {
        for (n, chunk) in records.chunks(Self::CHUNK).enumerate() {
            let stored = self.bucket.put(chunk_key(id, n), json(&chunk)?).await;
            stored.map_err(|error| failed("keep the records of an operation", error))?;
        }
        self.create(&key(id), json(operation)?).await
    }

    /// An operation, if there is one.
    pub async fn get<T: DeserializeOwned>(&self, id: Id) -> Result<Option<Revised<T>>, Fault> {
        let entry = self.bucket.entry(key(id)).await;
        let entry = entry.map_err(|error| failed("read an operation", error))?;
        let Some(entry) = entry.filter(|entry| entry.operation == kv::Operation::Put) else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&entry.value);
        let value = value.map_err(|error| failed("read an operation", error))?;
        Ok(Some(Revised { value, revision: entry.revision }))
    }

    /// Replaces an operation. `None`: somebody else has, meanwhile.
    pub async fn update<T: Serialize>(
        &self,
        id: Id,
        operation: &T,
        revision: u64,
    ) -> Result<Option<u64>, Fault> {
        self.replace(&key(id), json(operation)?, revision).await
    }

    /// The `n`th chunk of the records that an operation is about.
    pub async fn records(&self, id: Id, n: usize) -> Result<Vec<Id>, Fault> {
        let what = "read the records of an operation";
        let found = self.bucket.get(chunk_key(id, n)).await.map_err(|error| failed(what, error))?;
        let bytes = found.ok_or_else(|| failed(what, "they are not there"))?;
        serde_json::from_slice(&bytes).map_err(|error| failed(what, error))
    }

    /// All operations that are kept, in the order in which they changed last.
    pub async fn list<T: DeserializeOwned>(&self) -> Result<Vec<T>, Fault> {
        let max = Self::KEPT_MAX * 2;
        let found = direct::revised(&self.client, &self.bucket, "op.*", max).await?;
        Ok(found.into_iter().map(|(value, _)| value).collect())
    }

    /// The leases of all operations that run.
    pub async fn leases(&self) -> Result<Vec<Revised<OperationLease>>, Fault> {
        let found =
            direct::revised(&self.client, &self.bucket, "lease.*", Self::OPEN_MAX * 2).await?;
        Ok(found.into_iter().map(|(value, revision)| Revised { value, revision }).collect())
    }

    /// Takes or renews a lease. `None`: somebody else has it.
    pub async fn lease(&self, lease: &OperationLease, revision: u64) -> Result<Option<u64>, Fault> {
        self.replace(&lease_key(lease.id), json(lease)?, revision).await
    }

    /// Ends the lease of an operation that has ended, and forgets what it was about.
    pub async fn close(&self, id: Id) -> Result<(), Fault> {
        for n in 0..Self::IDS_MAX.div_ceil(Self::CHUNK) {
            let key = chunk_key(id, n);
            let is_there = self.bucket.get(key.as_str()).await;
            if is_there.map_err(|error| failed("end an operation", error))?.is_none() {
                break;
            }
            self.purge(&key).await?;
        }
        self.purge(&lease_key(id)).await
    }

    /// Forgets an operation that has ended.
    pub async fn remove(&self, id: Id) -> Result<(), Fault> {
        self.purge(&key(id)).await
    }

    async fn purge(&self, key: &str) -> Result<(), Fault> {
        self.bucket.purge(key).await.map_err(|error| failed("end an operation", error))
    }

    async fn create(&self, key: &str, value: Bytes) -> Result<Option<u64>, Fault> {
        match self.bucket.create(key, value).await {
            Ok(revision) => Ok(Some(revision)),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(failed("begin an operation", error)),
        }
    }

    async fn replace(&self, key: &str, value: Bytes, revision: u64) -> Result<Option<u64>, Fault> {
        match self.bucket.update(key, value, revision).await {
            Ok(revision) => Ok(Some(revision)),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
            Err(error) => Err(failed("go on with an operation", error)),
        }
    }
}

fn key(id: Id) -> String {
    format!("op.{id}")
}

fn lease_key(id: Id) -> String {
    format!("lease.{id}")
}

fn chunk_key(id: Id, n: usize) -> String {
    format!("ids.{id}.{n}")
}

fn json(value: &impl Serialize) -> Result<Bytes, Fault> {
    let json = serde_json::to_vec(value);
    json.map(Bytes::from).map_err(|error| failed("write down an operation", error))
}

fn failed(what: &str, cause: impl Into<Cause>) -> Fault {
    Fault::unreachable(what, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    fn id(n: u128) -> Id {
        Id::default().derive(&n.to_string(), kantoku_domain::Partition::of(5))
    }

    #[tokio::test]
    async fn an_operation_is_kept_with_its_records_until_it_is_closed() {
        let Some(server) = Server::start().await else { return };
        let (client, context) = server.ready().await;
        let operations = Operations::open(client, &context).await.unwrap();
        let records: Vec<Id> = (0..Operations::CHUNK as u128 + 7).map(id).collect();
        let lease =
            |holder: Option<&str>| OperationLease { id: id(1), holder: holder.map(str::to_owned) };
        let begun = operations.begin(&lease(Some("a"))).await.unwrap().unwrap();
        assert_eq!(operations.begin(&lease(Some("b"))).await.unwrap(), None, "one begins it");
        let first = operations.put(id(1), &"new", &records).await.unwrap().unwrap();
        assert_eq!(operations.put(id(1), &"other", &[]).await.unwrap(), None);
        let kept = Revised { value: "new".to_owned(), revision: first };
        assert_eq!(operations.get::<String>(id(1)).await.unwrap(), Some(kept));
        let found = [0, 1].map(|n| operations.records(id(1), n));
        let [one, other] = found;
        assert_eq!([one.await.unwrap(), other.await.unwrap()].concat(), records);

        let second = operations.update(id(1), &"old", first).await.unwrap().unwrap();
        assert_eq!(operations.update(id(1), &"late", first).await.unwrap(), None);
        assert!(second > first);
        let taken = operations.lease(&lease(Some("b")), begun).await.unwrap().unwrap();
        assert_eq!(operations.lease(&lease(Some("a")), begun).await.unwrap(), None, "b has it");
        let now = Revised { value: lease(Some("b")), revision: taken };
        assert_eq!(operations.leases().await.unwrap(), [now]);

        operations.close(id(1)).await.unwrap();
        operations.close(id(1)).await.unwrap();
        assert_eq!(operations.leases().await.unwrap(), []);
        assert!(operations.records(id(1), 0).await.is_err());
        assert_eq!(operations.list::<String>().await.unwrap(), ["old"]);
        operations.remove(id(1)).await.unwrap();
        assert_eq!(operations.get::<String>(id(1)).await.unwrap(), None);
    }
}
