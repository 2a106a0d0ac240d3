//! `specification.*`, `type.*` and `pipeline.*`: `get`, `list`

use std::sync::Arc;

use kantoku_projections::{
    document::{PipelineDocument, SpecificationDocument, TypeDocument, Versioned},
    reader::Page,
};

use super::{Api, Module};
use crate::{
    ApiError, Code,
    contract::{
        NamesParams, PipelineGet, PipelineList, SpecificationGet, SpecificationList, TypeGet,
        TypeList, VersionParams,
    },
};

/// How many items a page has unless it says otherwise.
const LIMIT: u32 = 100;

pub(super) fn register(module: &mut Module) {
    module.register::<SpecificationGet>(get::<SpecificationDocument>);
    module.register::<SpecificationList>(list::<SpecificationDocument>);
    module.register::<TypeGet>(get::<TypeDocument>);
    module.register::<TypeList>(list::<TypeDocument>);
    module.register::<PipelineGet>(get::<PipelineDocument>);
    module.register::<PipelineList>(list::<PipelineDocument>);
}

async fn get<T: Versioned>(api: Arc<Api>, params: VersionParams) -> Result<T, ApiError> {
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = params.namespace.unwrap_or_default();
    let found = api.reader.version::<T>(&namespace, &params.name, params.version).await;
    match found.map_err(ApiError::from) {
        Ok(found) => Ok(found.document),
        Err(error) if error.code == Code::NotFound && params.version.is_none() => {
            let mut better = api.no_such::<T>(&namespace, "name", &params.name).await;
            better.message = format!("{}{}", better.message, as_of(&error.message));
            Err(better)
        }
        Err(error) => Err(error),
    }
}

/// The end of a message that says as of which position it is.
fn as_of(message: &str) -> &str {
    message.find(" (as of").map_or("", |at| &message[at..])
}

pub(super) async fn list<T: Versioned>(
    api: Arc<Api>,
    params: NamesParams,
) -> Result<Page<T>, ApiError> {
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = params.namespace.unwrap_or_default();
    let also = params.condition.as_deref();
    let condition = api.condition(T::FIELDS, Some(namespace.clone()), &params.filter, also).await?;
    let limit = params.limit.unwrap_or(LIMIT);
    let cursor = params.cursor.as_deref();
    Ok(api.reader.versions::<T>(&namespace, &condition, limit, cursor).await?)
}
