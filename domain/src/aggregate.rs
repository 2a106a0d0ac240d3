//! The one shape of every aggregate.

use crate::{Envelope, Event, Kind, Rejection};

/// What a command came to: an event, or `None` when it had been carried out before.
pub type Decision = Result<Option<Event>, Rejection>;

/// State folded from events, and the rules by which a command becomes an event.
///
/// One decision gives at most one event: whatever else becomes necessary is named in that event
/// and unfolded by a handler.
pub trait Aggregate: Clone + Default + Send + Sync + 'static {
    /// The kind, as in subjects.
    const KIND: Kind;

    /// What can be asked of it.
    type Command: Send + Sync;

    /// Takes in an event that happened. Total: an event that means nothing here changes nothing.
    fn evolve(&mut self, event: &Event);

    /// Decides a command on this state. The same command after its own event gives `None`.
    fn decide(&self, command: &Self::Command, envelope: &Envelope) -> Decision;
}

/// Implements the cqrs-es `Aggregate` by `decide` and `evolve`.
macro_rules! cqrs_es_adapter {
    ($type:ty) => {
        impl cqrs_es::Aggregate for $type {
            const TYPE: &'static str = <Self as crate::Aggregate>::KIND.name();
            type Command = (<Self as crate::Aggregate>::Command, crate::Envelope);
            type Event = crate::Event;
            type Error = crate::Rejection;
            type Services = ();

            async fn handle(
                &mut self,
                (command, envelope): Self::Command,
                (): &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), crate::Rejection> {
                if let Some(event) = crate::Aggregate::decide(self, &command, &envelope)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: crate::Event) {
                crate::Aggregate::evolve(self, &event);
            }
        }
    };
}
pub(crate) use cqrs_es_adapter;
