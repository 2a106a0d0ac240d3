//! The ledger as cqrs-es sees it: a thin view, for code that is written against that library.

use std::{collections::HashMap, marker::PhantomData};

use cqrs_es::{AggregateContext, AggregateError, EventEnvelope, EventStore};
use kantoku_domain::{Aggregate, Event, Id, Metadata, Namespace, Recorded};

use crate::{AppendError, Cause, Draft, Fault, Guard, Ledger, Loaded, subject};

/// The key of the metadata map that holds the JSON of a [`Metadata`].
pub const METADATA: &str = "metadata";

/// An `EventStore` of cqrs-es for the aggregates `A` of one namespace.
#[derive(Clone)]
pub struct View<A> {
    ledger: Ledger,
    namespace: Namespace,
    aggregate: PhantomData<fn() -> A>,
}

/// A loaded aggregate, with the version and the position that its next event depends on.
#[derive(Debug)]
pub struct Context<A> {
    /// The aggregate.
    pub id: Id,
    /// Its state and where that stands.
    pub loaded: Loaded<A>,
}

impl<A> View<A> {
    /// The aggregates of `namespace` in `ledger`.
    pub fn new(ledger: Ledger, namespace: Namespace) -> Self {
        Self { ledger, namespace, aggregate: PhantomData }
    }
}

/// The metadata map for a commit, as `execute_with_metadata` takes it. The position before the
/// event is filled in by the commit.
///
/// # Panics
/// Never: metadata has string keys only, so it is JSON.
pub fn metadata(metadata: &Metadata) -> HashMap<String, String> {
    let json = serde_json::to_string(metadata).expect("metadata has string keys only");
    [(METADATA.to_owned(), json)].into()
}

impl<A> AggregateContext<A> for Context<A>
where
    A: Aggregate + cqrs_es::Aggregate<Event = Event>,
{
    fn aggregate(&mut self) -> &mut A {
        &mut self.loaded.state
    }
}

impl<A> EventStore<A> for View<A>
where
    A: Aggregate + cqrs_es::Aggregate<Event = Event>,
{
    type AC = Context<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let id = parse(aggregate_id).map_err(AggregateError::UnexpectedError)?;
        let history = self.ledger.history(&self.namespace, <A as Aggregate>::KIND, id, 0).await;
        Ok(history.map_err(database)?.iter().map(to_envelope).collect())
    }

    async fn load_aggregate(
        &self,
        aggregate_id: &str,
    ) -> Result<Context<A>, AggregateError<A::Error>> {
        let id = parse(aggregate_id).map_err(AggregateError::UnexpectedError)?;
        let loaded = self.ledger.load(&self.namespace, id).await.map_err(database)?;
        Ok(Context { id, loaded })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Context<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let Some(event) = only(events).map_err(AggregateError::UnexpectedError)? else {
            return Ok(Vec::new());
        };
        let metadata = metadata.get(METADATA).ok_or_else(|| {
            let missing = "a commit needs the event's metadata: pass cqrs::metadata(…)";
            AggregateError::UnexpectedError(missing.into())
        })?;
        let metadata: Metadata = serde_json::from_str(metadata)
            .map_err(|error| AggregateError::DeserializationError(error.into()))?;
        let subject = subject::event(&self.namespace, event.kind(), context.id);
        let last_seq = context.loaded.stream_seq;
        let draft = Draft {
            guard: Guard { subject: subject.clone(), last_seq },
            subject,
            namespace: self.namespace.clone(),
            id: context.id,
            version: context.loaded.version + 1,
            event,
            metadata: Metadata { previous_seq: last_seq, ..metadata },
        };
        match self.ledger.append(draft).await {
            Ok(recorded) => Ok(vec![to_envelope(&recorded)]),
            Err(AppendError::Conflict { .. }) => Err(AggregateError::AggregateConflict),
            Err(error) => Err(AggregateError::DatabaseConnectionError(error.into())),
        }
    }
}

/// One decision gives at most one event.
fn only(mut events: Vec<Event>) -> Result<Option<Event>, Cause> {
    if events.len() > 1 {
        let names: Vec<&str> = events.iter().map(Event::name).collect();
        return Err(format!("one decision gave several events: {}", names.join(", ")).into());
    }
    Ok(events.pop())
}

fn parse(aggregate_id: &str) -> Result<Id, Cause> {
    aggregate_id.parse().map_err(|error| format!("{aggregate_id:?} is no id: {error}").into())
}

fn database<E: std::error::Error>(fault: Fault) -> AggregateError<E> {
    AggregateError::DatabaseConnectionError(fault.into())
}

fn to_envelope<A>(recorded: &Recorded) -> EventEnvelope<A>
where
    A: cqrs_es::Aggregate<Event = Event>,
{
    EventEnvelope {
        aggregate_id: recorded.id.to_string(),
        sequence: usize::try_from(recorded.version).unwrap_or(usize::MAX),
        payload: recorded.event.clone(),
        metadata: metadata(&recorded.metadata),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kantoku_domain::{Envelope, NamedType, Timestamp, Type, typename::Command};

    use super::*;
    use crate::{Blobs, Memory};

    fn envelope() -> Envelope {
        let id: Id = "0193b0de-0000-7000-8000-00000000002a".parse().unwrap();
        Envelope {
            aggregate_id: id,
            command_id: id,
            at: Timestamp::from_micros(1),
            actor: "test".into(),
            service_id: "test".into(),
            causation_id: None,
            correlation_id: id,
        }
    }

    fn apply() -> Command {
        Command::Apply {
            name: "page".parse().unwrap(),
            description: String::new(),
            definition: Type::String,
        }
    }

    #[tokio::test]
    async fn the_framework_runs_on_it_and_a_stale_commit_is_a_conflict() {
        let blobs = Arc::new(Blobs::in_memory(Blobs::BYTES_MAX));
        let ledger = Ledger::new(Arc::new(Memory::default()), blobs);
        let view = View::<NamedType>::new(ledger, Namespace::default());
        let id = envelope().aggregate_id.to_string();
        let stale = view.load_aggregate(&id).await.unwrap();

        let framework = cqrs_es::CqrsFramework::new(view.clone(), Vec::new(), ());
        framework
            .execute_with_metadata(&id, (apply(), envelope()), metadata(&envelope().metadata(0)))
            .await
            .unwrap();

        let events = view.load_events(&id).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].sequence, 1);
        let context = view.load_aggregate(&id).await.unwrap();
        assert_eq!((context.loaded.version, context.loaded.stream_seq), (1, 1));

        let other = Envelope { command_id: Id::default(), ..envelope() };
        let event = events[0].payload.clone();
        let lost = view.commit(vec![event], stale, metadata(&other.metadata(0))).await;
        assert!(matches!(lost, Err(AggregateError::AggregateConflict)), "{lost:?}");
    }
}
