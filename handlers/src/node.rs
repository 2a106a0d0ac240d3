//! The thin loop around the handlers: reads the stream once, folds, and carries out what is due.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_service::Health;
use kantoku_streams::{Bus, Consumer, ConsumerConfig, Delivery, Due, Fault, Heartbeats, subject};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    HandlerName, Timeout,
    hands::{Hands, Job, Signer, carry_out, now},
    hearing::{answer, echo, hear, hear_question, listen},
    lanes::Lanes,
    logic::Logic,
    probe,
};

/// Effects that are under way at once.
const EFFECTS_MAX: usize = 256;
const BATCH_MAX: usize = 1_000;
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often the clock is looked at, at least.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What a node runs.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The service's persistent id. The node's durable is named after it.
    pub service_id: String,
    /// Which handlers.
    pub handlers: BTreeSet<HandlerName>,
    /// How long an executor may be silent before it loses its attempts, and how long after its
    /// timeout an attempt is taken away.
    pub lease: Duration,
    /// Where the node says whether it has caught up, as part `node`.
    pub health: Health,
}

impl NodeConfig {
    /// All handlers, and a lease of ten seconds.
    pub fn new(service_id: impl Into<String>) -> Self {
        Self {
            service_id: service_id.into(),
            handlers: HandlerName::ALL.into(),
            lease: Duration::from_secs(10),
            health: Health::default(),
        }
    }
}

/// A processor node.
pub struct Node {
    bus: Bus,
    config: NodeConfig,
    consumer: Consumer,
    heartbeats: Option<Heartbeats>,
    /// Up to here events are only folded: what they made due may have been done already.
    head: u64,
}

impl Node {
    /// A node on `bus`, that folds the stream from its first event through a durable of its own.
    pub async fn open(bus: &Bus, config: NodeConfig) -> Result<Self, Fault> {
        let head = bus.last_position().await?;
        let is_keeper = config.handlers.contains(&HandlerName::LeaseKeeper);
        let heartbeats = if is_keeper { Some(bus.heartbeats().await?) } else { None };
        let consumer = bus.consumer(ConsumerConfig {
            name: subject::durable("node", &config.service_id),
            filters: vec![],
            from_seq: 1,
            shared: false,
            batch_max: BATCH_MAX,
            in_flight_max: 10 * BATCH_MAX as u32,
            ack_wait: ACK_WAIT,
        });
        Ok(Self { bus: bus.clone(), config, consumer, heartbeats, head })
    }

    /// Runs until `stop` is cancelled, then lets what is under way end. Events that this process
    /// appends are acted upon at once; the stream delivers them again, which changes nothing.
    pub async fn run(self, stop: CancellationToken) {
        let Self { bus, config, consumer, mut heartbeats, head } = self;
        let mut logic = Logic::new(&config, head);
        let (service_id, stopped) = (config.service_id.clone(), stop.clone());
        let signer = Signer { service_id };
        let (probes, mut answers) = probe::start();
        let hands = Arc::new(Hands { bus: bus.clone(), signer, probes, stop: stopped });
        let has_answers = config.handlers.contains(&HandlerName::Scheduler);
        let mut questions = None;
        let mut lanes = Lanes::new(EFFECTS_MAX, move |job| carry_out(Arc::clone(&hands), job));
        let mut own = bus.ledger().own_events();
        // A batch that is under way is never dropped, for its events would come again later.
        let batches = stream::unfold(consumer, async |mut consumer| {
            consumer.next_batch(&stop).await.map(|batch| (batch, consumer))
        });
        let mut batches = Box::pin(batches);
        let has_timers = config.handlers.contains(&HandlerName::Timers);
        let timeouts = bus.due(Timeout::KIND, "node-timeouts");
        let timeouts = stream::unfold(timeouts, async |mut timeouts| {
            timeouts.next_batch(&stop).await.map(|batch| (batch, timeouts))
        });
        let mut timeouts = Box::pin(timeouts);
        // A tenth, so that losses are found soon after a lease is over.
        let mut echoes = interval((config.lease / 10).max(Duration::from_millis(1)));
        echoes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if has_answers && logic.is_live && questions.is_none() {
                questions = listen(&bus).await;
            }
            let clock = logic.next_due().map_or(LOOK_EVERY, |at| at.since(now()));
            tokio::select! {
                batch = batches.next() => {
                    let Some(batch) = batch else { break };
                    logic.fold(&batch);
                    tokio::spawn(acknowledge(batch));
                }
                recorded = own.recv(), if logic.is_live => match recorded {
                    Ok(recorded) => logic.foresee(&recorded),
                    // What the short cut drops, the stream delivers.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                () = lanes.next_done() => {}
                (probe, probed) = answers.next() => logic.probed(&probe, probed),
                heard = hear(&mut heartbeats) => logic.hear(heard).await,
                (asked, asker) = hear_question(&mut questions) => {
                    let standing = logic.standing(asked.task_id);
                    answer(asker, standing).await;
                }
                _ = echoes.tick(), if logic.is_live => echo(heartbeats.as_ref(), logic.clock.now()).await,
                Some(due) = timeouts.next(), if has_timers && lanes.room() > 0 => {
                    for due in due {
                        time_out(due, &mut lanes).await;
                    }
                }
                () = sleep(clock) => {}
            }
            logic.act(&mut lanes);
        }
        while lanes.open() > 0 {
            lanes.next_done().await;
        }
    }
}

/// A timer has fired.
async fn time_out(due: Due, lanes: &mut Lanes<Job>) {
    match due.payload::<Timeout>() {
        Ok(timeout) => lanes.begin(timeout.effect(), Some(due)),
        Err(error) => {
            tracing::error!(timer = %due.id, %error, "a timer cannot be read and is dropped");
            due.ack().await.ok();
        }
    }
}

async fn acknowledge(batch: Vec<Delivery>) {
    for delivery in batch {
        // The state is rebuilt at every start: a lost ack costs nothing.
        if let Err(fault) = delivery.ack().await {
            tracing::debug!(%fault, "an event was not acknowledged");
        }
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
