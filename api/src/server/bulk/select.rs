//! Which records an operation is about: a filter, frozen to ids.

use kantoku_domain::{Id, Namespace};
use kantoku_projections::{
    document::{ContextDocument, Record, ResourceDocument, TaskDocument},
    query::Condition,
    reader::Find,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Api;
use crate::{
    ApiError, Code,
    contract::{BulkKind, OperationStartParams, OperationStarted, SAMPLE_MAX},
};

/// How long the two spellings of a filter may be, in bytes, as they are kept with the operation.
const FILTER_BYTES_MAX: usize = 16 * 1024;

/// What a filter is about.
pub(super) struct Selected {
    /// In the order of ids.
    pub(super) ids: Vec<Id>,
    /// The position that this is as of.
    pub(super) as_of_seq: u64,
    condition: Condition,
}

/// Finds the records that are asked for.
pub(super) async fn select(
    api: &Api,
    namespace: &Namespace,
    params: &OperationStartParams,
) -> Result<Selected, ApiError> {
    let filter = serde_json::to_vec(&params.filter).map_or(0, |json| json.len());
    let bytes = filter + params.condition.as_ref().map_or(0, String::len);
    if bytes > FILTER_BYTES_MAX {
        let message = format!("the filter has {bytes} bytes and may have {FILTER_BYTES_MAX}");
        return Err(ApiError::new(Code::Invalid, message).field("filter"));
    }
    api.catch_up(params.min_seq, params.timeout).await?;
    match params.kind {
        BulkKind::Task => find::<TaskDocument>(api, namespace, params).await,
        BulkKind::Context => find::<ContextDocument>(api, namespace, params).await,
        BulkKind::Resource => find::<ResourceDocument>(api, namespace, params).await,
    }
}

async fn find<T: Record>(
    api: &Api,
    namespace: &Namespace,
    params: &OperationStartParams,
) -> Result<Selected, ApiError> {
    let also = params.condition.as_deref().filter(|text| !text.trim().is_empty());
    let condition = api.condition(T::FIELDS, Some(namespace.clone()), &params.filter, also).await?;
    if condition.holds_of_all() {
        let kind = params.kind.name();
        let message = format!(
            "the filter is about every {kind} there is: say which are meant, e.g. by status, \
             specification, label or time"
        );
        return Err(ApiError::new(Code::Invalid, message).reason("empty_filter").field("filter"));
    }
    let (ids, as_of_seq) = api.reader.find_ids::<T>(Some(namespace), &condition).await?;
    Ok(Selected { ids, as_of_seq, condition })
}

impl Selected {
    /// Says what an operation would be about.
    pub(super) async fn preview(
        self,
        api: &Api,
        namespace: &Namespace,
        kind: BulkKind,
    ) -> Result<OperationStarted, ApiError> {
        let find = Find {
            namespace: Some(namespace.clone()),
            condition: self.condition,
            limit: SAMPLE_MAX as u32,
            ..Find::default()
        };
        let sample = match kind {
            BulkKind::Task => documents(api.reader.find_tasks(&find).await?.items),
            BulkKind::Context => documents(api.reader.find::<ContextDocument>(&find).await?.items),
            BulkKind::Resource => {
                documents(api.reader.find::<ResourceDocument>(&find).await?.items)
            }
        };
        let (count, as_of_seq) = (self.ids.len() as u64, self.as_of_seq);
        Ok(OperationStarted { operation_id: None, count, sample: sample?, as_of_seq })
    }

    /// Whether they are as many as in a preview, and any at all.
    pub(super) fn expect(&self, count: Option<u64>) -> Result<(), ApiError> {
        let found = self.ids.len() as u64;
        if let Some(count) = count.filter(|count| *count != found) {
            let message = format!(
                "it is about {found} records now, and was to be about {count}: look again, and give \
                 the new count"
            );
            let mut error = ApiError::new(Code::Conflict, message).reason("count").for_good();
            error.data.current = Some(found.to_string());
            return Err(error.field("expect_count"));
        }
        if found == 0 {
            let message = "nothing is so as the filter says: there is nothing to be done";
            return Err(ApiError::new(Code::Rejected, message).reason("nothing").field("filter"));
        }
        Ok(())
    }
}

fn documents<T: Serialize>(items: Vec<T>) -> Result<Vec<Map<String, Value>>, ApiError> {
    let broken = |error| ApiError::new(Code::Internal, error);
    let document = |item: T| match serde_json::to_value(item) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(broken(error)),
    };
    items.into_iter().map(document).collect()
}
