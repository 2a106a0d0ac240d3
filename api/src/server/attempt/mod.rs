//! `task.attempts`
//!
//! The histories of a chain of restarts are read and told ([`tell`]); what lies elsewhere is added:
//! when attempts were announced, and what was refused of those that ended without their holders.

mod tell;

use std::{collections::VecDeque, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kantoku_domain::{Id, Kind, Namespace, Reason, Recorded, Rejection};
use kantoku_projections::document::TaskDocument;
use kantoku_streams::{LogAddress, LogEntry};

use self::tell::Told;
use super::{Api, Module};
use crate::{
    ApiError,
    contract::{ATTEMPTS_MAX, Attempt, AttemptOutcome, Attempts, GetParams, TaskAttempts},
};

/// How many tasks of a chain are looked at, on either side of the one that is asked about.
const CHAIN_MAX: usize = 500;

/// Reads that are under way at once.
const AT_ONCE: usize = 32;

pub(super) fn register(module: &mut Module) {
    module.register::<TaskAttempts>(attempts);
}

async fn attempts(api: Arc<Api>, params: GetParams) -> Result<Attempts, ApiError> {
    let (namespace, id) = api.named::<TaskDocument>(params).await?;
    let as_of_seq = api.bus.head().await?;
    let (chain, is_cut) = api.chain(&namespace, id).await?;
    let mut told: Vec<Told> = chain.iter().flat_map(|(id, of)| tell::attempts(*id, of)).collect();
    let too_many = told.len().saturating_sub(ATTEMPTS_MAX);
    told.drain(..too_many);
    let items = told.into_iter().map(|told| api.complete(&namespace, told));
    let items = stream::iter(items.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect();
    Ok(Attempts { items: items.await?, truncated: is_cut || too_many > 0, as_of_seq })
}

/// Tasks with their histories, in the order in which they took each other's place.
type Chain = VecDeque<(Id, Vec<Recorded>)>;

impl Api {
    /// The chain of restarts that a task belongs to, and whether its beginning was left out.
    async fn chain(&self, namespace: &Namespace, id: Id) -> Result<(Chain, bool), ApiError> {
        let history = async |id| self.bus.ledger().history(namespace, Kind::Task, id, 0).await;
        let own = history(id).await?;
        if own.is_empty() && self.reader.record::<TaskDocument>(namespace, id).await.is_err() {
            return Err(Rejection::new(Reason::NotFound, "there is no such task").into());
        }
        let (mut before, mut after) = (tell::restart_of(&own), tell::restarted_as(&own));
        let mut chain = Chain::from([(id, own)]);
        for _ in 0..CHAIN_MAX {
            let Some(next) = after else { break };
            let of_next = history(next).await?;
            after = tell::restarted_as(&of_next);
            chain.push_back((next, of_next));
        }
        for _ in 0..CHAIN_MAX {
            let Some(earlier) = before else { break };
            let of_earlier = history(earlier).await?;
            before = tell::restart_of(&of_earlier);
            chain.push_front((earlier, of_earlier));
        }
        Ok((chain, before.is_some()))
    }

    async fn complete(&self, namespace: &Namespace, told: Told) -> Result<Attempt, ApiError> {
        let Told { mut attempt, context_id, ready_seq } = told;
        if let Some(ready_seq) = ready_seq {
            attempt.ready_at = Some(self.bus.event_at(ready_seq).await?.metadata.at);
        }
        // Its holder did not end it, and may have tried to.
        let is_taken = matches!(
            attempt.outcome,
            AttemptOutcome::Lost | AttemptOutcome::Expired | AttemptOutcome::Cancelled
        );
        if is_taken && attempt.fence.is_some() {
            let address = LogAddress {
                namespace: namespace.clone(),
                context_id,
                task_id: attempt.task_id,
                attempt: attempt.attempt,
            };
            let last: Vec<LogEntry> = self.bus.logs().last(&address).await?;
            attempt.refused = last.iter().rev().find_map(|it| it.line.refused()).map(str::to_owned);
        }
        Ok(attempt)
    }
}
