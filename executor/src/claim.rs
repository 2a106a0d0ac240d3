//! Claims: of all executors that try, one wins.

use std::{sync::Arc, time::Duration};

use kantoku_domain::{
    Envelope, Event, Id, Reason, Recorded, Task,
    task::{Command, Ready, Received, Spawned},
};
use kantoku_streams::{ExecuteError, Fault, Loaded, LogAddress, now};

use crate::{executor::Parts, metric};

/// An attempt that is ours.
pub(crate) struct Claim {
    /// The announcement.
    pub(crate) recorded: Arc<Recorded>,
    pub(crate) ready: Ready,
    pub(crate) spawned: Box<Spawned>,
    /// The position of the claim.
    pub(crate) fence: u64,
    /// The task as it was after the claim, unless the claim is an earlier one.
    pub(crate) task: Option<Loaded<Task>>,
}

impl Claim {
    /// Where the output of the attempt goes.
    pub(crate) fn log_address(&self) -> LogAddress {
        LogAddress {
            namespace: self.recorded.namespace.clone(),
            context_id: self.spawned.context_id,
            task_id: self.ready.task_id,
            attempt: self.ready.attempt,
        }
    }
}

/// What a claim came to.
pub(crate) enum Claimed {
    Ours(Box<Claim>),
    /// Somebody else has it, or it is not needed any more, or the task is to wait: when it goes on,
    /// the attempt is announced again.
    Over,
    /// By our clock it may not start yet.
    TooEarly(Duration),
}

/// Claims the attempt that `recorded` announces. After an error it is not known whose it is; the
/// same claim again tells.
pub(crate) async fn claim(parts: &Parts, recorded: &Arc<Recorded>) -> Result<Claimed, String> {
    let claimed = try_claim(parts, recorded).await;
    metric::claimed(match &claimed {
        Ok(Claimed::Ours(_)) => "won",
        Ok(Claimed::Over) => "lost",
        Ok(Claimed::TooEarly(_)) => "postponed",
        Err(_) => "unknown",
    });
    if let Ok(Claimed::Ours(_)) = &claimed {
        metric::waited(&parts.config.queue, now().since(recorded.metadata.at));
    }
    claimed
}

async fn try_claim(parts: &Parts, recorded: &Arc<Recorded>) -> Result<Claimed, String> {
    let Event::TaskReady(ready) = &recorded.event else { return Ok(Claimed::Over) };
    let (ledger, namespace) = (parts.bus.ledger(), &recorded.namespace);
    let unknown = |fault: Fault| fault.to_string();
    // How it was spawned does not change: what was known lately is good enough.
    let mut task = ledger.load_recent::<Task>(namespace, ready.task_id).await.map_err(unknown)?;
    let Some(spawned) = task.state.spawned.clone() else { return Ok(Claimed::Over) };
    let command = Command::Receive(Received {
        attempt: ready.attempt,
        node: parts.config.service_id.clone(),
        boot_id: parts.config.boot(),
        ready_seq: recorded.stream_seq,
        round: ready.round,
    });
    let envelope = envelope(parts, recorded, ready.task_id, "receive");
    match ledger.execute_on(&task, namespace, &command, &envelope).await {
        Ok(outcome) => {
            // Without an event of this command, an earlier one made the claim.
            let fence = outcome.event.as_ref().map_or(outcome.stream_seq, |it| it.stream_seq);
            let next = outcome.event.filter(|event| event.version == task.version + 1);
            let task = next.map(|event| {
                task.take(&event);
                task
            });
            let (recorded, ready) = (Arc::clone(recorded), ready.clone());
            Ok(Claimed::Ours(Box::new(Claim { recorded, ready, spawned, fence, task })))
        }
        Err(ExecuteError::Rejected(rejection)) if rejection.reason == Reason::TooEarly => {
            // What the rejection was decided on is at hand.
            let loaded = ledger.load_recent::<Task>(namespace, ready.task_id).await;
            let not_before = loaded.map_err(unknown)?.state.not_before;
            Ok(Claimed::TooEarly(not_before.since(now())))
        }
        Err(ExecuteError::Rejected(_)) => Ok(Claimed::Over),
        Err(error) => Err(error.to_string()),
    }
}

/// The command's id follows from the announcement and this run of the service: the same command
/// again is recognised, and another executor's is told apart.
pub(crate) fn envelope(parts: &Parts, ready: &Recorded, task_id: Id, what: &str) -> Envelope {
    let config = &parts.config;
    let key = format!("{what}:{}", config.boot_id);
    let context_id = ready.metadata.correlation_id;
    Envelope {
        aggregate_id: task_id,
        command_id: ready.metadata.event_id.derive(&key, context_id.partition()),
        at: now(),
        actor: config.service_id.clone(),
        service_id: config.service_id.clone(),
        causation_id: Some(ready.metadata.event_id),
        correlation_id: context_id,
    }
}
