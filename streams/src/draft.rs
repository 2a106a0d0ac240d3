//! An event on its way to the ledger.

use kantoku_domain::{Envelope, Event, Id, Kind, Metadata, Namespace, Recorded, task};

use crate::{Guard, subject};

/// An event that was decided and not stored yet, with the guard that it depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Where it will be published.
    pub subject: String,
    /// Whose it is.
    pub namespace: Namespace,
    /// The aggregate.
    pub id: Id,
    /// Position in the aggregate.
    pub version: u64,
    /// What happened.
    pub event: Event,
    /// Around it.
    pub metadata: Metadata,
    /// The condition.
    pub guard: Guard,
}

impl Draft {
    /// The event after version `version` of aggregate `id`, whose last event has position
    /// `last_seq` (both 0 for its first event).
    pub fn next(
        namespace: &Namespace,
        id: Id,
        version: u64,
        last_seq: u64,
        event: Event,
        envelope: &Envelope,
    ) -> Self {
        let subject = subject::event(namespace, event.kind(), id);
        Self {
            guard: Guard { subject: subject.clone(), last_seq },
            subject,
            namespace: namespace.clone(),
            id,
            version: version + 1,
            event,
            metadata: envelope.metadata(last_seq),
        }
    }

    /// The announcement on `queue` that a task at version `version` may be claimed. It is guarded
    /// by the task's own subject, so one that comes after a claim or a cancellation is refused.
    pub fn ready(
        namespace: &Namespace,
        queue: &str,
        shard: u16,
        version: u64,
        ready: task::Ready,
        envelope: &Envelope,
    ) -> Self {
        let task = subject::event(namespace, Kind::Task, ready.task_id);
        Self {
            subject: subject::ready(namespace, queue, shard),
            namespace: namespace.clone(),
            id: ready.task_id,
            version,
            guard: Guard { subject: task, last_seq: ready.guard },
            metadata: envelope.metadata(ready.guard),
            event: Event::TaskReady(ready),
        }
    }

    /// The event as stored at `stream_seq`.
    pub(crate) fn recorded(self, stream_seq: u64) -> Recorded {
        Recorded {
            stream_seq,
            subject: self.subject,
            namespace: self.namespace,
            aggregate: self.event.kind(),
            id: self.id,
            version: self.version,
            event: self.event,
            metadata: self.metadata,
        }
    }
}

/// Whether the event, once stored, breaks its own guard.
pub(crate) fn is_guarded_by_itself(draft: &Draft) -> bool {
    draft.guard.subject == draft.subject
}
