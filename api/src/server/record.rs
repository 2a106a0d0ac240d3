//! `task.*`, `context.*` and `resource.*`: `get`, `list`

use std::sync::Arc;

use kantoku_domain::{Id, Namespace};
use kantoku_projections::{
    document::{ContextDocument, Record, ResourceDocument, TaskDocument},
    reader::{Find, Page, Sort},
};
use serde::Serialize;
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use super::{Api, Module, travel::Moment};
use crate::{
    ApiError, Code,
    contract::{
        ContextGet, ContextList, ListParams, ReadParams, ResourceGet, ResourceList, TaskGet,
        TaskList,
    },
};

/// How many items a page has unless it says otherwise.
const LIMIT: u32 = 100;

pub(super) fn register(module: &mut Module) {
    module.register::<TaskGet>(get_task);
    module.register_raw::<TaskList>(list_tasks);
    module.register::<ContextGet>(get_context);
    module.register_raw::<ContextList>(list::<ContextDocument>);
    module.register::<ResourceGet>(get_resource);
    module.register_raw::<ResourceList>(list::<ResourceDocument>);
}

async fn get_task(api: Arc<Api>, params: ReadParams) -> Result<TaskDocument, ApiError> {
    let (moment, namespace, id) = which::<TaskDocument>(&api, params).await?;
    match moment {
        None => Ok(api.reader.task(&namespace, id).await?.document),
        Some(moment) => moment.task(&api, &namespace, id).await,
    }
}

async fn get_context(api: Arc<Api>, params: ReadParams) -> Result<ContextDocument, ApiError> {
    let (moment, namespace, id) = which::<ContextDocument>(&api, params).await?;
    match moment {
        None => Ok(api.reader.record(&namespace, id).await?.document),
        Some(moment) => moment.context(&api, &namespace, id).await,
    }
}

async fn get_resource(api: Arc<Api>, params: ReadParams) -> Result<ResourceDocument, ApiError> {
    let (moment, namespace, id) = which::<ResourceDocument>(&api, params).await?;
    match moment {
        None => Ok(api.reader.record(&namespace, id).await?.document),
        Some(moment) => moment.resource(&api, &namespace, id).await,
    }
}

/// What is asked for: as of when, whose, and which.
async fn which<T: Record>(
    api: &Api,
    params: ReadParams,
) -> Result<(Option<Moment>, Namespace, Id), ApiError> {
    let moment = api.moment(&params).await?;
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<T>(&namespace, &params.id).await;
    let id = id.map_err(|error| match &moment {
        Some(moment) => moment.not_found(error),
        None => error,
    })?;
    Ok((moment, namespace, id))
}

async fn list_tasks(api: Arc<Api>, params: ListParams) -> Result<Box<RawValue>, ApiError> {
    let find = find::<TaskDocument>(&api, &params).await?;
    page(api.reader.find_tasks(&find).await?, params.fields.as_deref())
}

async fn list<T: Record>(api: Arc<Api>, params: ListParams) -> Result<Box<RawValue>, ApiError> {
    let find = find::<T>(&api, &params).await?;
    page(api.reader.find::<T>(&find).await?, params.fields.as_deref())
}

async fn find<T: Record>(api: &Api, params: &ListParams) -> Result<Find, ApiError> {
    api.catch_up(params.min_seq, params.timeout).await?;
    let namespace = params.namespace.clone().unwrap_or_default();
    let namespace = (!params.all_namespaces).then_some(namespace);
    let also = params.condition.as_deref();
    let sort = params.sort.as_deref().map(|sort| Sort::parse(T::FIELDS, sort)).transpose()?;
    Ok(Find {
        condition: api.condition(T::FIELDS, namespace.clone(), &params.filter, also).await?,
        namespace,
        sort: sort.unwrap_or_default(),
        skip: params.skip.unwrap_or_default(),
        limit: params.limit.unwrap_or(LIMIT),
        cursor: params.cursor.clone(),
    })
}

/// The page as it is written: with all fields of its items, or only these.
fn page<T: Serialize>(page: Page<T>, fields: Option<&[String]>) -> Result<Box<RawValue>, ApiError> {
    let broken = |error| ApiError::new(Code::Internal, error);
    let Some(fields) = fields else { return to_raw_value(&page).map_err(broken) };
    let cut = |item: T| Ok(project(&serde_json::to_value(item)?, fields));
    let items = page.items.into_iter().map(cut).collect::<Result<Vec<_>, serde_json::Error>>();
    let (next_cursor, as_of_seq) = (page.next_cursor, page.as_of_seq);
    let page = Page { items: items.map_err(broken)?, next_cursor, as_of_seq };
    to_raw_value(&page).map_err(broken)
}

/// What `fields` name in `document`, written like `status` or `labels.team`. What it does not have
/// is left out.
fn project(document: &Value, fields: &[String]) -> Value {
    let mut cut = Value::Object(Map::new());
    for field in fields {
        let path: Vec<&str> = field.split('.').collect();
        if let Some(found) = path.iter().try_fold(document, |value, key| value.get(key)) {
            put(&mut cut, &path, found.clone());
        }
    }
    cut
}

fn put(into: &mut Value, path: &[&str], value: Value) {
    let ([key, rest @ ..], Value::Object(map)) = (path, into) else { return };
    if rest.is_empty() {
        map.insert((*key).to_owned(), value);
    } else {
        put(map.entry(*key).or_insert_with(|| Map::new().into()), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_fields_that_are_asked_for_are_left() {
        let document = json!({"id": 1, "status": "ready", "labels": {"team": "a", "x": "y"}});
        let cut = |fields: &[&str]| {
            project(&document, &fields.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(cut(&["id", "labels.team"]), json!({"id": 1, "labels": {"team": "a"}}));
        assert_eq!(cut(&["labels.team", "labels"]), json!({"labels": {"team": "a", "x": "y"}}));
        assert_eq!(cut(&["labels", "labels.team"]), json!({"labels": {"team": "a", "x": "y"}}));
        assert_eq!(cut(&["nothing", "status.deeper"]), json!({}));
        assert_eq!(cut(&[]), json!({}));
    }
}
