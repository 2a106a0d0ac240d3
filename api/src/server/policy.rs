//! `policy.*`

use std::sync::Arc;

use kantoku_domain::{Event, Id, Kind, Policy, policy};
use kantoku_projections::document::PolicyDocument;

use super::{Api, Caller, Module, command::Ordered, definition::list};
use crate::{
    ApiError, Code,
    contract::{
        Accepted, Method as _, PolicyDelete, PolicyDeleteParams, PolicyGet, PolicyList,
        PolicyParams,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register::<PolicyGet>(get);
    module.register::<PolicyList>(list::<PolicyDocument>);
    module.register_command::<PolicyDelete>(delete);
}

async fn get(api: Arc<Api>, params: PolicyParams) -> Result<PolicyDocument, ApiError> {
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = params.namespace.unwrap_or_default();
    match api.reader.version::<PolicyDocument>(&namespace, &params.name, None).await {
        Ok(found) if found.document.deleted.is_none() => Ok(found.document),
        Ok(_) | Err(kantoku_projections::Error::NotFound { .. }) => {
            Err(api.no_such::<PolicyDocument>(&namespace, "name", &params.name).await)
        }
        Err(error) => Err(error.into()),
    }
}

async fn delete(
    api: Arc<Api>,
    caller: Caller,
    params: PolicyDeleteParams,
) -> Result<Accepted, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = Id::named(&namespace, Kind::Policy, params.name.as_str());
    let key = params.idempotency_key.as_deref();
    let ordered = Ordered::of(&namespace, PolicyDelete::NAME, id, key);
    let is_it = |event: &Event| matches!(event, Event::PolicyDeleted(_));
    if let Some(first) = api.ordered_before(Kind::Policy, &ordered, is_it).await? {
        return Ok(Accepted { stream_seq: first.stream_seq });
    }
    let envelope = api.envelope(&caller, ordered.command_id, id, id);
    match api.execute::<Policy>(&namespace, &policy::Command::Delete, &envelope).await {
        Ok(outcome) => Ok(Accepted { stream_seq: outcome.stream_seq }),
        Err(error) if error.code == Code::NotFound => {
            Err(api.no_such::<PolicyDocument>(&namespace, "name", &params.name).await)
        }
        Err(error) => Err(error),
    }
}
