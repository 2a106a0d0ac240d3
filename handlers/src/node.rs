//! The thin loop around the handlers: reads the stream once, folds, and carries out what is due.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_service::{Backoff, Health};
use kantoku_streams::{
    Again, Bus, Candidate, Consumer, ConsumerConfig, Delivery, Due, Fault, Heartbeats, Leading,
    acknowledge, now, subject, warn_missing,
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    HandlerName, Timeout,
    folded::Folded,
    hands::{Hands, Job, Signer, carry_out},
    hearing::{answer, echo, hear, hear_question, listen},
    lanes::Lanes,
    logic::Logic,
    metric,
    poison::Poison,
    probe, snapshot, snapshotter,
};

/// Effects that are under way at once.
const EFFECTS_MAX: usize = 256;
const BATCH_MAX: usize = 1_000;
/// How often the clock is looked at, at least: what was lost on its way is found so often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

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
    /// After how many events, at least, a snapshot is taken of what the handlers have folded, so that
    /// the next start need not fold all of it. 0: never.
    pub snapshot_every: u64,
    /// Where the node says whether it has caught up, as part `node`.
    pub health: Health,
}

impl NodeConfig {
    /// All handlers, a lease of ten seconds, and snapshots.
    pub fn new(service_id: impl Into<String>) -> Self {
        Self {
            service_id: service_id.into(),
            handlers: HandlerName::ALL.into(),
            lease: Duration::from_secs(10),
            snapshot_every: 100_000,
            health: Health::default(),
        }
    }
}

/// A processor node.
pub struct Node {
    bus: Bus,
    config: NodeConfig,
    reading: Reading,
}

/// The stream from behind the last snapshot on, through a durable of its own.
struct Reading {
    folded: Folded,
    consumer: Consumer,
    heartbeats: Option<Heartbeats>,
    again: Again,
    /// Up to here events are only folded: what they made due may have been done already.
    head: u64,
}

impl Reading {
    async fn begin(bus: &Bus, config: &NodeConfig) -> Result<Self, Fault> {
        let head = bus.last_position().await?;
        let is_keeper = config.handlers.contains(&HandlerName::LeaseKeeper);
        let heartbeats = if is_keeper { Some(bus.heartbeats().await?) } else { None };
        let name = subject::durable("node", &config.service_id);
        let again = bus.again(&name).await?;
        let (folded, _) = snapshot::newest(bus, config).await?;
        metric::restored(folded.position);
        let consumer = bus.consumer(ConsumerConfig {
            name,
            filters: vec![],
            from_seq: folded.position + 1,
            batch_max: BATCH_MAX,
        });
        Ok(Self { folded, consumer, heartbeats, again, head })
    }
}

impl Node {
    /// A node on `bus`, that folds the stream through a durable of its own: from its first event on,
    /// or from the last snapshot that fits.
    pub async fn open(bus: &Bus, config: NodeConfig) -> Result<Self, Fault> {
        let reading = Reading::begin(bus, &config).await?;
        Ok(Self { bus: bus.clone(), config, reading })
    }

    /// Runs until `stop` is cancelled, then lets what is under way end. Events that this process
    /// appends are acted upon at once; the stream delivers them again, which changes nothing.
    ///
    /// Where the stream went back, or a handler panicked at an event, which goes to the dead letters
    /// then, the node folds the history anew.
    pub async fn run(self, stop: CancellationToken) {
        let Self { bus, config, mut reading } = self;
        let mut poison = Poison::default();
        while let Some(why) = read(&bus, &config, reading, &mut poison, &stop).await {
            tracing::error!(why, "the processor node folds the history anew");
            let begun = patiently(&stop, || Reading::begin(&bus, &config)).await;
            reading = match begun {
                Some(reading) => reading,
                None => return,
            };
        }
    }
}

