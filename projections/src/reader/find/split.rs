//! A condition → what lists by equality know, and the rest.

use kantoku_domain::Namespace;

use crate::{
    query::{Condition, Field, Scalar, Test},
    reader::Filter,
};

/// What of `condition` a [`Filter`] can say, and what is left of it. Both must hold.
pub(in crate::reader) fn split(
    namespace: Option<&Namespace>,
    condition: &Condition,
) -> (Filter, Condition) {
    let mut filter = Filter { namespace: namespace.cloned(), ..Filter::default() };
    let parts = match condition {
        Condition::All(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let rest = parts.iter().filter(|part| !take(&mut filter, part)).cloned();
    let rest = Condition::all(rest.collect::<Vec<_>>());
    (filter, rest)
}

/// Whether `filter` says it now.
fn take(filter: &mut Filter, part: &Condition) -> bool {
    let Condition::Field(field, Test::Equals(value)) = part else { return false };
    match (field.column, value) {
        (Some("labels"), Scalar::Text(text)) => label(filter, field, text),
        (Some(column), Scalar::Text(text)) => text_column(filter, column, text),
        (Some("context_id"), Scalar::Id(id)) => put(&mut filter.context_id, *id),
        (Some("paused"), Scalar::Bool(paused)) => put(&mut filter.paused, *paused),
        _ => false,
    }
}

fn text_column(filter: &mut Filter, column: &str, text: &str) -> bool {
    if text.is_empty() {
        // Of the second status, lists take it for none.
        return false;
    }
    let slot = match column {
        "status" => &mut filter.status,
        "sub_status" => &mut filter.sub_status,
        "specification" => &mut filter.specification,
        "pipeline" => &mut filter.pipeline,
        "namespace" => {
            return text.parse().is_ok_and(|parsed| put(&mut filter.namespace, parsed));
        }
        _ => return false,
    };
    put(slot, text.to_owned())
}

fn label(filter: &mut Filter, field: &Field, text: &str) -> bool {
    let Some(name) = field.path.last().filter(|name| !filter.labels.contains_key(*name)) else {
        return false;
    };
    filter.labels.insert(name.clone(), text.to_owned());
    true
}

/// What is said already stays.
fn put<T>(slot: &mut Option<T>, value: T) -> bool {
    let is_free = slot.is_none();
    if is_free {
        *slot = Some(value);
    }
    is_free
}
