//! Carries effects out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kantoku_domain::{
    Aggregate as _, Context, Envelope, Id, Namespace, Task, context,
    task::{Command, Expire},
};
use kantoku_service::Backoff;
use kantoku_streams::{
    AppendError, Bus, Draft, Due, ExecuteError, Fault, Leading, now, warn_missing,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Effect, Timeout, lanes::Lanes, metric, overdue::PATIENCE, probe::Probes, restart::Restarting,
};

const SHARD: u16 = 0;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// What waits for NATS goes on soon after it is back: asking whether it is costs nothing.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What effects need.
pub(crate) struct Hands {
    pub(crate) bus: Bus,
    pub(crate) signer: Signer,
    pub(crate) probes: Probes,
    /// Whether the scheduler of this node is the one that acts.
    pub(crate) leading: Option<Leading>,
    pub(crate) stop: CancellationToken,
}

/// Who signs events.
pub(crate) struct Signer {
    pub(crate) service_id: String,
}

/// An effect, and the timer that it came from, if it did.
pub(crate) struct Job {
    pub(crate) effect: Effect,
    pub(crate) due: Option<Due>,
    /// The term of the scheduler that handed it out.
    pub(crate) term: Option<u64>,
}

impl Lanes<Job> {
    pub(crate) fn begin(&mut self, effect: Effect, due: Option<Due>, term: Option<u64>) {
        self.push(effect.lane(), Job { effect, due, term });
    }
}

/// Why an effect was not carried out.
pub(crate) struct Failed {
    reason: String,
    /// No later try can succeed: what is stored is wrong.
    is_final: bool,
}

/// Carries out one effect. A fault is tried again until `stop`. What can never succeed is given up:
/// it comes again when it has shown no effect for a while, and holds nobody up meanwhile.
pub(crate) async fn carry_out(hands: Arc<Hands>, job: Job) {
    let Job { effect, due, term } = job;
    let start = Instant::now();
    if hands.stop.is_cancelled() {
        return;
    }
    let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
    while let Err(failed) = hands.try_effect(&effect, term).await {
        if failed.is_final {
            return give_up(&effect, &failed, due).await;
        }
        warn_missing("nats", effect.kind(), &failed.reason);
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            () = hands.stop.cancelled() => return,
        }
    }
    metric::carried_out(effect.kind(), start.elapsed());
    if let Some(due) = due
        && let Err(fault) = due.ack().await
    {
        tracing::debug!(%fault, "a timer was not acknowledged");
    }
}

async fn give_up(effect: &Effect, failed: &Failed, due: Option<Due>) {
    let (kind, about) = (effect.kind(), effect.lane());
    tracing::error!(reason = failed.reason, kind, %about, "an effect fails whenever it is tried");
    metric::effect_gave_up();
    if let Some(due) = due
        && let Err(fault) = due.retry(PATIENCE).await
    {
        tracing::debug!(%fault, "a timer was not put off");
    }
}

impl Hands {
    async fn try_effect(&self, effect: &Effect, term: Option<u64>) -> Result<(), Failed> {
        match effect {
            // Another may have admitted others meanwhile: what was handed out is taken back.
            Effect::Announce { .. } if self.term() != term => Ok(()),
            Effect::Announce { namespace, queue, context_id, cause, version, ready } => {
                let key = format!("ready:{}:{}:{}", ready.task_id, ready.attempt, ready.round);
                let envelope = self.signer.envelope(ready.task_id, *context_id, *cause, &key);
                self.append(Draft::ready(
                    namespace,
                    queue,
                    SHARD,
                    *version,
                    ready.clone(),
                    &envelope,
                ))
                .await
            }
            Effect::Command { namespace, task_id, context_id, cause, command } => {
                let key = key(*task_id, command);
                let envelope = self.signer.envelope(*task_id, *context_id, *cause, &key);
                self.command(namespace, command, &envelope).await
            }
            Effect::Restart { namespace, context_id, restarted } => {
                let restarted = self.restart(namespace, *context_id, restarted).await;
                restarted.map_err(|reason| Failed { reason, is_final: false })
            }
            Effect::SetTimer(timeout) => {
                let timers = self.bus.timers();
                Ok(timers.set(timeout.timer, Timeout::KIND, timeout.at, timeout).await?)
            }
            Effect::CancelTimer { timer, .. } => Ok(self.bus.timers().cancel(*timer).await?),
            Effect::Order { service_id, order } => {
                // One that is lost comes again in the reply to the next heartbeat.
                if let Err(fault) = self.bus.order_cancel(service_id, order).await {
                    tracing::debug!(%fault, "an order was not sent");
                }
                Ok(())
            }
            Effect::Probe { probe, .. } => {
                self.probes.ask(probe);
                Ok(())
            }
        }
    }

