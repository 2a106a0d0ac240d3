//! What commands have in common.

use std::sync::Arc;

use kantoku_domain::{Aggregate, Datum, Envelope, Event, Id, Kind, Namespace, Partition, Recorded};
use kantoku_streams::{
    AppendError, Draft, Fault, Outcome,
    defect::{self, Defect},
    now,
};
use serde_json::Value;

use super::{Api, Caller, shared::new_id};
use crate::{ApiError, Code};

/// Where the ids of a command and of what it makes come from: the same key gives the same ids.
pub(super) struct Ids {
    /// The command's.
    pub(super) command: Id,
    is_keyed: bool,
}

impl Ids {
    /// Of a call of `method`; new ones where there is no key.
    pub(super) fn of(namespace: &Namespace, method: &str, key: Option<&str>) -> Self {
        let of_key = |key: &str| {
            if defect::has(Defect::DedupByWindow) {
                let window = now().micros() / 2_000_000;
                return Id::of_key(namespace, method, &format!("{key}@{window}"));
            }
            Id::of_key(namespace, method, key)
        };
        Self { command: key.map_or_else(new_id, of_key), is_keyed: key.is_some() }
    }

    /// Whether the same ids may have been used before.
    pub(super) const fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// The id of what the command makes under `name`, in `partition`.
    pub(super) fn make(&self, name: &str, partition: Partition) -> Id {
        if self.is_keyed {
            self.command.derive(name, partition)
        } else {
            new_id().in_partition(partition)
        }
    }
}

/// What is ordered of one aggregate, by one call.
pub(super) struct Ordered<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) id: Id,
    /// Of the command: with a key, the same one each time.
    pub(super) command_id: Id,
    is_keyed: bool,
}

impl<'a> Ordered<'a> {
    /// By a call of `method`, of the aggregate `id`.
    pub(super) fn of(namespace: &'a Namespace, method: &str, id: Id, key: Option<&str>) -> Self {
        let Ids { command, is_keyed } = Ids::of(namespace, &format!("{method}:{id}"), key);
        Self { namespace, id, command_id: command, is_keyed }
    }
}

/// That a key was used for something else, and what for.
pub(super) fn used_before(first: &Recorded) -> ApiError {
    let (what, id, at) = (first.event.name(), first.id, first.stream_seq);
    let message = format!(
        "the idempotency key was used before with other parameters: {what} {id} at position {at}; \
         use a fresh one"
    );
    let error = ApiError::new(Code::Rejected, message).reason("already_exists");
    let mut error = error.field("idempotency_key");
    error.data.winner = Some(id);
    error
}

impl Api {
    /// The event of an order whose key was used before, which has to be what is asked for. Looked
    /// for before anything else is: what would be refused now may have been accepted then.
    pub(super) async fn ordered_before(
        &self,
        kind: Kind,
        ordered: &Ordered<'_>,
        is_asked_for: impl FnOnce(&Event) -> bool,
    ) -> Result<Option<Recorded>, ApiError> {
        if !ordered.is_keyed {
            return Ok(None);
        }
        let history = self.bus.ledger().history(ordered.namespace, kind, ordered.id, 0).await?;
        let is_its = |recorded: &Recorded| recorded.metadata.command_id == ordered.command_id;
        match history.into_iter().find(is_its) {
            Some(first) if !is_asked_for(&first.event) => Err(used_before(&first)),
            first => Ok(first),
        }
    }

    /// What goes around a command.
    pub(super) fn envelope(
        &self,
        caller: &Caller,
        command_id: Id,
        aggregate_id: Id,
        context_id: Id,
    ) -> Envelope {
        Envelope {
            aggregate_id,
            command_id,
            at: now(),
            actor: caller.actor.to_string(),
            service_id: self.config.service_id.clone(),
            causation_id: caller.operation,
            correlation_id: context_id,
        }
    }

    /// Carries out a command on an aggregate that may exist.
    pub(super) async fn execute<A: Aggregate>(
        &self,
        namespace: &Namespace,
        command: &A::Command,
        envelope: &Envelope,
    ) -> Result<Outcome, ApiError> {
        Ok(self.bus.ledger().execute::<A>(namespace, command, envelope).await?)
    }

    /// Carries out the command that makes an aggregate: with a new id nobody else can know it, and
    /// nothing has to be loaded. The event of a command that had been carried out before is that
    /// command's.
    pub(super) async fn create<A: Aggregate>(
        &self,
        ids: &Ids,
        namespace: &Namespace,
        command: &A::Command,
        envelope: &Envelope,
    ) -> Result<Arc<Recorded>, ApiError> {
        if ids.is_keyed {
            let outcome = Box::pin(self.execute::<A>(namespace, command, envelope)).await?;
            return outcome.event.ok_or_else(|| {
                ApiError::new(Code::Rejected, "it exists already, and was not made by this key")
                    .reason("already_exists")
            });
        }
        let event = A::default().decide(command, envelope)?.ok_or_else(|| {
            ApiError::new(Code::Internal, "nothing can be decided about what does not exist")
        })?;
        let draft = Draft::next(namespace, envelope.aggregate_id, 0, 0, event, envelope);
        Ok(self.bus.ledger().append(draft).await?)
    }

    /// A value as it goes into an event: in the blob store when it is large. It has been checked
    /// against its type, which is not possible afterwards.
    pub(super) async fn datum(&self, value: Value) -> Result<Datum, ApiError> {
        let json = serde_json::to_vec(&value).map_err(|e| ApiError::new(Code::Internal, e))?;
        if json.len() <= Datum::INLINE_BYTES_MAX {
            return Ok(Datum::Value(value));
        }
        Ok(Datum::Blob(Box::pin(self.bus.ledger().blobs().put(json.into())).await?))
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::new(Code::Conflict, error),
            AppendError::Unknown { subject, .. } => Fault::Unknown { subject }.into(),
            AppendError::Fault(fault) => fault.into(),
        }
    }
}
