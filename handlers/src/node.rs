//! The thin loop around the handlers: reads the stream once, folds, and carries out what is due.

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_domain::{
    Id, Recorded, Standing, Timestamp,
    dependency::{HttpProbe, Probed},
};
use kantoku_service::{Health, Ready};
use kantoku_streams::{
    Asker, Bus, Consumer, ConsumerConfig, Delivery, Due, Fault, Heard, Heartbeats, Question,
    Questions, subject,
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Effect, Handler, HandlerName, LeaseKeeper, Timeout,
    hands::{Hands, Job, Signer, carry_out, now},
    lanes::Lanes,
    metric, probe,
};

/// Effects that are under way at once.
const EFFECTS_MAX: usize = 256;
const BATCH_MAX: usize = 1_000;
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often the clock is looked at, at least.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The part of [`Health`] that a node reports.
const PART: &str = "node";

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
        let mut batches = pin!(batches);
        let has_timers = config.handlers.contains(&HandlerName::Timers);
        let timeouts = bus.due(Timeout::KIND, "node-timeouts");
        let timeouts = stream::unfold(timeouts, async |mut timeouts| {
            timeouts.next_batch(&stop).await.map(|batch| (batch, timeouts))
        });
        let mut timeouts = pin!(timeouts);
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

/// The handlers, and how far they are.
struct Logic {
    handlers: Vec<Box<dyn Handler>>,
    keeper: Option<LeaseKeeper>,
    health: Health,
    clock: Clock,
    position: u64,
    head: u64,
    is_live: bool,
    /// Who is asked first, so that nobody is passed over for long.
    turn: usize,
}

impl Logic {
    fn new(config: &NodeConfig, head: u64) -> Self {
        let names = || config.handlers.iter();
        let mut logic = Self {
            handlers: names().filter_map(|name| name.of_events(config.lease)).collect(),
            keeper: names().find_map(|name| name.keeper(config.lease)),
            health: config.health.clone(),
            clock: Clock::start(),
            position: 0,
            head,
            is_live: false,
            turn: 0,
        };
        logic.moved_to(0);
        logic
    }

    /// Takes in what was delivered; what comes again is passed over.
    fn fold(&mut self, batch: &[Delivery]) {
        let mut folded = 0;
        for delivery in batch {
            let recorded = delivery.recorded();
            if recorded.stream_seq > self.position {
                self.handlers.iter_mut().for_each(|handler| handler.apply(recorded));
                self.keeper.iter_mut().for_each(|keeper| keeper.apply(recorded));
                self.moved_to(recorded.stream_seq);
                folded += 1;
            }
        }
        metric::folded(folded, batch.last().map_or(0, Delivery::left));
    }

    fn moved_to(&mut self, position: u64) {
        self.position = position;
        if self.is_live {
            return;
        }
        self.is_live = position >= self.head;
        let ready = if self.is_live {
            tracing::info!(position, "the processor node has caught up");
            Ready::Yes
        } else {
            Ready::No(format!("folding the history: at {position} of {}", self.head))
        };
        self.health.report(PART, ready);
    }

    /// Takes in an event of this process ahead of its delivery.
    fn foresee(&mut self, recorded: &Recorded) {
        self.handlers.iter_mut().for_each(|handler| handler.foresee(recorded));
    }

    fn probed(&mut self, probe: &HttpProbe, probed: Probed) {
        self.handlers.iter_mut().for_each(|handler| handler.probed(probe, probed));
    }

    async fn hear(&mut self, heard: Heard) {
        let Some(keeper) = &mut self.keeper else { return };
        match heard {
            Heard::Beat(beat, responder) => {
                let reply = keeper.heard(&beat, self.clock.now());
                if let Err(fault) = responder.answer(&reply).await {
                    tracing::debug!(%fault, "a heartbeat was not answered");
                }
            }
            Heard::Echo(at) => keeper.echoed(at),
            Heard::Interrupted => keeper.interrupted(),
        }
        metric::leases(keeper.held());
    }

    /// Where a task stands, for whoever asks.
    fn standing(&self, task_id: Id) -> Option<Standing> {
        let now = now();
        self.handlers.iter().find_map(|handler| handler.standing(task_id, now))
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.handlers.iter().filter_map(|handler| handler.next_due()).min().filter(|_| self.is_live)
    }

    /// Begins what is due, as far as there is room.
    fn act(&mut self, lanes: &mut Lanes<Job>) {
        if !self.is_live {
            return;
        }
        let now = now();
        self.turn = self.turn.wrapping_add(1);
        let Self { handlers, keeper, turn, .. } = self;
        let mut all: Vec<&mut dyn Handler> = Vec::with_capacity(handlers.len() + 1);
        all.extend(keeper.iter_mut().map(|keeper| keeper as &mut dyn Handler));
        all.extend(handlers.iter_mut().map(|handler| &mut **handler as &mut dyn Handler));
        let first = *turn % all.len().max(1);
        all.rotate_left(first);
        for handler in all {
            for effect in handler.due(now, lanes.room()) {
                begin(effect, None, lanes);
            }
        }
        metric::open(lanes.open());
    }
}

/// Time that does not jump: what was heard when is compared with nothing but itself.
struct Clock {
    start: Timestamp,
    elapsed: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { start: now(), elapsed: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.start.plus(self.elapsed.elapsed())
    }
}

fn begin(effect: Effect, due: Option<Due>, lanes: &mut Lanes<Job>) {
    lanes.push(effect.lane(), Job { effect, due });
}

/// An attempt's timer has fired.
async fn time_out(due: Due, lanes: &mut Lanes<Job>) {
    match due.payload::<Timeout>() {
        Ok(timeout) => begin(timeout.effect(), Some(due), lanes),
        Err(error) => {
            tracing::error!(timer = %due.id, %error, "a timer cannot be read and is dropped");
            due.ack().await.ok();
        }
    }
}

async fn hear(heartbeats: &mut Option<Heartbeats>) -> Heard {
    if let Some(heartbeats) = heartbeats
        && let Some(heard) = heartbeats.next().await
    {
        return heard;
    }
    std::future::pending().await
}

/// `None` when it does not work now: those who ask are not answered for a while.
async fn listen(bus: &Bus) -> Option<Questions> {
    bus.questions()
        .await
        .inspect_err(|fault| tracing::warn!(%fault, "questions are not heard"))
        .ok()
}

async fn hear_question(questions: &mut Option<Questions>) -> (Question, Asker) {
    if let Some(questions) = questions
        && let Some(asked) = questions.next().await
    {
        return asked;
    }
    std::future::pending().await
}

async fn answer(asker: Asker, standing: Option<Standing>) {
    if let Err(fault) = asker.answer(standing).await {
        tracing::debug!(%fault, "a question was not answered");
    }
}

async fn echo(heartbeats: Option<&Heartbeats>, now: Timestamp) {
    let Some(heartbeats) = heartbeats else { return };
    if let Err(fault) = heartbeats.echo(now).await {
        tracing::debug!(%fault, "no echo was sent");
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
