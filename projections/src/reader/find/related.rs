//! What relations to other records come to: ids, in the state that the query sees.

use std::collections::BTreeSet;

use kantoku_domain::{Id, Timestamp};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{super::uuids, invalid};
use crate::{
    Error,
    query::{Condition, Known, Relation},
};

/// How many records a relation may come to.
const RELATED_MAX: usize = 10_000;
/// How often what waits for one that waits is looked for.
const ROUNDS_MAX: usize = 100;

const DOING: &str = "reading what records are related to others";

/// What `condition` is judged by, for a query that began at `now`.
pub(super) async fn known(
    connection: &mut PgConnection,
    condition: &Condition,
    now: Timestamp,
) -> Result<Known, Error> {
    let mut known = Known { now, ..Known::default() };
    for (relation, id) in condition.relations() {
        let ids = match relation {
            Relation::DescendantOf => descendants(connection, id).await?,
            Relation::BlockedBy => blocked(connection, id).await?,
            Relation::ProducedBy => outputs(connection, &[id].into()).await?,
        };
        if ids.len() > RELATED_MAX {
            let name = relation.name();
            let message = format!("{name} {id} comes to more than {RELATED_MAX} records");
            return Err(invalid("filter", message));
        }
        known.related.insert((relation, id), ids);
    }
    Ok(known)
}

/// One more than there may be tells that there are too many.
const LIMIT: i64 = RELATED_MAX as i64 + 1;

async fn descendants(connection: &mut PgConnection, id: Id) -> Result<BTreeSet<Id>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "WITH RECURSIVE spawned AS ( \
             SELECT id FROM tasks WHERE parent_id = $1 UNION \
             SELECT tasks.id FROM spawned JOIN tasks ON tasks.parent_id = spawned.id) \
         SELECT id FROM spawned LIMIT $2",
    )
    .bind(id.uuid())
    .bind(LIMIT)
    .fetch_all(connection)
    .await
    .map_err(Error::database(DOING))?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// The tasks that wait for `id`, those that wait for them, and so on.
async fn blocked(connection: &mut PgConnection, id: Id) -> Result<BTreeSet<Id>, Error> {
    let mut found = BTreeSet::new();
    let mut next: BTreeSet<Id> = live(connection, id).await?.into_iter().collect();
    for _ in 0..ROUNDS_MAX {
        if next.is_empty() || found.len() > RELATED_MAX {
            return Ok(found);
        }
        let resources = outputs(connection, &next).await?;
        let named = next.iter().chain(&resources).map(|id| Json(id.to_string())).collect();
        let waiting = waiting_for(connection, id, named).await?;
        next = waiting.difference(&found).copied().collect();
        found.extend(&next);
    }
    Err(invalid("filter", format!("what is blocked by {id} waits in chains of over {ROUNDS_MAX}")))
}

/// The task itself, unless it has ended or there is none.
async fn live(connection: &mut PgConnection, id: Id) -> Result<Option<Id>, Error> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tasks \
         WHERE id = $1 AND status IN ('initialized', 'ready', 'received')",
    )
    .bind(id.uuid())
    .fetch_optional(connection)
    .await
    .map_err(Error::database(DOING))?;
    Ok(found.map(Id::from_uuid))
}

/// The resources that these tasks resolve, or have resolved.
async fn outputs(
    connection: &mut PgConnection,
    tasks: &BTreeSet<Id>,
) -> Result<BTreeSet<Id>, Error> {
    let ids: Vec<Option<String>> = sqlx::query_scalar(
        "SELECT output ->> 'id' FROM tasks, jsonb_each(document -> 'outputs') of (name, output) \
         WHERE tasks.id = ANY($1) LIMIT $2",
    )
    .bind(uuids(tasks))
    .bind(LIMIT)
    .fetch_all(connection)
    .await
    .map_err(Error::database(DOING))?;
    Ok(ids.into_iter().flatten().filter_map(|id| id.parse().ok()).collect())
}

/// The tasks in the namespace of the task `of` that have not been announced and name one of these:
/// as an input, or in what they depend on.
async fn waiting_for(
    connection: &mut PgConnection,
    of: Id,
    named: Vec<Json<String>>,
) -> Result<BTreeSet<Id>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tasks \
         WHERE namespace = (SELECT namespace FROM tasks WHERE id = $1) AND status = 'initialized' \
           AND (EXISTS (SELECT FROM jsonb_path_query(document, '$.inputs.*.source.resource') it \
                        WHERE it = ANY($2)) \
                OR EXISTS (SELECT FROM jsonb_path_query(document, '$.depends_on.**') it \
                           WHERE it = ANY($2)) \
                OR EXISTS (SELECT FROM jsonb_path_query(document, '$.when.**') it \
                           WHERE it = ANY($2))) \
         LIMIT $3",
    )
    .bind(of.uuid())
    .bind(named)
    .bind(LIMIT)
    .fetch_all(connection)
    .await
    .map_err(Error::database(DOING))?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}
