//! The thin loop around the handlers: reads the stream once, folds, and appends what is due.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_domain::{Envelope, Partition, Recorded, Task, Timestamp};
use kantoku_streams::{
    AppendError, Bus, Consumer, ConsumerConfig, Draft, ExecuteError, Fault, Ledger,
};
use time::OffsetDateTime;
use tokio::{sync::broadcast, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{Effect, Handler as _, Scheduler, Unfolder};

/// Effects that are under way at once.
const EFFECTS_MAX: usize = 256;
const SHARD: u16 = 0;
const BATCH_MAX: usize = 1_000;
const ACK_WAIT: Duration = Duration::from_secs(30);

/// A processor node with the scheduler and the unfolder.
pub struct Node {
    consumer: Consumer,
    /// Up to here events are only folded: what they made due may have been done already.
    head: u64,
    handlers: Handlers,
}

/// The handlers, and what carries out their effects.
struct Handlers {
    service_id: String,
    ledger: Ledger,
    scheduler: Scheduler,
    unfolder: Unfolder,
}

impl Node {
    /// A node on `bus`, that folds the stream from its first event through the durable of
    /// `service_id`.
    pub async fn open(bus: &Bus, service_id: &str) -> Result<Self, Fault> {
        let head = bus.head().await?;
        let consumer = bus.consumer(ConsumerConfig {
            name: format!("node-{service_id}"),
            filters: vec![],
            from_seq: 1,
            shared: false,
            batch_max: BATCH_MAX,
            in_flight_max: 10 * BATCH_MAX as u32,
            ack_wait: ACK_WAIT,
        });
        let handlers = Handlers {
            service_id: service_id.to_owned(),
            ledger: bus.ledger().clone(),
            scheduler: Scheduler::default(),
            unfolder: Unfolder::default(),
        };
        Ok(Self { consumer, head, handlers })
    }

    /// Runs until `stop` is cancelled. Events that this process appends are folded at once; the
    /// stream delivers them again, which changes nothing.
    pub async fn run(self, stop: CancellationToken) {
        let Self { consumer, head, mut handlers } = self;
        let mut own = handlers.ledger.own_events();
        let mut is_live = head == 0;
        // A batch that is under way is never dropped, for its events would come again out of order.
        let stopped = &stop;
        let batches = stream::unfold(consumer, |mut consumer| async move {
            consumer.next_batch(stopped).await.map(|batch| (batch, consumer))
        });
        let mut batches = pin!(batches);
        loop {
            let clock = handlers.scheduler.next_due().filter(|_| is_live).map(|at| at.since(now()));
            tokio::select! {
                batch = batches.next() => {
                    let Some(batch) = batch else { return };
                    for delivery in batch {
                        let recorded = Arc::clone(delivery.recorded());
                        handlers.apply(&recorded);
                        is_live |= recorded.stream_seq >= head;
                        // The state is rebuilt at every start: a lost ack costs nothing.
                        if let Err(fault) = delivery.ack().await {
                            tracing::debug!(%fault, "an event was not acknowledged");
                        }
                    }
                }
                recorded = own.recv(), if is_live => match recorded {
                    Ok(recorded) => handlers.apply(&recorded),
                    // What the short cut drops, the stream delivers.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = sleep(clock.unwrap_or(Duration::from_secs(60))) => {}
            }
            if is_live {
                handlers.act(&stop).await;
            }
        }
    }
}

impl Handlers {
    fn apply(&mut self, recorded: &Recorded) {
        self.scheduler.apply(recorded);
        self.unfolder.apply(recorded);
    }

    /// Carries out what is due, many at once.
    async fn act(&mut self, stop: &CancellationToken) {
        loop {
            let now = now();
            let mut effects = self.scheduler.due(now, EFFECTS_MAX);
            effects.extend(self.unfolder.due(now, EFFECTS_MAX - effects.len()));
            if effects.is_empty() || stop.is_cancelled() {
                return;
            }
            let (ledger, service_id) = (&self.ledger, self.service_id.as_str());
            stream::iter(effects)
                .for_each_concurrent(EFFECTS_MAX, |effect| {
                    carry_out(ledger, service_id, effect, stop)
                })
                .await;
        }
    }
}

/// Appends one effect. A conflict or a rejection means that somebody was faster: the event that
/// says so is on its way. A fault is tried again: the effect is known to nobody else.
async fn carry_out(ledger: &Ledger, service_id: &str, effect: Effect, stop: &CancellationToken) {
    let mut backoff = kantoku_service::Backoff::default();
    while !stop.is_cancelled() {
        let fault = match try_effect(ledger, service_id, &effect).await {
            Ok(()) => return,
            Err(fault) => fault,
        };
        tracing::warn!(%fault, "an effect could not be appended and is tried again");
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn try_effect(ledger: &Ledger, service_id: &str, effect: &Effect) -> Result<(), String> {
    match effect {
        Effect::Announce { namespace, queue, context_id, cause, version, ready } => {
            let key = format!("ready:{}:{}", ready.task_id, ready.attempt);
            let envelope = envelope(service_id, ready.task_id, *context_id, *cause, &key);
            let draft = Draft::ready(namespace, queue, SHARD, *version, ready.clone(), &envelope);
            match ledger.append(draft).await {
                Ok(_) | Err(AppendError::Conflict { .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }
        Effect::Command { namespace, task_id, context_id, cause, command } => {
            let key = format!("task:{task_id}");
            let envelope = envelope(service_id, *task_id, *context_id, *cause, &key);
            match ledger.execute::<Task>(namespace, command, &envelope).await {
                Ok(_) => Ok(()),
                Err(ExecuteError::Rejected(rejection)) => {
                    tracing::debug!(%rejection, %task_id, "somebody was faster");
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            }
        }
    }
}

/// The command's id follows from the event that made it due, so that whoever unfolds that event
/// again sends the same command.
fn envelope(
    service_id: &str,
    task_id: kantoku_domain::Id,
    context_id: kantoku_domain::Id,
    cause: kantoku_domain::Id,
    key: &str,
) -> Envelope {
    let partition: Partition = context_id.partition();
    Envelope {
        aggregate_id: task_id,
        command_id: cause.derive(key, partition),
        at: now(),
        actor: service_id.to_owned(),
        service_id: service_id.to_owned(),
        causation_id: Some(cause),
        correlation_id: context_id,
    }
}

fn now() -> Timestamp {
    OffsetDateTime::now_utc().into()
}
