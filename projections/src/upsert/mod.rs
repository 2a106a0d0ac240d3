//! Rows → tables: one statement for all that changes, whatever the number of rows.

mod columns;
mod definitions;
mod index;
mod statement;
mod text;

use kantoku_domain::{Recorded, Timestamp};
use sqlx::{PgConnection, Postgres, Row as _, postgres::PgArguments, query::Query};

use self::{
    columns::{Contexts, Counts, Resources, Tasks},
    index::Index,
    statement::UPSERT,
};
use crate::{
    Error,
    cache::{Cache, Mark},
    checkpoint::CHANNEL,
    rows::Rows,
};

type Arguments<'q> = Query<'q, Postgres, PgArguments>;

/// Writes every changed row; and of a batch the index of its events, the position of the last of them,
/// and when their stream was created. Returns the checkpoint's mark once that is committed. `cache` has
/// then what was written, and again what was lent for it.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    mut rows: Rows,
    (events, last, stream_created): (&[&Recorded], &Recorded, Timestamp),
    cache: &mut Cache,
) -> Result<Mark, Error> {
    definitions::upsert(connection, &mut rows).await?;
    let (tasks, counts) = Tasks::of(&mut rows, &mut cache.tasks);
    let contexts = Contexts::of(&mut rows.contexts, &mut cache.contexts);
    let resources = Resources::of(&mut rows.resources, &mut cache.resources);
    let mut query = sqlx::query(UPSERT.as_str());
    query = tasks.bind(query);
    query = contexts.bind(query);
    query = resources.bind(query);
    query = Counts::of(counts).bind(query);
    query = Index::of(events).bind(query);
    let doing = "writing the rows of a batch";
    let written = query
        .bind(last.stream_seq as i64)
        .bind(last.metadata.event_id.uuid())
        .bind(stream_created.to_offset())
        .bind(CHANNEL)
        .fetch_one(connection)
        .await
        .map_err(Error::database(doing))?;
    written.try_get("mark").map(Mark).map_err(Error::database(doing))
}
