//! `operation.start`, `operation.list`, `operation.cancel`: the same for many records at once.
//!
//! A filter is frozen to ids (`select`), which are kept in NATS with all that is known of the operation
//! (`record`). Whichever server holds its lease (`keep`) carries it out (`run`), record by record, by
//! the very commands that people send (`each`).

mod each;
mod keep;
mod record;
mod run;
mod select;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kantoku_domain::{Id, Namespace};
use kantoku_streams::{Bus, Fault, OperationLease, Operations, now};
use tokio::sync::{Notify, Semaphore};

use super::{Api, ApiConfig, Caller, Module, command::Ids, shared::new_id};
use crate::{
    ApiError, Code,
    contract::{
        Method as _, Operation, OperationCancel, OperationCancelParams, OperationList,
        OperationListParams, OperationPage, OperationStart, OperationStartParams, OperationStarted,
    },
};
pub(super) use keep::keep;
use record::Record;
use select::Selected;

/// Operations that one server carries out at once.
const RUN_AT_ONCE: usize = 4;
/// How many items a page has unless it says otherwise, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;
/// How often a cancellation is tried against the progress of whoever carries the operation out.
const CANCEL_TRIES: usize = 20;

/// What a server knows of operations over many records.
pub(crate) struct Bulks {
    kept: Operations,
    /// This run of the server, as leases name it.
    holder: String,
    /// How long another may be silent.
    lease: Duration,
    /// Those that it carries out.
    running: Mutex<HashSet<Id>>,
    room: Arc<Semaphore>,
    /// Rung when one is started.
    started: Notify,
}

impl Bulks {
    /// Over the bucket of operations.
    pub(super) async fn open(bus: &Bus, config: &ApiConfig) -> Result<Self, Fault> {
        Ok(Self {
            kept: bus.operations().await?,
            holder: format!("{}/{}", config.service_id, new_id()),
            lease: config.limits.operation_lease,
            running: Mutex::default(),
            room: Arc::new(Semaphore::new(RUN_AT_ONCE)),
            started: Notify::new(),
        })
    }

    fn running(&self) -> MutexGuard<'_, HashSet<Id>> {
        // Nothing that holds the lock can panic half-way.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn register(module: &mut Module) {
    module.register_command::<OperationStart>(start);
    module.register_command::<OperationCancel>(cancel);
    module.register::<OperationList>(list);
}

async fn start(
    api: Arc<Api>,
    caller: Caller,
    params: OperationStartParams,
) -> Result<OperationStarted, ApiError> {
    let namespace = params.namespace.clone().unwrap_or_default();
    let key = params.idempotency_key.as_deref();
    let ids = Ids::of(&namespace, OperationStart::NAME, key);
    if !params.dry_run
        && ids.is_keyed()
        && let Some(known) = api.bulks.kept.get::<Record>(ids.command).await?
    {
        return started_before(&known.value, &params);
    }
    each::check(&params.action, params.kind)?;
    let selected = select::select(&api, &namespace, &params).await?;
    if params.dry_run {
        return selected.preview(&api, &namespace, params.kind).await;
    }
    selected.expect(params.expect_count)?;
    freeze(&api, &caller, ids.command, namespace, params, selected).await
}

/// The answer to a start whose key was used before.
fn started_before(
    known: &Record,
    params: &OperationStartParams,
) -> Result<OperationStarted, ApiError> {
    if !known.is_asked_for(params) {
        let message = "the idempotency key was used before for another operation; use a fresh one";
        let error = ApiError::new(Code::Rejected, message).reason("already_exists");
        let mut error = error.field("idempotency_key");
        error.data.winner = Some(known.operation.id);
        return Err(error);
    }
    Ok(known.started())
}

