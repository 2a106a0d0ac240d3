//! Lists in the order of change from an index that is in that order within each status only: it is
//! asked once for each namespace and status, and what it gives is merged. So one index serves lists of
//! one status and of all.

use sqlx::{Postgres, QueryBuilder};

use super::Filter;
use crate::document::Record;

/// The second statuses that there are; none among them.
const SUB_STATUSES: [&str; 3] = ["", "ok", "failed"];

/// Whether a list of `T` is found so. Others have an index of their own: there are few in them, or it
/// is in the order of change itself.
pub(super) fn are_asked<T: Record>(filter: &Filter) -> bool {
    let few = filter.context_id.is_some() || filter.restart_root.is_some();
    let few = few || filter.paused == Some(true);
    let in_order = filter.namespace.is_some() && filter.status.is_none();
    let in_order = in_order && (filter.specification.is_some() || filter.pipeline.is_some());
    !few && !in_order && T::COLUMNS.contains(&"status")
}

/// Begins a query of `id` and `document`: up to where the conditions of the rows of one place stand.
pub(super) fn push_begin<T: Record>(sql: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if filter.namespace.is_none() {
        // From one to the next by the index, however many rows each has.
        sql.push(format!(
            "WITH RECURSIVE spaces AS ( \
                 (SELECT namespace FROM {table} ORDER BY namespace LIMIT 1) UNION ALL \
                 SELECT (SELECT {table}.namespace FROM {table} \
                         WHERE {table}.namespace > spaces.namespace ORDER BY 1 LIMIT 1) \
                 FROM spaces WHERE spaces.namespace IS NOT NULL) ",
            table = T::TABLE
        ));
    }
    sql.push("SELECT found.id, found.document FROM (SELECT ");
    match &filter.namespace {
        Some(namespace) => {
            sql.push_bind(namespace.as_str().to_owned()).push("::text AS namespace) space, ");
        }
        None => {
            sql.push("namespace FROM spaces WHERE namespace IS NOT NULL) space, ");
        }
    }
    let all = || T::STATUSES.iter().map(ToString::to_string).collect();
    let statuses: Vec<String> = filter.status.clone().map_or_else(all, |status| vec![status]);
    sql.push("UNNEST(").push_bind(statuses).push("::text[]) AS of_status (status), ");
    if has_sub_status::<T>() {
        let all = || SUB_STATUSES.map(str::to_owned).to_vec();
        let subs = filter.sub_status.clone().map_or_else(all, |sub_status| vec![sub_status]);
        sql.push("UNNEST(").push_bind(subs).push("::text[]) AS of_sub (sub_status), ");
    }
    sql.push(format!("LATERAL (SELECT id, updated_at, document FROM {}", T::TABLE));
}

/// What a filter asks for besides the place. Asked for twice, it would look rarer than it is.
pub(super) fn rest<T: Record>(filter: &Filter) -> Filter {
    let mut rest = Filter { status: None, ..filter.clone() };
    if has_sub_status::<T>() {
        rest.sub_status = None;
    }
    rest
}

/// The condition that a row is of the place; behind the others.
pub(super) fn push_condition<T: Record>(sql: &mut QueryBuilder<Postgres>) {
    sql.push(" AND namespace = space.namespace AND status = of_status.status");
    if has_sub_status::<T>() {
        // As the index has it.
        sql.push(" AND COALESCE(sub_status, '') = of_sub.sub_status");
    }
}

/// Ends what was begun, behind the order and the limit of the rows of one place.
pub(super) fn push_end(sql: &mut QueryBuilder<Postgres>, order: &str, limit: i64) {
    sql.push(format!(") found ORDER BY found.updated_at {order}, found.id {order} LIMIT "));
    sql.push_bind(limit);
}

fn has_sub_status<T: Record>() -> bool {
    T::COLUMNS.contains(&"sub_status")
}
