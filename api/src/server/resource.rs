//! `resource.allocate`, `resource.initialize`, `resource.release`, `resource.load`

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use kantoku_domain::{
    Datum, Event, Id, Kind, Name, NamedType, Namespace, Resource, Type, resource::Command,
};
use kantoku_projections::document::{ResourceDocument, ResourceStatus, TypeDocument};
use kantoku_streams::BlobError;
use serde_json::Value;

use super::{
    Api, Caller, Module,
    command::{Ids, Ordered, used_before},
    sound,
};
use crate::{
    ApiError, Code,
    contract::{
        AllocateParams, Allocated, GetParams, InitializeItem, InitializeParams, Initialized,
        LoadedValue, Method as _, RESOURCES_MAX, ReleaseParams, ResourceAllocate,
        ResourceInitialize, ResourceLoad, ResourceRelease,
    },
};

/// Resources of one call that are worked on at once.
const AT_ONCE: usize = 128;

pub(super) fn register(module: &mut Module) {
    module.register_command::<ResourceAllocate>(allocate);
    module.register_command::<ResourceInitialize>(initialize);
    module.register_command::<ResourceRelease>(release);
    module.register::<ResourceLoad>(load);
}

fn check_count(count: usize, field: &str) -> Result<(), ApiError> {
    if (1..=RESOURCES_MAX).contains(&count) {
        return Ok(());
    }
    let message = format!("{count} resources are not 1 to {RESOURCES_MAX}");
    Err(ApiError::new(Code::Limit, message).field(field).for_good())
}

async fn allocate(
    api: Arc<Api>,
    caller: Caller,
    params: AllocateParams,
) -> Result<Allocated, ApiError> {
    check_count(params.count, "count")?;
    let namespace = params.namespace.unwrap_or_default();
    let type_ = resolved(&api, &namespace, &params.type_).await?;
    let key = params.idempotency_key.as_deref();
    let allocations: Vec<BoxFuture<'_, _>> = (0..params.count)
        .map(|index| {
            let key = key.map(|key| format!("{index}:{key}"));
            let ids = Ids::of(&namespace, ResourceAllocate::NAME, key.as_deref());
            allocate_one(&api, &caller, &namespace, ids, &type_).boxed()
        })
        .collect();
    let made: Vec<(Id, u64)> = stream::iter(allocations).buffered(AT_ONCE).try_collect().await?;
    let stream_seq = made.iter().map(|(_, seq)| *seq).max().unwrap_or_default();
    Ok(Allocated { ids: made.into_iter().map(|(id, _)| id).collect(), stream_seq })
}

async fn allocate_one(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    ids: Ids,
    type_: &Type,
) -> Result<(Id, u64), ApiError> {
    let id = ids.make("resource", ids.command.partition());
    let envelope = api.envelope(caller, ids.command, id, id);
    let command = Command::Allocate(type_.clone());
    let recorded = api.create::<Resource>(&ids, namespace, &command, &envelope).await?;
    match &recorded.event {
        Event::ResourceAllocated(allocated) if allocated.type_ == *type_ => {
            Ok((id, recorded.stream_seq))
        }
        _ => Err(used_before(&recorded)),
    }
}

/// A type with its references replaced by what they stand for now.
async fn resolved(api: &Api, namespace: &Namespace, type_: &Type) -> Result<Type, ApiError> {
    let names: Vec<Name> = type_.references().into_iter().cloned().collect();
    let known = api.load_named::<NamedType>(namespace, names).await?;
    let latest = |name: &Name| Some(known.get(name)?.state.latest.as_ref()?.definition.clone());
    let resolved = match type_.resolve(&latest) {
        Ok(resolved) => resolved,
        Err(name) => return Err(api.no_such::<TypeDocument>(namespace, "type", &name).await),
    };
    match sound::type_(&resolved, &["type"]) {
        None => Ok(resolved),
        Some(problem) => Err(ApiError::of_problems(&[problem])),
    }
}

async fn initialize(
    api: Arc<Api>,
    caller: Caller,
    params: InitializeParams,
) -> Result<Initialized, ApiError> {
    check_count(params.items.len(), "items")?;
    let namespace = params.namespace.unwrap_or_default();
    let key = params.idempotency_key.as_deref();
    let items = params.items.into_iter();
    let work = items.map(|item| initialize_one(&api, &caller, &namespace, item, key).boxed());
    each(work.collect()).await
}

