//! What the methods have in common.

use std::time::Duration;

use kantoku_domain::{Envelope, Id, Millis, Namespace, Timestamp};
use kantoku_projections::document::Record;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Api, Caller};
use crate::{
    ApiError, Code,
    contract::{GetParams, TIMEOUT_DEFAULT, TIMEOUT_MAX},
};

pub(super) fn now() -> Timestamp {
    OffsetDateTime::now_utc().into()
}

/// A new id, in an order of time.
pub(super) fn new_id() -> Id {
    Id::from_uuid(Uuid::now_v7())
}

/// How long a call may wait.
pub(super) fn patience(asked: Option<Millis>) -> Result<Duration, ApiError> {
    let asked = asked.unwrap_or(TIMEOUT_DEFAULT);
    if asked > TIMEOUT_MAX {
        let message = format!("{asked} is more than {TIMEOUT_MAX}; wait less, and again");
        return Err(ApiError::new(Code::Invalid, message).field("timeout"));
    }
    Ok(asked.duration())
}

impl Api {
    /// Waits for the position that an answer has to be as of.
    pub(super) async fn catch_up(
        &self,
        min_seq: Option<u64>,
        timeout: Option<Millis>,
    ) -> Result<(), ApiError> {
        let patience = patience(timeout)?;
        if let Some(min_seq) = min_seq {
            self.reader.wait_for(min_seq, patience).await?;
        }
        Ok(())
    }

    /// The record that `params` name, once the read model is as of their `min_seq`: whose, and
    /// which.
    pub(super) async fn named<T: Record>(
        &self,
        params: GetParams,
    ) -> Result<(Namespace, Id), ApiError> {
        self.catch_up(params.min_seq, params.timeout).await?;
        let namespace = params.namespace.unwrap_or_default();
        let id = self.resolve::<T>(&namespace, &params.id).await?;
        Ok((namespace, id))
    }

    /// The id that `id` is the beginning of. A whole id is taken as it is: commands must not
    /// depend on the read model.
    pub(super) async fn resolve<T: Record>(
        &self,
        namespace: &Namespace,
        id: &str,
    ) -> Result<Id, ApiError> {
        if let Ok(id) = id.parse() {
            return Ok(id);
        }
        Ok(self.reader.resolve::<T>(namespace, id).await?)
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
            causation_id: None,
            correlation_id: context_id,
        }
    }
}
