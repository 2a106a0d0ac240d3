//! The handlers of a node, and how far they are.

use kantoku_domain::{
    Id, Recorded, Standing, Timestamp,
    dependency::{HttpProbe, Probed},
};
use kantoku_service::{Health, Ready};
use kantoku_streams::{
    Delivery, Heard,
    defect::{self, Defect},
    now,
};
use tokio::time::Instant;

use crate::{
    Handler, NodeConfig,
    folded::Folded,
    hands::Job,
    lanes::Lanes,
    metric,
    poison::{Poison, Poisoned},
};

/// The part of [`Health`] that a node reports.
const PART: &str = "node";

/// See the module.
pub(crate) struct Logic {
    folded: Folded,
    health: Health,
    pub(crate) clock: Clock,
    head: u64,
    /// All that there was when the node began is folded: what is due is due now.
    pub(crate) is_live: bool,
    /// Who is asked first, so that nobody is passed over for long.
    turn: usize,
}

impl Logic {
    pub(crate) fn new(config: &NodeConfig, head: u64, folded: Folded) -> Self {
        let mut logic = Self {
            folded,
            health: config.health.clone(),
            clock: Clock::start(),
            head,
            is_live: false,
            turn: 0,
        };
        logic.moved();
        logic
    }

    /// Takes in what was delivered; what comes again is passed over, and so is what is `poison`. On
    /// an event that a handler panics at, it ends: the handler is not what it should be any more.
    pub(crate) fn fold(&mut self, batch: &[Delivery], poison: &Poison) -> Result<(), Poisoned> {
        let mut folded = 0;
        for delivery in batch {
            let recorded = delivery.recorded();
            if recorded.stream_seq > self.folded.position {
                self.folded.apply(recorded, poison)?;
                self.moved();
                folded += 1;
            }
        }
        metric::folded(folded, batch.last().map_or(0, Delivery::left));
        Ok(())
    }

    fn moved(&mut self) {
        if self.is_live {
            return;
        }
        let position = self.folded.position;
        self.is_live = position >= self.head;
        if self.is_live && defect::has(Defect::UnfoldOnce) {
            self.folded
                .handlers
                .iter_mut()
                .for_each(|(_, handler)| drop(handler.due(now(), 1 << 20)));
        }
        let ready = if self.is_live {
            tracing::info!(position, "the processor node has caught up");
            Ready::Yes
        } else {
            Ready::No(format!("folding the history: at {position} of {}", self.head))
        };
        self.health.report(PART, ready);
    }

    /// Takes in an event of this process ahead of its delivery.
    pub(crate) fn foresee(&mut self, recorded: &Recorded) {
        self.folded.handlers.iter_mut().for_each(|(_, handler)| handler.foresee(recorded));
    }

    pub(crate) fn probed(&mut self, probe: &HttpProbe, probed: Probed) {
        self.folded.handlers.iter_mut().for_each(|(_, handler)| handler.probed(probe, probed));
    }

    pub(crate) async fn hear(&mut self, heard: Heard) {
        let Some(keeper) = &mut self.folded.keeper else { return };
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
    pub(crate) fn standing(&self, task_id: Id) -> Option<Standing> {
        let now = now();
        self.folded.handlers.iter().find_map(|(_, handler)| handler.standing(task_id, now))
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let next = self.folded.handlers.iter().filter_map(|(_, handler)| handler.next_due()).min();
        next.filter(|_| self.is_live)
    }

    /// Begins what is due, as far as there is room.
    pub(crate) fn act(&mut self, lanes: &mut Lanes<Job>) {
        if !self.is_live {
            return;
        }
        let now = now();
        self.turn = self.turn.wrapping_add(1);
        let Self { folded: Folded { handlers, keeper, .. }, turn, .. } = self;
        let mut all: Vec<&mut dyn Handler> = Vec::with_capacity(handlers.len() + 1);
        all.extend(keeper.iter_mut().map(|keeper| keeper as &mut dyn Handler));
        all.extend(handlers.iter_mut().map(|(_, handler)| &mut **handler as &mut dyn Handler));
        let first = *turn % all.len().max(1);
        all.rotate_left(first);
        for handler in all {
            for effect in handler.due(now, lanes.room()) {
                lanes.begin(effect, None);
            }
        }
        metric::open(lanes.open());
    }
}

/// Time that does not jump: what was heard when is compared with nothing but itself.
pub(crate) struct Clock {
    start: Timestamp,
    elapsed: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { start: now(), elapsed: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start.plus(self.elapsed.elapsed())
    }
}
