//! What travels around a command and an event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, Id, Kind, Namespace, Partition, Timestamp};

/// What a command brings with it: identity and time, so that deciding is a pure function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The aggregate that the command is for.
    pub aggregate_id: Id,
    /// Identifies the command. Sent again, it must carry the same.
    pub command_id: Id,
    /// When the command was given.
    pub at: Timestamp,
    /// Who gave it: a key's name, a service, `anonymous`.
    pub actor: String,
    /// The service that decides.
    pub service_id: String,
    /// The event that made this command necessary.
    pub causation_id: Option<Id>,
    /// The context that all this belongs to.
    pub correlation_id: Id,
}

impl Envelope {
    /// The id of the event that this command decides: derived, so that it is known beforehand.
    pub fn event_id(&self) -> Id {
        self.command_id.derive("0", Partition::of(self.command_id.uuid().as_bytes()[15]))
    }

    /// The metadata of the event that this command decided.
    pub fn metadata(&self, previous_seq: u64) -> Metadata {
        Metadata {
            event_id: self.event_id(),
            command_id: self.command_id,
            causation_id: self.causation_id,
            correlation_id: self.correlation_id,
            actor: self.actor.clone(),
            service_id: self.service_id.clone(),
            schema: Metadata::SCHEMA,
            at: self.at,
            previous_seq,
        }
    }
}

/// What is stored around every event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Identifies the event: uuid v5 of the command's id and an index.
    pub event_id: Id,
    /// The command that was decided.
    pub command_id: Id,
    /// The event that made the command necessary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Id>,
    /// The context.
    pub correlation_id: Id,
    /// Who gave the command.
    pub actor: String,
    /// Which service decided.
    pub service_id: String,
    /// The version of the event's data, for upcasts.
    pub schema: u32,
    /// When.
    pub at: Timestamp,
    /// The `stream_seq` of the aggregate's event before this one; 0 for its first.
    pub previous_seq: u64,
}

impl Metadata {
    /// The schema that this build writes.
    pub const SCHEMA: u32 = 1;
}

/// An event as stored: the event document of the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// Position in the stream.
    pub stream_seq: u64,
    /// Where it was published.
    pub subject: String,
    /// Whose it is.
    pub namespace: Namespace,
    /// The kind of aggregate.
    pub aggregate: Kind,
    /// The aggregate.
    pub id: Id,
    /// Position in the aggregate, 1 for its first event. A `TaskReady`, which lies on its queue's
    /// subject, has the version of the event that it follows.
    pub version: u64,
    /// `type` and `data`.
    #[serde(flatten)]
    pub event: Event,
    /// Around it.
    pub metadata: Metadata,
}
