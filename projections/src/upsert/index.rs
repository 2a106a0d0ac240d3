//! Events → the index of events.

use kantoku_domain::Recorded;
use sqlx::types::time::OffsetDateTime;
use uuid::Uuid;

use super::{Arguments, text::storable};

/// The index of a batch.
#[derive(Default)]
pub(super) struct Index<'a> {
    positions: Vec<i64>,
    namespaces: Vec<&'a str>,
    aggregates: Vec<&'a str>,
    ids: Vec<Uuid>,
    versions: Vec<i64>,
    types: Vec<&'a str>,
    event_ids: Vec<Uuid>,
    contexts: Vec<Uuid>,
    actors: Vec<String>,
    times: Vec<OffsetDateTime>,
}

impl<'a> Index<'a> {
    pub(super) fn of(events: &[&'a Recorded]) -> Self {
        let mut index = Self::default();
        for event in events {
            index.positions.push(event.stream_seq as i64);
            index.namespaces.push(event.namespace.as_str());
            index.aggregates.push(event.aggregate.name());
            index.ids.push(event.id.uuid());
            index.versions.push(event.version as i64);
            index.types.push(event.event.name());
            index.event_ids.push(event.metadata.event_id.uuid());
            index.contexts.push(event.metadata.correlation_id.uuid());
            index.actors.push(storable(&event.metadata.actor));
            index.times.push(event.metadata.at.to_offset());
        }
        index
    }

    /// Binds the columns, in the order of the table.
    pub(super) fn bind<'q>(self, arguments: Arguments<'q>) -> Arguments<'q>
    where
        'a: 'q,
    {
        arguments
            .bind(self.positions)
            .bind(self.namespaces)
            .bind(self.aggregates)
            .bind(self.ids)
            .bind(self.versions)
            .bind(self.types)
            .bind(self.event_ids)
            .bind(self.contexts)
            .bind(self.actors)
            .bind(self.times)
    }
}
