//! `task.*`, `context.*` and `resource.*`: `count`, `distinct`

use std::sync::Arc;

use kantoku_projections::{
    document::{ContextDocument, Record, ResourceDocument, TaskDocument},
    query::{Catalogue, Field},
};

use super::{Api, Module};
use crate::{
    ApiError, Code,
    contract::{
        ContextCount, ContextDistinct, CountParams, Counts, Distinct, DistinctParams, Group,
        Groups, ResourceCount, ResourceDistinct, TaskCount, TaskDistinct,
    },
};

/// How many values are told unless it is said otherwise.
const LIMIT: u32 = 100;

pub(super) fn register(module: &mut Module) {
    module.register::<TaskCount>(count::<TaskDocument>);
    module.register::<TaskDistinct>(distinct::<TaskDocument>);
    module.register::<ContextCount>(count::<ContextDocument>);
    module.register::<ContextDistinct>(distinct::<ContextDocument>);
    module.register::<ResourceCount>(count::<ResourceDocument>);
    module.register::<ResourceDistinct>(distinct::<ResourceDocument>);
}

async fn count<T: Record>(api: Arc<Api>, params: CountParams) -> Result<Counts, ApiError> {
    let by = params.by.as_deref().map(|by| field::<T>("by", by)).transpose()?;
    if by.is_none() && params.limit.is_some() {
        let message = "it limits for how many values of `by` is counted: name a field there";
        return Err(ApiError::new(Code::Invalid, message).field("limit"));
    }
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = params.namespace.unwrap_or_default();
    let namespace = (!params.all_namespaces).then_some(namespace);
    let also = params.condition.as_deref();
    let condition = api.condition(T::FIELDS, namespace.clone(), &params.filter, also).await?;
    let namespace = namespace.as_ref();
    let (by_status, as_of_seq) = api.reader.count_found::<T>(namespace, &condition).await?;
    let groups = match by {
        None => None,
        Some(by) => {
            let limit = params.limit.unwrap_or(LIMIT);
            let found = api.reader.count_by::<T>(&by, namespace, &condition, limit).await?;
            let items = found.values.into_iter().map(|(value, count)| Group { value, count });
            Some(Groups {
                items: items.collect(),
                complete: found.is_complete,
                as_of_seq: found.as_of_seq,
            })
        }
    };
    Ok(Counts { total: by_status.values().sum(), by_status, groups, as_of_seq })
}

async fn distinct<T: Record>(api: Arc<Api>, params: DistinctParams) -> Result<Distinct, ApiError> {
    let field = field::<T>("field", &params.field)?;
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = params.namespace.unwrap_or_default();
    let namespace = (!params.all_namespaces).then_some(namespace);
    let also = params.condition.as_deref();
    let condition = api.condition(T::FIELDS, namespace.clone(), &params.filter, also).await?;
    let limit = params.limit.unwrap_or(LIMIT);
    let found = api.reader.distinct::<T>(&field, namespace.as_ref(), &condition, limit).await?;
    Ok(Distinct { values: found.values, complete: found.is_complete, as_of_seq: found.as_of_seq })
}

/// The field that the parameter `parameter` names.
fn field<T: Record>(parameter: &str, written: &str) -> Result<Field, ApiError> {
    let field = T::FIELDS.field(&Catalogue::keys(written));
    field.map_err(|message| ApiError::new(Code::Invalid, message).field(parameter))
}
