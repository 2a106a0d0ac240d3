//! Events that tasks wait for.

use std::collections::BTreeMap;

use kantoku_domain::{Id, Timestamp, dependency::EventPattern};
use sqlx::{AssertSqlSafe, PgConnection, types::Json, types::time::OffsetDateTime};
use uuid::Uuid;

use crate::{Error, document::TaskDocument};

/// How many events are looked at for one that has the labels. One that comes later makes its task
/// ready before long, and then nobody asks.
const EVENTS_MAX: u32 = 10_000;

/// For each task, those of the patterns that an event has matched since it began to wait, and when
/// that first happened: of all events, or of those up to `until`.
pub(super) async fn first(
    connection: &mut PgConnection,
    patterns: &[(&TaskDocument, EventPattern)],
    until: Option<u64>,
) -> Result<BTreeMap<Id, Vec<(EventPattern, Timestamp)>>, Error> {
    let (of_one, of_any): (Vec<_>, Vec<_>) =
        patterns.iter().partition(|(_, pattern)| pattern.id.is_some());
    let mut found = BTreeMap::new();
    for (patterns, of) in [(of_one, "event.id = wanted.id"), (of_any, "true")] {
        find(connection, &patterns, of, until, &mut found).await?;
    }
    Ok(found)
}

async fn find(
    connection: &mut PgConnection,
    patterns: &[&(&TaskDocument, EventPattern)],
    of: &str,
    until: Option<u64>,
    found: &mut BTreeMap<Id, Vec<(EventPattern, Timestamp)>>,
) -> Result<(), Error> {
    if patterns.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT wanted.place, matching.at \
         FROM UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[]) \
                  AS wanted (place, task_id, namespace, type, id, labels), \
         LATERAL (SELECT max(stream_seq) AS stream_seq FROM events \
                  WHERE id = wanted.task_id AND type IN ('TaskSpawned', 'TaskRevived') \
                    AND stream_seq <= $7) began, \
         LATERAL (SELECT event.at FROM ( \
                      SELECT id, at, stream_seq FROM events event \
                      WHERE event.namespace = wanted.namespace AND event.type = wanted.type \
                        AND event.stream_seq > began.stream_seq \
                        AND event.stream_seq <= $7 AND {of} \
                      ORDER BY stream_seq LIMIT {EVENTS_MAX}) event \
                  WHERE wanted.labels = '{{}}' \
                     OR EXISTS (SELECT FROM tasks \
                                WHERE tasks.id = event.id AND tasks.labels @> wanted.labels) \
                     OR EXISTS (SELECT FROM contexts \
                                WHERE contexts.id = event.id AND contexts.labels @> wanted.labels) \
                  ORDER BY event.stream_seq LIMIT 1) matching"
    );
    let of_patterns = || patterns.iter().map(|(_, pattern)| pattern);
    let rows: Vec<(i64, OffsetDateTime)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind((0..patterns.len() as i64).collect::<Vec<_>>())
        .bind(patterns.iter().map(|(task, _)| task.id.uuid()).collect::<Vec<_>>())
        .bind(patterns.iter().map(|(task, _)| task.namespace.to_string()).collect::<Vec<_>>())
        .bind(of_patterns().map(|pattern| pattern.type_.as_str()).collect::<Vec<_>>())
        .bind(of_patterns().map(|it| it.id.map(Id::uuid)).collect::<Vec<Option<Uuid>>>())
        .bind(of_patterns().map(|pattern| Json(&pattern.labels)).collect::<Vec<_>>())
        .bind(until.and_then(|until| i64::try_from(until).ok()).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(Error::database("reading the events that are waited for"))?;
    for (place, at) in rows {
        if let Some((task, pattern)) = patterns.get(place as usize) {
            found.entry(task.id).or_default().push((pattern.clone(), at.into()));
        }
    }
    Ok(())
}
