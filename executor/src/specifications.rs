//! The specifications that attempts run, each version looked up once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kantoku_domain::{
    Id, Kind, Name, Namespace, Specification,
    specification::Applied,
    task::{Failure, SpecificationRef},
};
use kantoku_streams::Ledger;

use crate::{failure, patience::patiently};

/// How many versions are kept.
const KEPT_MAX: usize = 1_024;

type Key = (Namespace, SpecificationRef);

/// Versions of specifications. A version never changes, so what is kept stays true.
pub(crate) struct Specifications {
    ledger: Ledger,
    kept: Mutex<HashMap<Key, Arc<Applied>>>,
}

impl Specifications {
    /// Over `ledger`.
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger, kept: Mutex::default() }
    }

    /// The version that `reference` names.
    pub(crate) async fn get(
        &self,
        namespace: &Namespace,
        reference: &SpecificationRef,
    ) -> Result<Arc<Applied>, Failure> {
        let key = (namespace.clone(), reference.clone());
        if let Some(found) = self.lock().get(&key) {
            return Ok(Arc::clone(found));
        }
        let versions = self.versions(namespace, &reference.name).await?;
        let found = versions.into_iter().find(|applied| applied.version == reference.version);
        let found = Arc::new(found.ok_or_else(|| {
            failure::start(format!(
                "specification {:?} has no version {}",
                reference.name.as_str(),
                reference.version
            ))
        })?);
        self.keep(key, &found);
        Ok(found)
    }

    /// The latest version of `name`, as it is now.
    pub(crate) async fn latest(
        &self,
        namespace: &Namespace,
        name: &Name,
    ) -> Result<Arc<Applied>, Failure> {
        let latest = self.versions(namespace, name).await?.into_iter().next_back();
        let latest = latest.ok_or_else(|| {
            failure::start(format!("there is no specification {:?}", name.as_str()))
        })?;
        let latest = Arc::new(latest);
        self.keep((namespace.clone(), latest.reference()), &latest);
        Ok(latest)
    }

    async fn versions(&self, namespace: &Namespace, name: &Name) -> Result<Vec<Applied>, Failure> {
        let id = Id::named(namespace, Kind::Specification, name.as_str());
        let load = || Box::pin(self.ledger.load::<Specification>(namespace, id));
        Ok(patiently(load).await?.state.versions)
    }

    fn keep(&self, key: Key, applied: &Arc<Applied>) {
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            // Any will do: it is looked up again.
            let any = kept.keys().next().cloned();
            any.and_then(|any| kept.remove(&any));
        }
        kept.insert(key, Arc::clone(applied));
    }

    /// No entry is ever half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Applied>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
