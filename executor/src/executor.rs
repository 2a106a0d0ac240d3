//! The executor: takes what is ready as long as it has slots.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_domain::{Event, Recorded};
use kantoku_preprocessors::Pool;
use kantoku_streams::{
    Bus, Delivery, Load, Queue, QueueConfig,
    defect::{self, Defect},
    subject,
};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    ExecutorConfig,
    attempt::carry_out,
    http::Http,
    lease,
    reaper::Reaper,
    running::{Running, Stop},
    seen::{Met, Seen},
    slots::Slots,
    specifications::Specifications,
};

/// A claim takes milliseconds: what is in hand longer was lost with its executor. Should it not be,
/// it is claimed by one all the same.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// Announcements in the hands of all executors of a queue.
const IN_FLIGHT_MAX: u32 = 10_000;
/// How long the end waits for what may hang with the connection.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// See the module. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Executor(Arc<Parts>);

/// What the attempts of one executor share.
pub(crate) struct Parts {
    pub(crate) bus: Bus,
    pub(crate) scripts: Arc<Pool>,
    pub(crate) config: ExecutorConfig,
    pub(crate) specifications: Specifications,
    pub(crate) http: Http,
    pub(crate) running: Running,
    pub(crate) seen: Seen,
    pub(crate) slots: Slots,
}

impl Executor {
    /// An executor on `bus` that runs scripts in `scripts`.
    pub fn new(bus: Bus, scripts: Arc<Pool>, mut config: ExecutorConfig) -> Self {
        config.slots = config.slots.clamp(1, ExecutorConfig::SLOTS_MAX);
        Self(Arc::new(Parts {
            specifications: Specifications::new(bus.ledger().clone()),
            http: Http::default(),
            running: Running::default(),
            seen: Seen::default(),
            slots: Slots::new(config.slots),
            bus,
            scripts,
            config,
        }))
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        let slots = self.0.config.slots;
        Load { running: self.0.running.count() as u32, slots: slots as u32 }
    }

    /// Takes and runs attempts until `stop` is cancelled. From then on it claims nothing; what runs
    /// may go on for the time that is set for draining, then it is stopped and reported as failed.
    pub async fn run(self, stop: CancellationToken) {
        let parts = &self.0;
        let (config, orders) = (&parts.config, parts.config.orders());
        // Without it, nothing is started that it would have to end.
        let Some(reaper) = Reaper::start_patiently(&config.reaper, &orders, &stop).await else {
            return;
        };
        let is_over = CancellationToken::new();
        let work = async {
            let mut attempts = JoinSet::new();
            take(parts, &mut attempts, &stop).await;
            drain(parts, attempts).await;
            is_over.cancel();
        };
        let leases = is_over.run_until_cancelled(lease::keep(parts));
        tokio::join!(work, leases, reaper.keep(&config.reaper, &orders, &is_over));
    }
}

/// Starts an attempt for each announcement, in the order in which they come, as long as there is a
/// slot. What this process announced itself need not be delivered for that.
async fn take(parts: &Arc<Parts>, attempts: &mut JoinSet<()>, stop: &CancellationToken) {
    let mut own = parts.bus.ledger().own_events();
    let (room, room_for) = watch::channel(0);
    let queue = open(parts, room_for);
    let deliveries = stream::unfold(queue, |mut queue| async move {
        let delivery = queue.next().await?;
        Some(((queue.generation(), delivery), queue))
    });
    let mut deliveries = pin!(deliveries);
    loop {
        let free = parts.slots.free(attempts.len());
        room.send_if_modified(|room| std::mem::replace(room, free) != free);
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = attempts.join_next() => note(ended),
            () = parts.slots.freed() => {}
            recorded = own.recv(), if free > 0 => match recorded {
                Ok(recorded) => hear(parts, attempts, recorded),
                // What the short cut drops, is delivered.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            Some((generation, delivery)) = deliveries.next() => {
                parts.seen.of_generation(generation);
                meet(parts, attempts, delivery, free > 0);
            }
        }
    }
    drop(room);
    // Whatever has come meanwhile is given back.
    let rest = async { while deliveries.next().await.is_some() {} };
    timeout(SETTLE_MAX, rest).await.ok();
}

fn open(parts: &Parts, room: watch::Receiver<usize>) -> Queue {
    let queue = &parts.config.queue;
    let config = QueueConfig {
        name: subject::shared_durable(subject::EXECUTOR, queue),
        filters: vec![subject::ready_filter(None, queue)],
        in_flight_max: IN_FLIGHT_MAX,
        ack_wait: ACK_WAIT,
    };
    parts.bus.queue(config, room)
}

/// An event of this process, at the moment of its acknowledgement.
fn hear(parts: &Arc<Parts>, attempts: &mut JoinSet<()>, recorded: Arc<Recorded>) {
    let is_ours = matches!(recorded.event, Event::TaskReady(_))
        && subject::is_ready_for(&recorded.subject, &parts.config.queue);
    if is_ours && parts.seen.begin(recorded.stream_seq) {
        attempts.spawn(carry_out(Arc::clone(parts), parts.slots.take(), recorded, None));
    }
}

fn meet(parts: &Arc<Parts>, attempts: &mut JoinSet<()>, delivery: Delivery, has_room: bool) {
    let recorded = Arc::clone(delivery.recorded());
    match parts.seen.meet(recorded.stream_seq, delivery, has_room) {
        Met::First(delivery) if defect::has(Defect::AckBeforeEffect) => {
            tokio::spawn(delivery.ack());
            attempts.spawn(carry_out(Arc::clone(parts), parts.slots.take(), recorded, None));
        }
        Met::First(delivery) => {
            attempts.spawn(carry_out(
                Arc::clone(parts),
                parts.slots.take(),
                recorded,
                Some(delivery),
            ));
        }
        Met::Decided(delivery) => {
            // Not awaited: without a connection that may hang.
            tokio::spawn(delivery.ack());
        }
        Met::Kept => {}
        // For somebody who has room.
        Met::NoRoom(delivery) => drop(delivery),
    }
}

async fn drain(parts: &Parts, mut attempts: JoinSet<()>) {
    if all_end(&mut attempts, parts.config.drain).await {
        return;
    }
    parts.running.stop_all(&Stop::Shutdown);
    if !all_end(&mut attempts, parts.config.grace + SETTLE_MAX).await {
        let count = parts.running.count();
        tracing::warn!(count, "attempts are left without a report; their leases will run out");
    }
}

/// Whether all of them end within `limit`.
async fn all_end(attempts: &mut JoinSet<()>, limit: Duration) -> bool {
    let ends = async {
        while let Some(ended) = attempts.join_next().await {
            note(ended);
        }
    };
    timeout(limit, ends).await.is_ok()
}

/// Whoever watches the leases takes up what was dropped so.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt was dropped in the middle");
    }
}
