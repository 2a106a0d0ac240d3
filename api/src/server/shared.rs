//! What the methods have in common.

use std::{collections::BTreeMap, time::Duration};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use kantoku_domain::{Aggregate, Id, Millis, Name, Namespace, nearest};
use kantoku_projections::{
    document::{Record, Versioned},
    query::Condition,
    reader::LIMIT_MAX,
};
use kantoku_streams::Loaded;
use uuid::Uuid;

use super::{Api, dispatch::Ground, weight::Patience};
use crate::{
    ApiError, Code,
    contract::{GetParams, TIMEOUT_DEFAULT, TIMEOUT_MAX},
};

/// Aggregates that are loaded at once.
const LOADS_AT_ONCE: usize = 64;

/// A new id, in an order of time.
pub(super) fn new_id() -> Id {
    Id::from_uuid(Uuid::now_v7())
}

/// For what takes long and does not wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::new(Code::Internal, error))
}

/// How long a call may wait.
pub(super) fn patience(asked: Option<Millis>) -> Result<Duration, ApiError> {
    let asked = asked.unwrap_or(TIMEOUT_DEFAULT);
    if asked > TIMEOUT_MAX {
        let message = format!("{asked} is more than {TIMEOUT_MAX}; wait less, and again");
        return Err(ApiError::new(Code::Invalid, message).field("timeout"));
    }
    Ok(asked.duration())
}

impl Ground for Api {
    fn reach(&self, patience: Patience) -> BoxFuture<'_, Result<(), ApiError>> {
        async move {
            let Some(min_seq) = patience.min_seq else { return Ok(()) };
            self.reader.wait_for(min_seq, patience.asked()).await?;
            Ok(())
        }
        .boxed()
    }
}

impl Api {
    /// Waits for the position that an answer has to be as of.
    pub(super) async fn catch_up(
        &self,
        min_seq: Option<u64>,
        timeout: Option<Millis>,
    ) -> Result<(), ApiError> {
        let patience = patience(timeout)?;
        if let Some(min_seq) = min_seq {
            self.reader.wait_for(min_seq, patience).await?;
        }
        Ok(())
    }

    /// The record that `params` name, once the read model is as of their `min_seq`: whose, and
    /// which.
    pub(super) async fn named<T: Record>(
        &self,
        params: GetParams,
    ) -> Result<(Namespace, Id), ApiError> {
        self.catch_up(params.min_seq, params.timeout).await?;
        let namespace = params.namespace.unwrap_or_default();
        let id = self.resolve::<T>(&namespace, &params.id).await?;
        Ok((namespace, id))
    }

    /// The id that `id` is the beginning of. A whole id is taken as it is: commands must not
    /// depend on the read model.
    pub(super) async fn resolve<T: Record>(
        &self,
        namespace: &Namespace,
        id: &str,
    ) -> Result<Id, ApiError> {
        if let Ok(id) = id.parse() {
            return Ok(id);
        }
        Ok(self.reader.resolve::<T>(namespace, id).await?)
    }

    /// The names of all specifications, types or pipelines, or as many as one page holds. For
    /// suggestions: without the read model there are none.
    pub(super) async fn names<T: Versioned>(&self, namespace: &Namespace) -> Vec<String> {
        let all = Condition::always();
        let page = self.reader.versions::<T>(namespace, &all, LIMIT_MAX, None).await;
        let items = page.map(|page| page.items).unwrap_or_default();
        items.iter().map(|item| item.name().to_owned()).collect()
    }

    /// That there is no such specification, type or pipeline, with the name that was probably
    /// meant. `field` is where it was written.
    pub(super) async fn no_such<T: Versioned>(
        &self,
        namespace: &Namespace,
        field: &str,
        name: &Name,
    ) -> ApiError {
        let known = self.names::<T>(namespace).await;
        let message = match nearest(name.as_str(), known.iter().map(String::as_str)) {
            Some(meant) => format!("there is no {} {name}; did you mean {meant:?}?", T::KIND),
            None => format!("there is no {} {name} in namespace {namespace}", T::KIND),
        };
        ApiError::new(Code::NotFound, message).field(field)
    }

    /// The aggregates of these names as they are now; those that do not exist are their defaults.
    pub(super) async fn load_named<A: Aggregate>(
        &self,
        namespace: &Namespace,
        names: impl IntoIterator<Item = Name>,
    ) -> Result<BTreeMap<Name, Loaded<A>>, ApiError> {
        let load = async |name: Name| {
            let id = Id::named(namespace, A::KIND, name.as_str());
            let loaded = self.bus.ledger().load::<A>(namespace, id).await?;
            Ok((name, loaded))
        };
        let loads: Vec<_> = names.into_iter().map(|name| load(name).boxed()).collect();
        stream::iter(loads).buffer_unordered(LOADS_AT_ONCE).try_collect().await
    }
}
