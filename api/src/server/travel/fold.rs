//! Folding the events of contexts up to a position.

use kantoku_domain::{Id, Namespace, Recorded};
use kantoku_projections::{Model, reader::EventQuery};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    super::{Api, event, shared::blocking},
    moment::{Moment, archived},
};
use crate::{ApiError, Code};

/// How many events may be folded for one answer.
pub(super) const EVENTS_MAX: usize = 100_000;

/// How many tasks they may make.
pub(super) const TASKS_MAX: usize = 100_000;

/// What was folded so far.
pub(super) struct Folded<'a> {
    api: &'a Api,
    namespace: &'a Namespace,
    moment: &'a Moment,
    events: usize,
    pub(super) model: Model,
    /// The right to hold that much, until it is dropped.
    _room: Option<OwnedSemaphorePermit>,
}

impl<'a> Folded<'a> {
    /// Nothing yet: waits until few others look at whole contexts.
    pub(super) async fn begin(
        api: &'a Api,
        moment: &'a Moment,
        namespace: &'a Namespace,
    ) -> Result<Self, ApiError> {
        let room = std::sync::Arc::clone(&api.contexts).acquire_owned().await.ok();
        Ok(Self { api, namespace, moment, events: 0, model: Model::default(), _room: room })
    }

    /// Takes in all events of a context, or of a resource of none, up to the position.
    pub(super) async fn take(&mut self, context_id: Id) -> Result<(), ApiError> {
        let mut query = EventQuery {
            namespace: Some(self.namespace.clone()),
            context_id: Some(context_id),
            until_seq: Some(self.moment.stream_seq),
            ..EventQuery::default()
        };
        loop {
            let page = self.api.reader.events(&query).await?;
            let positions: Vec<u64> = page.items.iter().map(|item| item.stream_seq).collect();
            self.events += positions.len();
            check(self.events, EVENTS_MAX, "events")?;
            let events = self.read(&positions).await?;
            let mut model = std::mem::take(&mut self.model);
            let folding = blocking(move || {
                for recorded in &events {
                    model.take(recorded);
                }
                model
            });
            self.model = folding.await?;
            check(self.model.tasks().count(), TASKS_MAX, "tasks")?;
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// The events at these positions: all of them, or an error.
    async fn read(&self, positions: &[u64]) -> Result<Vec<Recorded>, ApiError> {
        let bus = &self.api.bus;
        let Some(earliest) = positions.first() else { return Ok(Vec::new()) };
        let first = bus.first_position().await?;
        if *earliest < first {
            return Err(archived(*earliest, first));
        }
        match event::read(bus, positions).await {
            Ok(events) if events.len() == positions.len() => Ok(events),
            Ok(_) => Err(ApiError::new(
                Code::Archived,
                "some of what happened is not in the stream any more, so that it cannot be told how \
                 things were; look into an export that has it: ktk events replay FILE",
            )),
            Err(fault) => Err(fault.into()),
        }
    }
}

fn check(count: usize, max: usize, what: &str) -> Result<(), ApiError> {
    if count <= max {
        return Ok(());
    }
    let message = format!(
        "more than {max} {what} would have to be folded for this, which is the limit; ktk events \
         replay folds them where you are"
    );
    Err(ApiError::new(Code::Limit, message).reason("too_much_history").for_good())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_limit_is_refused_for_good() {
        assert_eq!(check(EVENTS_MAX, EVENTS_MAX, "events"), Ok(()));
        let error = check(EVENTS_MAX + 1, EVENTS_MAX, "events").expect_err("too many");
        assert_eq!((error.code, error.data.retryable), (Code::Limit, false));
        assert!(error.message.contains("100000 events"), "{error}");
    }
}