async fn initialize_one(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    item: InitializeItem,
    key: Option<&str>,
) -> Result<u64, ApiError> {
    let InitializeItem { id, value } = item;
    let ordered = Ordered::of(namespace, ResourceInitialize::NAME, id, key);
    if let Some(first) = api.ordered_before(Kind::Resource, &ordered, |_| true).await? {
        // A large value is compared by its digest.
        let asked = api.datum(value).await?;
        return match &first.event {
            Event::ResourceInitialized(initialized) if initialized.value == asked => {
                Ok(first.stream_seq)
            }
            _ => Err(used_before(&first)),
        };
    }
    let loaded = api.bus.ledger().load::<Resource>(namespace, id).await?;
    // Nobody can look into a large value later on.
    if let Some(type_) = &loaded.state.type_ {
        let wrong = |error| ApiError::new(Code::Invalid, error).field("value");
        type_.check(&value).map_err(wrong)?;
    }
    let datum = if loaded.state.type_.is_some() {
        api.datum(value).await?
    } else {
        // It is refused; there is no use in storing it.
        Datum::Value(Value::Null)
    };
    let envelope = api.envelope(caller, ordered.command_id, id, id);
    let command = Command::Initialize(datum);
    Ok(api.execute::<Resource>(namespace, &command, &envelope).await?.stream_seq)
}

async fn release(
    api: Arc<Api>,
    caller: Caller,
    params: ReleaseParams,
) -> Result<Initialized, ApiError> {
    check_count(params.ids.len(), "ids")?;
    let namespace = params.namespace.unwrap_or_default();
    let release = async |id: Id| {
        let key = params.idempotency_key.as_deref();
        release_one(&api, &caller, &namespace, id, key).await.map(|(stream_seq, _)| stream_seq)
    };
    each(params.ids.into_iter().map(|id| release(id).boxed()).collect()).await
}

/// Releases one resource: the position to read from, and whether anything is different since.
pub(super) async fn release_one(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    id: Id,
    key: Option<&str>,
) -> Result<(u64, bool), ApiError> {
    let ordered = Ordered::of(namespace, ResourceRelease::NAME, id, key);
    let envelope = api.envelope(caller, ordered.command_id, id, id);
    let outcome = api.execute::<Resource>(namespace, &Command::Release, &envelope).await?;
    Ok((outcome.stream_seq, outcome.event.is_some()))
}

/// What becomes of each, in their order. The failure of the only one is that of the call.
async fn each(work: Vec<BoxFuture<'_, Result<u64, ApiError>>>) -> Result<Initialized, ApiError> {
    let results: Vec<Result<u64, ApiError>> = stream::iter(work).buffered(AT_ONCE).collect().await;
    if let [Err(error)] = results.as_slice() {
        return Err(error.clone());
    }
    let stream_seq = results.iter().flatten().copied().max().unwrap_or_default();
    let errors = results.into_iter().map(|result| result.err().map(|error| error.to_string()));
    Ok(Initialized { errors: errors.collect(), stream_seq })
}

async fn load(api: Arc<Api>, params: GetParams) -> Result<LoadedValue, ApiError> {
    let (namespace, id) = api.named::<ResourceDocument>(params).await?;
    let found = api.reader.record::<ResourceDocument>(&namespace, id).await?;
    let (resource, as_of_seq) = (found.document, found.as_of_seq);
    if let Some(value) = resource.value {
        return Ok(LoadedValue { id, value, as_of_seq });
    }
    let (Some(digest), Some(size)) = (resource.digest, resource.size) else {
        return Err(no_value(id, resource.status, as_of_seq));
    };
    let blob = kantoku_domain::BlobRef { digest, size };
    let bytes = api.bus.ledger().blobs().get(&blob).await?;
    let value = serde_json::from_slice(&bytes)
        .map_err(|_| ApiError::from(BlobError::Corrupt { digest: blob.digest }))?;
    Ok(LoadedValue { id, value, as_of_seq })
}

fn no_value(id: Id, status: ResourceStatus, as_of_seq: u64) -> ApiError {
    let (what, current) = match status {
        ResourceStatus::Failed => ("and never will have", "failed"),
        ResourceStatus::Released => ("and never will have: it was released", "released"),
        ResourceStatus::Allocated | ResourceStatus::Ready => ("yet", "allocated"),
    };
    let message = format!("resource {id} has no value {what} (as of position {as_of_seq})");
    let mut error = ApiError::new(Code::Rejected, message).reason("no_value");
    error.data.current = Some(current.into());
    error
}