/// Reads and acts until `stop` is cancelled. Otherwise it says why the history is to be folded anew.
async fn read(
    bus: &Bus,
    config: &NodeConfig,
    reading: Reading,
    poison: &mut Poison,
    stop: &CancellationToken,
) -> Option<String> {
    let Reading { folded, consumer, mut heartbeats, mut again, head } = reading;
    let mut logic = Logic::new(config, head, folded);
    let mut snapshots = None;
    // What is under way is given up with the reading, not only with the node.
    let over = stop.child_token();
    let signer = Signer { service_id: config.service_id.clone() };
    let (probes, mut answers) = probe::start();
    let has_answers = config.handlers.contains(&HandlerName::Scheduler);
    let mut candidate = has_answers.then(|| bus.scheduler(&config.service_id));
    let leading = candidate.as_ref().map(Candidate::leading);
    let term = || leading.as_ref().and_then(Leading::term);
    let stop_hands = over.clone();
    let hands =
        Hands { bus: bus.clone(), signer, probes, leading: leading.clone(), stop: stop_hands };
    let hands = Arc::new(hands);
    let mut questions = None;
    let mut lanes = Lanes::new(EFFECTS_MAX, move |job| carry_out(Arc::clone(&hands), job));
    let mut own = bus.ledger().own_events();
    // A batch that is under way is never dropped, for its events would come again later.
    let batches = stream::unfold(consumer, async |mut consumer| {
        let batch = consumer.next_batch(stop).await.transpose()?;
        Some((batch, consumer))
    });
    let mut batches = Box::pin(batches);
    let has_timers = config.handlers.contains(&HandlerName::Timers);
    let timeouts = bus.due(Timeout::KIND, "node-timeouts");
    let timeouts = stream::unfold(timeouts, async |mut timeouts| {
        timeouts.next_batch(stop).await.map(|batch| (batch, timeouts))
    });
    let mut timeouts = Box::pin(timeouts);
    // A tenth, so that losses are found soon after a lease is over.
    let mut echoes = interval((config.lease / 10).max(Duration::from_millis(1)));
    echoes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let why = loop {
        if has_answers && logic.is_live && questions.is_none() {
            questions = listen(bus).await;
        }
        if logic.is_live && snapshots.is_none() {
            snapshots = Some(snapshotter::start(bus, config));
        }
        if let Some(candidate) = candidate.as_ref().filter(|_| logic.is_live) {
            candidate.stand();
        }
        let clock = logic.next_due(term()).map_or(LOOK_EVERY, |at| at.since(now()).min(LOOK_EVERY));
        tokio::select! {
            batch = batches.next() => match batch {
                Some(Ok(batch)) => {
                    if let Some(why) = fold(&mut logic, &batch, poison, stop).await {
                        break Some(why);
                    }
                    acknowledge(batch).await;
                }
                Some(Err(went_back)) => break Some(went_back.to_string()),
                None => break None,
            },
            recorded = own.recv(), if logic.is_live => match recorded {
                Ok(recorded) => {
                    logic.foresee(&recorded);
                    // What is at hand is taken before anything is done about it.
                    let more = (1..BATCH_MAX).map_while(|_| own.try_recv().ok());
                    more.for_each(|recorded| logic.foresee(&recorded));
                }
                // What the short cut drops, the stream delivers.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break None,
            },
            () = lanes.next_done() => {}
            (probe, probed) = answers.next() => logic.probed(&probe, probed),
            heard = hear(&mut heartbeats) => logic.hear(heard).await,
            (asked, asker) = hear_question(&mut questions) => {
                let standing = logic.standing(asked.task_id);
                answer(asker, standing).await;
            }
            Some(wanted) = again.next() => {
                poison.forget(wanted.stream_seq);
                let why = format!("event {} is to be taken in again", wanted.stream_seq);
                wanted.taken().await;
                break Some(why);
            }
            _ = echoes.tick(), if logic.is_live => echo(heartbeats.as_ref(), logic.clock.now()).await,
            Some(due) = timeouts.next(), if has_timers && lanes.room() > 0 => {
                for due in due {
                    time_out(due, &mut lanes).await;
                }
            }
            () = lead_changed(&mut candidate) => metric::leads(term().is_some()),
            () = sleep(clock) => {}
        }
        logic.act(term(), &mut lanes);
    };
    if why.is_some() {
        over.cancel();
    }
    while lanes.open() > 0 {
        lanes.next_done().await;
    }
    if let Some(candidate) = candidate {
        candidate.give_back().await;
        metric::leads(false);
    }
    why
}

/// Returns when it may have changed whether this node's scheduler acts.
async fn lead_changed(candidate: &mut Option<Candidate>) {
    match candidate {
        Some(candidate) => candidate.changed().await,
        None => std::future::pending().await,
    }
}

/// Takes in a batch. If a handler panics at an event, that goes to the dead letters, and it is said
/// that the history is to be folded anew.
async fn fold(
    logic: &mut Logic,
    batch: &[Delivery],
    poison: &mut Poison,
    stop: &CancellationToken,
) -> Option<String> {
    while let Err(poisoned) = logic.fold(batch, poison) {
        let why = poisoned.to_string();
        let of = |delivery: &&Delivery| delivery.recorded().stream_seq == poisoned.stream_seq;
        if let Some(delivery) = batch.iter().find(of) {
            patiently(stop, || delivery.report_dead(&why)).await;
        }
        poison.add(&poisoned);
        if poison.is_bounded() {
            return Some(why);
        }
    }
    None
}

/// Tries until it works. `None`: stopped.
async fn patiently<T, F: Future<Output = Result<T, Fault>>>(
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Option<T> {
    let mut backoff = Backoff::default();
    loop {
        match stop.run_until_cancelled(attempt()).await? {
            Ok(done) => return Some(done),
            Err(fault) => warn_missing("nats", "begin anew", &fault),
        }
        stop.run_until_cancelled(sleep(backoff.next_wait())).await?;
    }
}

/// A timer has fired.
async fn time_out(due: Due, lanes: &mut Lanes<Job>) {
    match due.payload::<Timeout>() {
        Ok(timeout) => lanes.begin(timeout.effect(), Some(due), None),
        Err(error) => {
            tracing::error!(timer = %due.id, %error, "a timer cannot be read and is dropped");
            due.ack().await.ok();
        }
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