    /// The term in which this node's scheduler acts now.
    fn term(&self) -> Option<u64> {
        self.leading.as_ref()?.term().map(|term| term.id)
    }

    /// A rejection means that somebody was faster: the event that says so is on its way.
    async fn command(
        &self,
        namespace: &Namespace,
        command: &Command,
        envelope: &Envelope,
    ) -> Result<(), Failed> {
        let task_id = envelope.aggregate_id;
        if let Command::Spawn(_) = command {
            // The task is new, or was spawned just so: it need not be loaded.
            let Ok(Some(event)) = Task::default().decide(command, envelope) else { return Ok(()) };
            return self.append(Draft::next(namespace, task_id, 0, 0, event, envelope)).await;
        }
        match self.bus.ledger().execute::<Task>(namespace, command, envelope).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Rejected(rejection)) => {
                tracing::debug!(%rejection, %task_id, "somebody was faster");
                Ok(())
            }
            Err(ExecuteError::Fault(fault)) => Err(fault.into()),
            Err(error) => Err(Failed { reason: error.to_string(), is_final: false }),
        }
    }

    /// What was done before a fault is recognised. One that is settled stays as it was settled, whoever
    /// is asked once more.
    async fn restart(
        &self,
        namespace: &Namespace,
        context_id: Id,
        restarted: &context::Restarted,
    ) -> Result<(), String> {
        let ledger = self.bus.ledger();
        let context = ledger.load::<Context>(namespace, context_id).await;
        let context = context.map_err(|fault| fault.to_string())?;
        if !context.state.restarting.contains(&restarted.id) {
            return Ok(());
        }
        let mut restarting =
            Restarting::new(ledger, &self.signer, namespace, context_id, restarted);
        while !restarting.go_on().await? {
            if self.stop.is_cancelled() {
                return Err("the node stops".into());
            }
        }
        Ok(())
    }

    /// A conflict means the same as a rejection.
    async fn append(&self, draft: Draft) -> Result<(), Failed> {
        match self.bus.ledger().append(draft).await {
            Ok(_) | Err(AppendError::Conflict { .. }) => Ok(()),
            Err(AppendError::Fault(fault)) => Err(fault.into()),
            Err(error) => Err(Failed { reason: error.to_string(), is_final: false }),
        }
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        let is_final = fault.is_final() || matches!(fault, Fault::TooLong { .. });
        Self { reason: fault.to_string(), is_final }
    }
}

impl Signer {
    /// The command's id follows from the event that made it due, so that whoever unfolds that event
    /// again sends the same command.
    pub(crate) fn envelope(
        &self,
        aggregate_id: Id,
        context_id: Id,
        cause: Id,
        key: &str,
    ) -> Envelope {
        Envelope {
            aggregate_id,
            command_id: cause.derive(key, context_id.partition()),
            at: now(),
            actor: self.service_id.clone(),
            service_id: self.service_id.clone(),
            causation_id: Some(cause),
            correlation_id: context_id,
        }
    }
}

/// What tells the commands apart that one event may lead to for one task.
fn key(task_id: Id, command: &Command) -> String {
    let name = command.name();
    match command {
        Command::Fail { error, .. } => format!("{name}:{}:{task_id}", error.kind),
        Command::Expire(Expire::Queue { attempt, round }) => {
            format!("{name}:queue:{attempt}:{round}:{task_id}")
        }
        Command::Expire(Expire::Total { round }) => format!("{name}:total:{round}:{task_id}"),
        _ => format!("{name}:{task_id}"),
    }
}
