//! The executor: takes what is ready as long as it has slots.

use std::{sync::Arc, time::Duration};

use kantoku_domain::{
    Aggregate as _, Envelope, Event, Id, Reason, Recorded, Task, Timestamp,
    task::{Command, Failure, Ready, Received, Spawned, Success},
};
use kantoku_preprocessors::Pool;
use kantoku_service::Backoff;
use kantoku_streams::{AppendError, Bus, ConsumerConfig, Draft, ExecuteError, subject};
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::run::Attempt;

/// A claim takes milliseconds: what is in hand longer was lost with its executor.
const ACK_WAIT: Duration = Duration::from_secs(5);

/// Who executes, and how much at once.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// The service's persistent id.
    pub service_id: String,
    /// This run of the service.
    pub boot_id: Uuid,
    /// The queue that is served.
    pub queue: String,
    /// Attempts at once.
    pub slots: usize,
}

/// See the module.
#[derive(Clone)]
pub struct Executor {
    bus: Bus,
    scripts: Arc<Pool>,
    config: Arc<ExecutorConfig>,
}

/// An attempt that is ours.
struct Claim {
    recorded: Arc<Recorded>,
    ready: Ready,
    spawned: Box<Spawned>,
    /// The position of the claim.
    fence: u64,
}

impl Executor {
    /// An executor on `bus` that runs scripts in `scripts`.
    pub fn new(bus: Bus, scripts: Arc<Pool>, config: ExecutorConfig) -> Self {
        Self { bus, scripts, config: Arc::new(config) }
    }

    /// Takes and runs attempts until `stop` is cancelled, then lets the running ones end.
    pub async fn run(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.config.slots));
        let attempts = TaskTracker::new();
        let mut consumer = self.bus.consumer(ConsumerConfig {
            name: format!("executor-{}", self.config.queue),
            filters: vec![subject::ready_filter(None, &self.config.queue)],
            from_seq: 1,
            shared: true,
            batch_max: 1,
            in_flight_max: 10_000,
            ack_wait: ACK_WAIT,
        });
        loop {
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                () = stop.cancelled() => break,
            };
            let (Ok(slot), Some(batch)) = (slot, consumer.next_batch(&stop).await) else { break };
            for delivery in batch {
                let recorded = Arc::clone(delivery.recorded());
                match self.claim(recorded).await {
                    Ok(claim) => {
                        delivery.ack().await.ok();
                        if let Some(claim) = claim {
                            let executor = self.clone();
                            attempts.spawn(executor.carry_out(claim, slot));
                            break;
                        }
                    }
                    // Dropped, it is delivered again: the outcome of the claim is not known.
                    Err(fault) => tracing::warn!(%fault, "an attempt could not be claimed"),
                }
            }
        }
        attempts.close();
        attempts.wait().await;
    }

    /// Claims the attempt that was announced. `None`: it is another's, or not needed any more.
    async fn claim(&self, recorded: Arc<Recorded>) -> Result<Option<Claim>, String> {
        let Event::TaskReady(ready) = &recorded.event else { return Ok(None) };
        let ready = ready.clone();
        let loaded = self
            .bus
            .ledger()
            .load::<Task>(&recorded.namespace, ready.task_id)
            .await
            .map_err(|fault| fault.to_string())?;
        let Some(spawned) = loaded.state.spawned.clone() else { return Ok(None) };
        let command = Command::Receive(Received {
            attempt: ready.attempt,
            node: self.config.service_id.clone(),
            boot_id: Id::from_uuid(self.config.boot_id),
            ready_seq: recorded.stream_seq,
        });
        let envelope = self.envelope(&recorded, ready.task_id, "receive");
        let Ok(Some(event)) = loaded.state.decide(&command, &envelope) else {
            return Ok(None);
        };
        let (version, last_seq) = (loaded.version, loaded.stream_seq);
        let draft =
            Draft::next(&recorded.namespace, ready.task_id, version, last_seq, event, &envelope);
        match self.bus.ledger().append(draft).await {
            Ok(received) => {
                let fence = received.stream_seq;
                Ok(Some(Claim { recorded, ready, spawned, fence }))
            }
            Err(AppendError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn carry_out(self, claim: Claim, _slot: OwnedSemaphorePermit) {
        let attempt = Attempt {
            bus: &self.bus,
            scripts: &self.scripts,
            namespace: &claim.recorded.namespace,
            task_id: claim.ready.task_id,
            spawned: &claim.spawned,
            ready: &claim.ready,
            fence: claim.fence,
        };
        let outcome = attempt.run().await;
        let mut backoff = Backoff::default();
        while let Err(fault) = self.report(&claim, &outcome).await {
            tracing::warn!(%fault, task_id = %claim.ready.task_id, "an attempt's end could not be reported");
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Reports how the attempt ended. A rejection ends the matter: the attempt is not ours any
    /// more, or its outputs are not what was promised, which is a failure in turn.
    async fn report(
        &self,
        claim: &Claim,
        outcome: &Result<Success, Failure>,
    ) -> Result<(), String> {
        let attempt = claim.ready.attempt;
        let command = match outcome {
            Ok(success) => Command::Finish { attempt, success: Box::new(success.clone()) },
            Err(error) => Command::Fail { attempt, error: error.clone() },
        };
        match self.execute(claim, &command).await {
            Err(ExecuteError::Rejected(rejection)) if rejection.reason == Reason::Invalid => {
                let error = crate::result::failure(&rejection.message);
                match self.execute(claim, &Command::Fail { attempt, error }).await {
                    Ok(()) | Err(ExecuteError::Rejected(_)) => Ok(()),
                    Err(error) => Err(error.to_string()),
                }
            }
            Err(ExecuteError::Rejected(rejection)) => {
                tracing::info!(%rejection, task_id = %claim.ready.task_id, "a late end was refused");
                Ok(())
            }
            Ok(()) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn execute(&self, claim: &Claim, command: &Command) -> Result<(), ExecuteError> {
        let key = match command {
            Command::Finish { .. } => "finish",
            _ => "fail",
        };
        let envelope = self.envelope(&claim.recorded, claim.ready.task_id, key);
        let namespace = &claim.recorded.namespace;
        self.bus.ledger().execute::<Task>(namespace, command, &envelope).await.map(drop)
    }

    /// The command's id follows from the announcement and this run of the service: a repeated
    /// report is recognised, and another executor's is told apart.
    fn envelope(&self, ready: &Recorded, task_id: Id, what: &str) -> Envelope {
        let key = format!("{what}:{}", self.config.boot_id);
        let context_id = ready.metadata.correlation_id;
        Envelope {
            aggregate_id: task_id,
            command_id: ready.metadata.event_id.derive(&key, context_id.partition()),
            at: Timestamp::from(OffsetDateTime::now_utc()),
            actor: self.config.service_id.clone(),
            service_id: self.config.service_id.clone(),
            causation_id: Some(ready.metadata.event_id),
            correlation_id: context_id,
        }
    }
}