/// Keeps the operation: from then on it will be carried out.
async fn freeze(
    api: &Arc<Api>,
    caller: &Caller,
    id: Id,
    namespace: Namespace,
    params: OperationStartParams,
    selected: Selected,
) -> Result<OperationStarted, ApiError> {
    let bulks = &api.bulks;
    let open = bulks.kept.leases().await?.len();
    if open >= Operations::OPEN_MAX {
        let message =
            format!("{open} operations run already: wait for the end of one, or cancel one");
        return Err(ApiError::new(Code::Limit, message).reason("operations"));
    }
    let record = Record::new(id, caller, namespace, params, &selected);
    // It is whoever's comes first once it is there; until then it is ours.
    let lease = OperationLease { id, holder: Some(bulks.holder.clone()) };
    let being_started = || {
        let message = "an operation with this idempotency key is being started: ask again";
        ApiError::new(Code::Conflict, message)
    };
    let revision = bulks.kept.begin(&lease).await?.ok_or_else(being_started)?;
    bulks.kept.put(id, &record, &selected.ids).await?.ok_or_else(being_started)?;
    let free = OperationLease { id, holder: None };
    // One that stays ours is taken over after a while, by this server or another.
    bulks.kept.lease(&free, revision).await?;
    bulks.started.notify_one();
    Ok(record.started())
}

/// One operation of a namespace.
pub(super) async fn get(api: &Api, id: Id, namespace: &Namespace) -> Result<Operation, ApiError> {
    Ok(find(api, id, namespace).await?.0.into_operation())
}

async fn find(api: &Api, id: Id, namespace: &Namespace) -> Result<(Record, u64), ApiError> {
    let known = api.bulks.kept.get::<Record>(id).await?;
    match known.filter(|known| known.value.bulk().namespace == *namespace) {
        Some(known) => Ok((known.value, known.revision)),
        None => {
            Err(ApiError::new(Code::NotFound, format!("there is no operation {id}")).field("id"))
        }
    }
}

async fn list(api: Arc<Api>, params: OperationListParams) -> Result<OperationPage, ApiError> {
    let limit = params.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("{limit} is not 1 to {LIMIT_MAX}");
        return Err(ApiError::new(Code::Invalid, message).field("limit"));
    }
    let wrong =
        |_| ApiError::new(Code::Invalid, "it is no cursor of a page before").field("cursor");
    let before = params.cursor.map(|cursor| cursor.parse::<Id>()).transpose().map_err(wrong)?;
    let namespace = params.namespace.unwrap_or_default();
    let known = api.bulks.kept.list::<Record>().await?.into_iter();
    let mut items: Vec<Operation> = known
        .filter(|it| params.all_namespaces || it.bulk().namespace == namespace)
        .map(Record::into_operation)
        .collect();
    items.sort_by_key(|it| std::cmp::Reverse((it.started_at, it.id)));
    if let Some(before) = before {
        let at = items.iter().position(|it| it.id == before);
        items.drain(..at.map_or(items.len(), |at| at + 1));
    }
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let last = items.last().filter(|_| has_more);
    Ok(OperationPage { next_cursor: last.map(|it| it.id.to_string()), items })
}

/// Whoever carries it out sees that between two records.
async fn cancel(
    api: Arc<Api>,
    caller: Caller,
    params: OperationCancelParams,
) -> Result<Operation, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    for _ in 0..CANCEL_TRIES {
        let (mut record, revision) = find(&api, params.id, &namespace).await?;
        if record.bulk().cancelled_by.is_some() {
            return Ok(record.into_operation());
        }
        if record.has_ended() {
            let message = "the operation cannot be cancelled: it has ended";
            return Err(ApiError::new(Code::Rejected, message).reason("terminal"));
        }
        record.bulk_mut().cancelled_by = Some(caller.actor.to_string());
        if api.bulks.kept.update(params.id, &record, revision).await?.is_some() {
            tracing::info!(operation = %params.id, at = %now(), "an operation is to stop");
            return Ok(record.into_operation());
        }
    }
    let message = "the operation changed each time it was to be stopped: try again";
    Err(ApiError::new(Code::Conflict, message))
}
