//! What is done to one record. The key of each command follows from the operation, so that a second
//! try finds what the first one did.

use std::sync::Arc;

use kantoku_domain::{Id, task};

use super::{
    super::{cancel, resource, restart},
    Api, Caller,
    record::Came,
};
use crate::{
    ApiError, Code,
    contract::{Bulk, BulkAction, BulkKind, CancelParams, ContextRestartParams, TaskRestartParams},
};

/// Whether this can be done to records of this kind, and be done at all.
pub(super) fn check(action: &BulkAction, kind: BulkKind) -> Result<(), ApiError> {
    let kinds: &[BulkKind] = match action {
        BulkAction::Cancel { .. } | BulkAction::Restart { .. } => {
            &[BulkKind::Task, BulkKind::Context]
        }
        BulkAction::Label { .. } => &[BulkKind::Task],
        BulkAction::Release {} => &[BulkKind::Resource],
    };
    if !kinds.contains(&kind) {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let (action, names) = (action.name(), names.join(" or "));
        let message = format!("{action} is for {names}, not for {}", kind.name());
        return Err(ApiError::new(Code::Invalid, message).field("kind"));
    }
    match label(action) {
        Some(label) => label.check().map_err(|rejection| {
            let field = format!("action.label.{}", rejection.field.as_deref().unwrap_or_default());
            ApiError::from(rejection).field(field)
        }),
        None => Ok(()),
    }
}

fn label(action: &BulkAction) -> Option<task::Label> {
    let BulkAction::Label { set, remove, overwrite } = action else { return None };
    let (set, remove, overwrite) = (set.clone(), remove.clone(), *overwrite);
    Some(task::Label { set, remove, overwrite })
}

/// Does it to one record.
pub(super) async fn apply(
    api: &Arc<Api>,
    caller: &Caller,
    operation_id: Id,
    bulk: &Bulk,
    id: Id,
) -> Result<Came, ApiError> {
    let key = format!("operation:{operation_id}");
    let namespace = Some(bulk.namespace.clone());
    let is_new = match &bulk.action {
        BulkAction::Cancel { reason, cascade } => {
            let params = CancelParams {
                id: id.to_string(),
                reason: reason.clone(),
                cascade: *cascade,
                idempotency_key: Some(key),
                namespace,
            };
            let of = &bulk.namespace;
            let given = match bulk.kind {
                BulkKind::Context => cancel::order_context(api, caller, of, id, params).await?,
                _ => cancel::order_task(api, caller, of, id, params).await?,
            };
            given.is_new
        }
        BulkAction::Restart { reason, outputs, version } => {
            let (api, caller) = (Arc::clone(api), caller.clone());
            let (id, reason, idempotency_key) = (id.to_string(), reason.clone(), Some(key));
            let (outputs, version) = (*outputs, *version);
            if bulk.kind == BulkKind::Context {
                let params = ContextRestartParams {
                    id,
                    outputs,
                    version,
                    reason,
                    idempotency_key,
                    namespace,
                    ..ContextRestartParams::default()
                };
                restart::restart_context(api, caller, params).await?;
            } else {
                let params = TaskRestartParams {
                    id,
                    outputs,
                    version,
                    reason,
                    idempotency_key,
                    namespace,
                    ..TaskRestartParams::default()
                };
                restart::restart_task(api, caller, params).await?;
            }
            true
        }
        BulkAction::Label { .. } => {
            let label = label(&bulk.action).unwrap_or_default();
            api.label(caller, &bulk.namespace, id, label, Some(&key)).await?.1
        }
        BulkAction::Release {} => {
            resource::release_one(api, caller, &bulk.namespace, id, Some(&key)).await?.1
        }
    };
    Ok(if is_new { Came::Changed } else { Came::Unchanged })
}
